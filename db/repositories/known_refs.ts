import type { Database } from "../database.ts";

/** Which of these (ref, commit) pairs a delivery or a version has spoken of already, as `ref commit`. */
export async function knownRefs(
  db: Database,
  repositoryId: string,
  pairs: readonly { ref: string; commit: string }[],
): Promise<Set<string>> {
  const rows = await db.sql<{ ref: string; commit: string }[]>`
    select p.ref, p.commit from unnest(${pairs.map((p) => p.ref)}::text[], ${pairs.map((p) => p.commit)}::text[])
      as p(ref, commit)
    where exists (select 1 from delivery d where d.repository_id = ${repositoryId} and d.ref = p.ref and d.commit = p.commit)`;
  return new Set(rows.map((row) => `${row.ref} ${row.commit}`));
}
