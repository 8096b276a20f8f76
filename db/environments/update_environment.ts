import { AppError } from "../../domain/app_error.ts";
import { recordAudit } from "../audit/record_audit.ts";
import type { Actor, Database, Tx } from "../database.ts";
import { recordEvents } from "../events/record_event.ts";
import { lookAgain } from "../freezes/end_freeze.ts";
import type { Hints } from "../hints.ts";

/** `config` and `policy` replace the whole of what was there. */
export interface EnvironmentChange {
  region?: string;
  config?: unknown;
  policy?: unknown;
  status?: string;
}

export async function updateEnvironment(
  { db, hints }: { db: Database; hints: Hints },
  id: string,
  change: EnvironmentChange,
  actor: Actor,
): Promise<void> {
  await db.sql.begin(async (tx) => {
    const json = (value: unknown) => value === undefined ? null : tx.json(value as never);
    const [row] = await tx<{ name: string }[]>`
      update environment set
        region = coalesce(${change.region ?? null}, region),
        config = coalesce(${json(change.config)}, config),
        policy = coalesce(${json(change.policy)}, policy),
        status = coalesce(${change.status ?? null}, status),
        updated_at = boreas_now()
      where id = ${id} and project_id = ${actor.projectId} returning name`;
    if (!row) throw new AppError("not_found", "environment.unknown", "There is no such environment.");
    if (change.policy !== undefined) await raiseApprovals(tx, id);
    if (change.policy !== undefined) await lookAgain(tx, id);
    await recordEvents(tx, [{
      topic: "environment",
      projectId: actor.projectId,
      subjectId: id,
      kind: "environment.changed",
      data: { name: row.name },
    }]);
    await recordAudit(db, tx, actor, "environment.update", `environment:${id}`, { ...change });
  });
  hints.announce("events");
}

/** What has not begun yet waits for as many people as the floor asks for now. */
async function raiseApprovals(tx: Tx, environmentId: string): Promise<void> {
  await tx`
    update deployment d set approvals_needed = greatest(d.approvals_needed, (e.policy -> 'approvals' ->> 'count')::int),
      updated_at = boreas_now()
    from environment e where e.id = ${environmentId} and d.environment_id = e.id and d.status in ('pending', 'awaiting_approval')
      and d.approvals_needed < (e.policy -> 'approvals' ->> 'count')::int`;
}
