import type { Database } from "../database.ts";
import type { RequestKey, StoredAnswer } from "./begin_request.ts";

export async function finishRequest(db: Database, request: RequestKey, answer: StoredAnswer): Promise<void> {
  await db.sql`
    update idempotency
    set status = ${answer.status}, body = ${answer.body === null ? null : db.sql.json(answer.body as never)}
    where project_id = ${request.projectId} and actor = ${request.caller} and key = ${request.key}
      and request_hash = ${request.requestHash}`;
}

/** Nothing was done for good: a repeat may try again. */
export async function forgetRequest(db: Database, request: RequestKey): Promise<void> {
  await db.sql`
    delete from idempotency
    where project_id = ${request.projectId} and actor = ${request.caller} and key = ${request.key} and status is null
      and request_hash = ${request.requestHash}`;
}

/** Rows that answer nobody any more. @returns how many went */
export async function deleteOldRequests(db: Database): Promise<number> {
  const gone = await db.sql`delete from idempotency where created_at < boreas_now() - interval '1 day'`;
  return gone.count;
}
