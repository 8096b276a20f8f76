/**
 * Frozen documents and blobs to which nothing refers any more.
 *
 *   found (reads only) --> locked, still old? --> removed
 *
 * A new reference is only ever made by freezing (which makes a stale row young again, in the transaction that refers to
 * it or before it) or by copying a reference that is there. So what nobody refers to and what is still older than a day
 * when its lock is taken cannot have been referred to since it was found: whoever freezes at this very moment either
 * holds the row (it is skipped), or waits for us, finds nothing, and writes it anew.
 */
import type { Database } from "../database.ts";
import { inTransaction } from "../retry.ts";

/** Much longer than any transaction, and than the way from a stored blob to the version that names it. */
const OLD = "1 day";

/** At most `limit`, of documents first. */
export async function findUnusedDocuments(db: Database, limit: number): Promise<string[]> {
  const rows = await db.sql<{ sha256: string }[]>`
    select f.sha256 from frozen_document f
    where f.created_at < boreas_now() - ${OLD}::interval
      and not exists (select from version_app v where v.document_sha256 = f.sha256)
      and not exists (select from app_state s where s.spec_sha256 = f.sha256)
      and not exists (select from task t where t.spec_sha256 = f.sha256)
      and not exists (select from task t where t.payload -> 'previous' ->> 'specSha256' = f.sha256)
    limit ${limit}`;
  return rows.map((r) => r.sha256);
}

export async function removeDocuments(db: Database, sha256s: readonly string[]): Promise<number> {
  return await inTransaction(db, async (tx) =>
    (await tx`
      delete from frozen_document where sha256 in (
        select sha256 from frozen_document where sha256 = any(${[...sha256s]}::text[])
          and created_at < boreas_now() - ${OLD}::interval order by sha256 for update skip locked)`).count);
}

/** Named by versions, and by documents that are kept: whatever in them looks like a hash counts as one. */
export async function findUnusedBlobs(db: Database, limit: number): Promise<string[]> {
  const rows = await db.sql<{ sha256: string }[]>`
    with old as materialized (
      select sha256 from blob where created_at < boreas_now() - ${OLD}::interval
    ), named as (
      select m[1] as sha256 from version_app v cross join regexp_matches(v.artifacts::text || coalesce(v.bundle::text, ''), '[0-9a-f]{64}', 'g') m
      where exists (select from old)
      union
      select blob_sha256 from agent_runtime
      union
      select m[1] from frozen_document f cross join regexp_matches(f.content, '[0-9a-f]{64}', 'g') m where exists (select from old)
    )
    select sha256 from old except select sha256 from named limit ${limit}`;
  return rows.map((r) => r.sha256);
}

/** One at a time: a blob is up to 256 chunks. */
export async function removeBlob(db: Database, sha256: string): Promise<number> {
  return await inTransaction(db, async (tx) =>
    (await tx`
      delete from blob where sha256 in (
        select sha256 from blob where sha256 = ${sha256}
          and created_at < boreas_now() - ${OLD}::interval for update skip locked)`).count);
}
