/**
 * One row per (who, key). It is written before the work and gets the answer afterwards.
 *
 *   absent --begin--> in progress --finish--> answered --a day--> absent
 *                         '--forget (5xx, 429)--> absent
 *
 * A crash leaves a row in progress. Nobody knows whether the work was done, so a repeat is told exactly that.
 */
import type { Database } from "../database.ts";

/** How long an answer is given again. */
const KEEP = "1 day";
/** No request takes longer; beyond it the first one died. */
const ABANDONED = "5 minutes";

export interface RequestKey {
  projectId: string;
  caller: string;
  key: string;
  /** SHA-256 of method, address and body. */
  requestHash: Uint8Array;
}
export interface StoredAnswer {
  status: number;
  /** null when the answer held a secret and was not kept. */
  body: { contentType: string; text: string } | null;
}
export type Begun =
  | { outcome: "first" }
  | { outcome: "mismatch" }
  | { outcome: "in_progress" }
  | { outcome: "abandoned" }
  | { outcome: "answered"; answer: StoredAnswer };

export async function beginRequest(db: Database, request: RequestKey): Promise<Begun> {
  const { projectId, caller, key, requestHash } = request;
  // One statement: of two that come at once, one inserts (or takes an outdated row over) and the other does not.
  const [first] = await db.sql`
    insert into idempotency (project_id, actor, key, request_hash)
    values (${projectId}, ${caller}, ${key}, ${requestHash})
    on conflict (project_id, actor, key) do update
      set request_hash = excluded.request_hash, status = null, body = null, created_at = boreas_now()
      where idempotency.created_at < boreas_now() - ${KEEP}::interval
    returning 1`;
  if (first) return { outcome: "first" };
  const [row] = await db.sql<{ same: boolean; status: number | null; body: StoredAnswer["body"]; old: boolean }[]>`
    select request_hash = ${requestHash} as same, status, body,
      created_at < boreas_now() - ${ABANDONED}::interval as old
    from idempotency where project_id = ${projectId} and actor = ${caller} and key = ${key}`;
  // Forgotten in this very moment: the other one failed, and the sender may try again.
  if (!row) return { outcome: "in_progress" };
  if (!row.same) return { outcome: "mismatch" };
  if (row.status === null) return { outcome: row.old ? "abandoned" : "in_progress" };
  return { outcome: "answered", answer: { status: row.status, body: row.body } };
}
