/**
 * Chains audit rows: each hash covers the row and the hash before it, so a row that is changed or removed later shows.
 * Rows are chained in the order in which they are sealed, not in which they were begun: a transaction that commits late
 * is simply sealed later. One sealer at a time, by advisory lock; a crash leaves rows unsealed for the next one.
 */
import { createHash } from "node:crypto";
import type { Sql } from "../client.ts";
import type { Database } from "../database.ts";

const LOCK = 4_017_352_002;
const BATCH = 500;

interface AuditRow {
  id: string;
  sequence: number;
  projectId: string;
  actor: string;
  action: string;
  target: string;
  detail: string;
  ip: string | null;
  createdAt: string;
  hash: string | null;
}

/** @returns how many rows were sealed */
export async function sealAudit(db: Database): Promise<number> {
  return await db.sql.begin(async (tx) => {
    const [mine] = await tx<{ locked: boolean }[]>`select pg_try_advisory_xact_lock(${LOCK}) as locked`;
    if (!mine!.locked) return 0;
    const rows = await tx<AuditRow[]>`
      select id, sequence, project_id, actor, action, target, detail::text as detail, ip, created_at
      from audit where seal_number is null order by sequence limit ${BATCH}`;
    if (rows.length === 0) return 0;
    const [last] = await tx<{ sealNumber: number; hash: string }[]>`
      select seal_number, hash from audit where seal_number is not null order by seal_number desc limit 1`;
    let hash = last?.hash ?? "";
    let number = last?.sealNumber ?? 0;
    const sealed = rows.map((row) => ({ id: row.id, number: ++number, hash: hash = hashOf(hash, row) }));
    await tx`update audit a set seal_number = s.number, hash = s.hash
      from jsonb_to_recordset(${tx.json(sealed)}) as s(id uuid, number bigint, hash text) where a.id = s.id`;
    return rows.length;
  });
}

/** @returns the place in the chain of the first row that does not fit; null when the chain is whole */
export async function findBrokenSeal(sql: Sql): Promise<number | null> {
  let hash = "";
  let expected = 1;
  const rows = sql<(AuditRow & { sealNumber: number })[]>`
    select id, sequence, project_id, actor, action, target, detail::text as detail, ip, created_at, hash, seal_number
    from audit where seal_number is not null order by seal_number`.cursor(500);
  for await (const batch of rows) {
    for (const row of batch) {
      hash = hashOf(hash, row);
      if (row.sealNumber !== expected || row.hash !== hash) return expected;
      expected++;
    }
  }
  return null;
}

const hashOf = (before: string, row: AuditRow): string =>
  createHash("sha256").update(JSON.stringify([
    before,
    row.id,
    row.sequence,
    row.projectId,
    row.actor,
    row.action,
    row.target,
    row.detail,
    row.ip,
    row.createdAt,
  ])).digest("hex");
