import { FINAL_STATES } from "../../domain/task_state.ts";
import type { Database } from "../database.ts";
import type { LogPosition } from "./read_log.ts";

export interface Follower extends LogPosition {
  taskId: string;
  /** Its end was seen. */
  isEnded: boolean;
}

/** The tasks whose log has something to say beyond these positions: bytes, another attempt, or its end. */
export async function findGrownLogs(db: Database, followers: readonly Follower[]): Promise<string[]> {
  if (followers.length === 0) return [];
  const rows = await db.sql<{ taskId: string }[]>`
    select f.task_id
    from unnest(${followers.map((f) => f.taskId)}::uuid[], ${followers.map((f) => f.attempt)}::int[],
      ${followers.map((f) => f.offset)}::bigint[], ${followers.map((f) => Number(f.isEnded))}::int[])
      as f(task_id, attempt, "offset", is_ended)
    join task t on t.id = f.task_id
    left join log_head h on h.task_id = f.task_id and h.attempt = f.attempt
    where coalesce(h.bytes, 0) > f."offset" or t.attempt > f.attempt
      or (f.is_ended = 0 and t.state = any(${FINAL_STATES}::text[]))`;
  return rows.map((r) => r.taskId);
}
