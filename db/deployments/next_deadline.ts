import type { Database } from "../database.ts";

/**
 * Seconds until the next question answers itself, or the next rollback is over its time; at least one.
 * @param except deployments that are not looked at just now
 */
export async function nextDeadline(db: Database, except: readonly string[] = []): Promise<number | undefined> {
  const [next] = await db.sql<{ seconds: number | null }[]>`
    select extract(epoch from min(greatest(at, boreas_now() + interval '1 s')) - boreas_now())::float8 as seconds from (
      select id, ask_until as at from deployment where status = 'paused' and ask_until is not null
      union all select id, rollback_until from deployment where status = 'rolling_back' and rollback_until is not null
    ) due where id <> all(${[...except]}::uuid[])`;
  return next!.seconds ?? undefined;
}
