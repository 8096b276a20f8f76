import type { Database } from "../database.ts";
import { whenAsked } from "../retry.ts";

/**
 * Takes the lead when nobody has it or its time has run out, or renews one's own; by the database's clock alone.
 * @returns the term, which grows with every change of the holder; undefined while another holds it
 */
export async function takeLead(db: Database, holder: string, ttlSeconds: number): Promise<number | undefined> {
  const rows = await whenAsked(() =>
    db.sql<{ term: number }[]>`
    insert into leader as l (name, holder, term, elected_at, expires_at)
    values ('upkeep', ${holder}, 1, boreas_now(), boreas_now() + make_interval(secs => ${ttlSeconds}))
    on conflict (name) do update set holder = excluded.holder, expires_at = excluded.expires_at,
      term = case when l.holder = excluded.holder and l.expires_at > boreas_now() then l.term else l.term + 1 end,
      elected_at = case when l.holder = excluded.holder and l.expires_at > boreas_now() then l.elected_at else boreas_now() end
      where l.holder = excluded.holder or l.expires_at <= boreas_now()
    returning l.term`
  );
  return rows[0]?.term;
}

/** Ends exactly this term, so that another may begin; a lead that has passed on is left alone. */
export async function resignLead(db: Database, holder: string, term: number): Promise<void> {
  await db
    .sql`update leader set expires_at = boreas_now() where name = 'upkeep' and holder = ${holder} and term = ${term}`;
}
