/**
 * Ticks that are due become runs, each exactly once: the trigger's row is held while its next tick is moved on, and a run
 * is unique by (trigger, instant). A crash before the commit leaves the tick due; after it, the run waits to be decided.
 */
import { whyNoCron } from "../../domain/cron.ts";
import { judgeTick } from "../../domain/due_tick.ts";
import type { DueTick } from "../../domain/due_tick.ts";
import { reason } from "../../domain/reason.ts";
import type { TriggerRule } from "../../domain/trigger.ts";
import { type Aside, noAside } from "../aside.ts";
import type { Database, Tx } from "../database.ts";
import { recordEvents } from "../events/record_event.ts";
import { inTransaction } from "../retry.ts";
import { readNow } from "./next_tick.ts";
import { sentence } from "./record_runs.ts";

interface DueTrigger {
  id: string;
  projectId: string;
  name: string;
  environment: string;
  rule: TriggerRule;
  /** Milliseconds since 1970. */
  due: number;
}
const AT_ONCE = 100;

/** @returns how many ticks were dealt with */
export async function claimTicks(db: Database, aside: Aside = noAside): Promise<number> {
  const due = await db.sql<{ id: string }[]>`
    select id from trigger where enabled and kind = 'cron' and next_due_at <= boreas_now() and id <> all(${aside.ids()}::uuid[])
    order by next_due_at limit ${AT_ONCE}`;
  return await aside.attemptAll(due.map(({ id }) => id), (ids) => claimThese(db, ids));
}

async function claimThese(db: Database, ids: readonly string[]): Promise<number> {
  return await inTransaction(db, async (tx) => {
    const rows = await tx<DueTrigger[]>`
      select id, project_id, name, environment, rule, (extract(epoch from next_due_at) * 1000)::float8 as due from trigger
      where id = any(${[...ids]}::uuid[]) and enabled and kind = 'cron' and next_due_at <= boreas_now()
      order by next_due_at, id for update skip locked`;
    for (const row of rows) await claimTick(db, tx, row);
    return rows.length;
  });
}

async function claimTick(db: Database, tx: Tx, row: DueTrigger): Promise<void> {
  const { rule } = row;
  const time = { cron: rule.at ?? "", tz: rule.tz };
  // A time that this release cannot read must not keep the other triggers from ticking.
  const wrong = whyNoCron(time);
  const tick: DueTick = wrong === undefined
    ? judgeTick(time, rule.missed ?? "skip", row.due, await readNow(tx))
    : { at: row.due, next: undefined, why: wrong };
  const at = new Date(tick.at).toISOString();
  const said = tick.why === undefined
    ? reason("trigger.deciding")
    : reason("trigger.not_fired", { detail: sentence(tick.why) });
  const id = db.newId();
  const made = await tx`
    insert into trigger_run (id, project_id, trigger_id, trigger, environment, event, outcome, reason, due_at, actor, decided_at)
    values (${id}, ${row.projectId}, ${row.id}, ${row.name}, ${row.environment}, 'cron',
      ${tick.why === undefined ? "waiting" : "not_fired"}, ${tx.json(said as never)}, ${at}, 'cron trigger',
      case when ${tick.why !== undefined} then boreas_now() end)
    on conflict do nothing returning id`;
  await tx`update trigger set next_due_at = ${tick.next === undefined ? null : new Date(tick.next).toISOString()}
    where id = ${row.id}`;
  if (made.length === 0) return;
  await recordEvents(tx, [{
    topic: "trigger",
    projectId: row.projectId,
    subjectId: row.id,
    kind: tick.why === undefined ? "trigger.due" : "trigger.not_fired",
    data: { reason: said, runId: id },
  }]);
}
