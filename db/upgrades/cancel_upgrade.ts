import { AppError } from "../../domain/app_error.ts";
import { reason } from "../../domain/reason.ts";
import type { AgentDeps } from "../agents/change_agent.ts";
import { recordAudit } from "../audit/record_audit.ts";
import type { Actor, Tx } from "../database.ts";
import { inTransaction } from "../retry.ts";

/** Nobody else is told; who was told already is told to leave it, and does so unless it has switched. */
export async function cancelUpgrade(deps: AgentDeps, id: string, actor: Actor): Promise<void> {
  await inTransaction(deps.db, async (tx) => {
    const [row] = await tx<{ status: string; version: string }[]>`
      select status, version from upgrade where id = ${id} and project_id = ${actor.projectId} for update`;
    if (!row) throw new AppError("not_found", "upgrade.not_found", `There is no upgrade ${id} in this project.`);
    if (row.status !== "running") {
      throw new AppError(
        "conflict",
        "upgrade.wrong_state",
        `This upgrade is ${row.status}; there is nothing to cancel.`,
      );
    }
    await cancelWaiting(tx, { id, version: row.version }, actor.name);
    await recordAudit(deps.db, tx, actor, "upgrade.cancel", `upgrade:${id}`);
  });
  deps.hints.announce("upgrades");
  deps.hints.announce("events");
}

/** @param by who wants it: a person's name, or what it was */
export async function cancelWaiting(
  tx: Tx,
  { id, version }: { id: string; version: string },
  by: string,
): Promise<void> {
  const said = reason("upgrade.cancelled", { actor: by, version });
  await tx`update upgrade set status = 'cancelled', reason = ${tx.json(said as never)},
    completed_at = boreas_now(), updated_at = boreas_now() where id = ${id}`;
  await tx`update upgrade_agent set state = 'cancelled', updated_at = boreas_now(),
    reason = ${tx.json(reason("upgrade.agent_cancelled", { actor: by }) as never)}
    where upgrade_id = ${id} and state = 'waiting'`;
}
