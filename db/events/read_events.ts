/**
 * Events in the order in which they became certain. Ids are given out before transactions commit, so a cursor over ids
 * alone would pass over whatever commits late. Read are only rows of transactions older than every one of this database
 * that still runs: nothing can ever appear before the cursor (xid, id) again. The price is that one long transaction of
 * ours holds all events back until it ends.
 */
import type { Database, Tx } from "../database.ts";
import type { NewEvent } from "./record_event.ts";

export interface EventCursor {
  /** xid8 as text: it passes 2^53 in theory. */
  xid: string;
  id: number;
}
export interface EventRow extends EventCursor {
  projectId: string;
  topic: NewEvent["topic"];
  subjectId: string | null;
  deploymentId: string | null;
  kind: string;
  data: Record<string, unknown>;
  createdAt: string;
}

export const compareCursors = (a: EventCursor, b: EventCursor): number => {
  const [x, y] = [BigInt(a.xid), BigInt(b.xid)];
  return x < y ? -1 : x > y ? 1 : a.id - b.id;
};

/**
 * All events of transactions before this are there for the statements that follow; never for the one that asks, which
 * began before it was known. `boreas_settled_xid` (its migration says why it holds).
 */
export async function readSettled(sql: Database["sql"] | Tx): Promise<string> {
  const [row] = await sql<{ xid: string }[]>`select boreas_settled_xid()::text as xid`;
  return row!.xid;
}

/** Behind everything that is certain now: whatever is read after it happened later, or is still undecided. */
export async function presentCursor(db: Database): Promise<EventCursor> {
  return { xid: await readSettled(db.sql), id: 0 };
}

/** @param settled of `readSettled`, asked before */
export function readEvents(db: Database, after: EventCursor, limit: number, settled: string): Promise<EventRow[]> {
  return db.sql<EventRow[]>`
    select xid::text as xid, id, project_id, topic, subject_id, deployment_id, kind, data, created_at from event
    where (xid, id) > (${after.xid}::xid8, ${after.id}) and xid < ${settled}::xid8
    order by event.xid, event.id limit ${limit}`;
}

/** Whether committed events were left out of what was read up to there: they wait for an older transaction to end. */
export async function hasUndecidedEvents(db: Database, settled: string): Promise<boolean> {
  const [row] = await db.sql<{ waits: boolean }[]>`
    select exists (select from event where xid >= ${settled}::xid8) as waits`;
  return row!.waits;
}

/** How many events a reader is behind, counted up to `most`; -1 when its cursor is not of this database's past. */
export async function countEventsAfter(db: Database, after: EventCursor, most: number): Promise<number> {
  const [row] = await db.sql<{ behind: number }[]>`
    select case when ${after.xid}::xid8 > pg_snapshot_xmax(pg_current_snapshot()) then -1 else (
      select count(*)::int from (select from event where (xid, id) > (${after.xid}::xid8, ${after.id}) limit ${most}) e
    ) end as behind`;
  return row!.behind;
}

/** What happened to a deployment and its tasks, in order; the last `most`. */
export async function readTimeline(
  db: Database,
  projectId: string,
  deploymentId: string,
  most: number,
): Promise<EventRow[]> {
  const rows = await db.sql<EventRow[]>`
    select xid::text as xid, id, project_id, topic, subject_id, deployment_id, kind, data, created_at from event
    where deployment_id = ${deploymentId} and project_id = ${projectId} order by id desc limit ${most}`;
  return rows.reverse();
}
