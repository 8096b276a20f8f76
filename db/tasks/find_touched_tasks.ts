import type { Database } from "../database.ts";

/**
 * The tasks that look different now that these have changed: themselves, the parents they add up to, and those that wait
 * for them.
 */
export async function findTouchedTasks(db: Database, ids: readonly string[]): Promise<string[]> {
  if (ids.length === 0) return [];
  const rows = await db.sql<{ id: string }[]>`
    with changed as (select id, parent_id from task where id = any(${[...ids]}::uuid[]))
    select id from changed
    union select parent_id from changed where parent_id is not null
    union select d.task_id from task_dependency d join changed c on d.depends_on = c.id join task t on t.id = d.task_id
      where t.state = 'blocked'`;
  return rows.map((r) => r.id);
}
