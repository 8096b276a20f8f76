import { AppError } from "../../domain/app_error.ts";
import { reason } from "../../domain/reason.ts";
import type { AgentDeps } from "../agents/change_agent.ts";
import { recordAudit } from "../audit/record_audit.ts";
import type { Actor } from "../database.ts";
import { inTransaction } from "../retry.ts";

export interface UpgradeInput {
  version: string;
  downgrade: boolean;
  batch: number;
  /** Which agents: these, those with all of these labels, or every one that lives on a machine of its own. */
  ids?: readonly string[] | undefined;
  labels?: Readonly<Record<string, string>> | undefined;
}

/** Notes whom to ask, in the order of their names; the driver of the leading master asks. @returns its id */
export async function createUpgrade(deps: AgentDeps, input: UpgradeInput, actor: Actor): Promise<string> {
  const id = deps.db.newId();
  await inTransaction(deps.db, async (tx) => {
    const agents = await tx<{ id: string; name: string; runs: string; embedded: boolean }[]>`
      select id, name, coalesce(versions ->> 'boreas', '') as runs, embedded from agent
      where project_id = ${actor.projectId} and status <> 'revoked'
        ${input.ids ? tx`and id = any(${[...input.ids]}::uuid[])` : tx`and not embedded`}
        ${input.labels ? tx`and labels @> ${tx.json(input.labels as never)}` : tx``}
      order by id for update`;
    const missing = input.ids?.find((one) => !agents.some((a) => a.id === one));
    if (missing) throw new AppError("not_found", "agent.not_found", `There is no agent ${missing} in this project.`);
    const embedded = agents.find((a) => a.embedded);
    if (embedded) {
      throw new AppError(
        "conflict",
        "agent.embedded",
        `${embedded.name} lives inside the master and changes with it; upgrade the master.`,
      );
    }
    if (agents.length === 0) {
      throw new AppError("invalid", "upgrade.nobody", "No agent is meant by this; give ids or labels that some have.");
    }
    const ids = agents.map((a) => a.id);
    const [under] = await tx<{ id: string; name: string }[]>`
      select u.id, a.name from upgrade_agent p join upgrade u on u.id = p.upgrade_id join agent a on a.id = p.agent_id
      where p.agent_id = any(${ids}::uuid[]) and (p.state = 'asked' or p.state = 'waiting' and u.status = 'running') limit 1`;
    if (under) {
      throw new AppError(
        "conflict",
        "upgrade.under_way",
        `${under.name} is part of upgrade ${under.id}, which has not ended; wait for it or cancel it.`,
      );
    }
    const [said, waits] = [
      reason("upgrade.running", { actor: actor.name, batch: input.batch }),
      reason("upgrade.waiting"),
    ];
    await tx`insert into upgrade (id, project_id, version, downgrade, batch, status, reason, created_by)
      values (${id}, ${actor.projectId}, ${input.version}, ${input.downgrade}, ${input.batch}, 'running',
        ${tx.json(said as never)}, ${actor.name})`;
    const ordered = agents.toSorted((a, b) => (a.name < b.name ? -1 : 1));
    await tx`insert into upgrade_agent (upgrade_id, agent_id, position, state, reason, from_version)
      select ${id}, r.id, r.position, 'waiting', ${tx.json(waits as never)}, r.runs
      from unnest(${ordered.map((a) => a.id)}::uuid[], ${ordered.map((_, i) => i)}::int[],
        ${ordered.map((a) => a.runs)}::text[]) as r(id, position, runs)`;
    await recordAudit(deps.db, tx, actor, "agent.upgrade", `upgrade:${id}`, {
      version: input.version,
      downgrade: input.downgrade,
      batch: input.batch,
      agents: ordered.map((a) => a.name),
    });
  });
  deps.hints.announce("upgrades");
  deps.hints.announce("events");
  return id;
}
