import type { Database } from "../database.ts";

/** Seconds since any master last swept; null when none has yet. */
export async function readLastSweep(db: Database): Promise<number | null> {
  const [row] = await db.sql<{ seconds: number }[]>`
    select extract(epoch from boreas_now() - updated_at)::float8 as seconds from setting where key = 'sweep'`;
  return row?.seconds ?? null;
}
