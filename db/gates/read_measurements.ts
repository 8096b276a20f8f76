import type { Measurement } from "../../protocol/http_api.ts";
import type { Database } from "../database.ts";

/** Newest first. @param before only those with a smaller number */
export async function readMeasurements(
  db: Database,
  taskId: string,
  { limit, before = null }: { limit: number; before?: number | null },
): Promise<Measurement[]> {
  return await db.sql<Measurement[]>`
    select number, at, value, verdict, note from measurement
    where task_id = ${taskId} and (${before}::int is null or number < ${before}::int) order by number desc limit ${limit}`;
}
