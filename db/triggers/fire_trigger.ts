import { AppError } from "../../domain/app_error.ts";
import { reason } from "../../domain/reason.ts";
import { recordAudit } from "../audit/record_audit.ts";
import type { Actor, Database } from "../database.ts";
import { recordEvents } from "../events/record_event.ts";
import type { Hints } from "../hints.ts";
import { inTransaction } from "../retry.ts";

/**
 * A person or a program fires a trigger: written down, and decided by the master that leads, which has the mirrors.
 * @param ask.version a name or an id; what the trigger itself says, when absent
 * @returns the run's id
 */
export async function fireTrigger(
  { db, hints }: { db: Database; hints: Hints },
  triggerId: string,
  ask: { version?: string; dryRun: boolean },
  actor: Actor,
): Promise<string> {
  const id = db.newId();
  await inTransaction(db, async (tx) => {
    const [row] = await tx<{ name: string; environment: string; enabled: boolean }[]>`
      select name, environment, enabled from trigger where id = ${triggerId} and project_id = ${actor.projectId} for share`;
    if (!row) throw new AppError("not_found", "trigger.unknown", "There is no such trigger.");
    if (!row.enabled && !ask.dryRun) {
      throw new AppError("conflict", "trigger.disabled", `${row.name} is switched off; switch it on before firing it.`);
    }
    await tx`
      insert into trigger_run (id, project_id, trigger_id, trigger, environment, event, outcome, reason, due_at, dry_run, wanted, actor, actor_id)
      values (${id}, ${actor.projectId}, ${triggerId}, ${row.name}, ${row.environment}, 'api', 'waiting',
        ${tx.json(reason("trigger.deciding") as never)}, boreas_now(), ${ask.dryRun}, ${
      ask.version ?? null
    }, ${actor.name}, ${actor.userId})`;
    await recordEvents(tx, [{
      topic: "trigger",
      projectId: actor.projectId,
      subjectId: triggerId,
      kind: "trigger.asked",
      data: { runId: id },
    }]);
    if (!ask.dryRun) {
      await recordAudit(db, tx, actor, "trigger.fire", `trigger:${triggerId}`, {
        name: row.name,
        version: ask.version ?? null,
      });
    }
  });
  hints.announce("events");
  return id;
}
