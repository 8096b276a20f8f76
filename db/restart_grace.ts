/**
 * After a time without a master, what agents did not say is nobody's fault until they have had time to come back. A row
 * holds when somebody looked last and since when the grace runs, so it covers whichever master comes first:
 *
 *   no grace --nobody looked for too long | somebody begins--> grace --its end--> no grace
 *   grace    --nobody looked for too long--> a whole one anew: nobody at all was there to come back to
 *            --somebody begins--> longer by that, to twice its length in all: who begins again and again keeps nothing
 *                                 from its end
 */
import type { Database } from "./database.ts";

export interface GraceOptions {
  graceSeconds: number;
  /** Nobody was there when nobody looked for longer than this; absent when whoever looks was there all the time. */
  awaySeconds?: number | undefined;
  /** The first look of somebody who begins: agents of the one before may be on their way since its last. */
  isReturn?: boolean;
}

/** Notes this look, and says whether a grace is still on; by the database's clock alone. */
export async function isGrace(
  db: Database,
  row: "sweep" | "rollouts",
  { graceSeconds, awaySeconds, isReturn = false }: GraceOptions,
): Promise<boolean> {
  const grace = db.sql`make_interval(secs => ${graceSeconds})`;
  const until = db.sql`(setting.value ->> 'graceUntil')::timestamptz`;
  // Rows of a release that did not note it hold graces that were never made longer.
  const since = db.sql`coalesce((setting.value ->> 'graceSince')::timestamptz, ${until} - ${grace})`;
  const [noted] = await db.sql<{ grace: boolean }[]>`
    insert into setting (key, value, updated_at)
    values (${row}, jsonb_build_object('graceSince', boreas_now(), 'graceUntil', boreas_now() + ${grace}), boreas_now())
    on conflict (key) do update set updated_at = boreas_now(), value = case
      when setting.updated_at < boreas_now() - make_interval(secs => ${awaySeconds ?? null}::float8) then excluded.value
      when ${isReturn} and setting.updated_at >= ${until} then excluded.value -- the last look was without grace
      when ${isReturn} then jsonb_build_object('graceSince', ${since},
        'graceUntil', greatest(${until}, least(boreas_now() + ${grace}, ${since} + 2 * ${grace})))
      else setting.value end
    returning ${until} > boreas_now() as grace`;
  return noted!.grace;
}
