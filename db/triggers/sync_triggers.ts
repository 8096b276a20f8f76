/**
 * Keeps the rows of a repository's file in step with its Plan: adds, changes and removes. What did not change keeps its
 * id, its runs, its next tick, and whether a person switched it off.
 */
import { isDeepStrictEqual } from "node:util";
import { nameTriggers } from "../../domain/check_trigger.ts";
import type { TriggerEvent, TriggerRule, TriggerStart } from "../../domain/trigger.ts";
import type { Trigger as FileTrigger } from "../../protocol/config/plan.ts";
import type { Database } from "../database.ts";
import { recordEvents } from "../events/record_event.ts";
import type { Hints } from "../hints.ts";
import { inTransaction } from "../retry.ts";
import { readNow, tickAfter } from "./next_tick.ts";

interface Row {
  id: string;
  name: string;
  position: number;
  kind: TriggerEvent;
  environment: string;
  start: TriggerStart;
  rule: TriggerRule;
}

/** The commit of the default branch that the rows were taken from last. */
export async function readPlanCommit(db: Database, repositoryId: string): Promise<string | undefined> {
  const [row] = await db.sql<{ commit: string }[]>`
    select commit from trigger_plan where repository_id = ${repositoryId}`;
  return row?.commit;
}

export async function syncTriggers(
  { db, hints }: { db: Database; hints: Hints },
  of: { repositoryId: string; projectId: string; commit: string },
  triggers: readonly FileTrigger[],
): Promise<void> {
  const changed = await inTransaction(db, async (tx) => {
    await tx`insert into trigger_plan (repository_id, commit) values (${of.repositoryId}, ${of.commit})
      on conflict (repository_id) do update set commit = excluded.commit, updated_at = boreas_now()`;
    const there = await tx<Row[]>`
      select id, name, position, kind, environment, start, rule from trigger
      where repository_id = ${of.repositoryId} and source = 'file' for update`;
    const now = await readNow(tx);
    const wanted = nameTriggers(triggers).map(toRow);
    const gone = there.filter((row) => !wanted.some((w) => w.name === row.name));
    await tx`delete from trigger where id = any(${gone.map((row) => row.id)}::uuid[])`;
    const touched: string[] = gone.map((row) => row.id);
    for (const row of wanted) {
      const before = there.find((t) => t.name === row.name);
      if (before && isDeepStrictEqual({ ...before, id: "" }, { ...row, id: "" })) continue;
      const nextDueAt = tickAfter(row.kind, row.rule, now);
      const id = before?.id ?? db.newId();
      touched.push(id);
      await tx`
        insert into trigger (id, project_id, repository_id, source, name, position, kind, environment, start, rule, next_due_at, created_by)
        values (${id}, ${of.projectId}, ${of.repositoryId}, 'file', ${row.name}, ${row.position}, ${row.kind},
          ${row.environment}, ${row.start}, ${tx.json(row.rule as never)}, ${nextDueAt}, 'boreas.yaml')
        on conflict (id) do update set position = excluded.position, kind = excluded.kind,
          environment = excluded.environment, start = excluded.start, rule = excluded.rule,
          next_due_at = excluded.next_due_at, since = boreas_now(), updated_at = boreas_now()`;
    }
    await recordEvents(
      tx,
      touched.map((id) => ({ topic: "trigger", projectId: of.projectId, subjectId: id, kind: "trigger.synced" })),
    );
    return touched.length > 0;
  });
  if (changed) hints.announce("events");
}

const toRow = ({ name, on, environment, start, ...rule }: FileTrigger & { name: string }, position: number): Row => ({
  id: "",
  name,
  position,
  kind: on,
  environment,
  start: start ?? "manual",
  rule,
});
