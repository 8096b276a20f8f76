import { AppError } from "../../domain/app_error.ts";
import { recordAudit } from "../audit/record_audit.ts";
import type { Actor, Database } from "../database.ts";
import { recordEvents } from "../events/record_event.ts";
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
