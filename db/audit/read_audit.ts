import type { Database } from "../database.ts";

export interface AuditFilter {
  actor?: string;
  /** `deployment.start`, or `deployment.` for all of a kind. */
  action?: string;
  /** `deployment:ID`. */
  target?: string;
  limit: number;
  after?: string;
}
export interface AuditRow {
  id: string;
  at: string;
  actor: string;
  action: string;
  target: string;
  detail: Record<string, unknown>;
  ip: string | null;
  hash: string | null;
}

/** Newest first, up to limit + 1. */
export async function listAudit(db: Database, projectId: string, filter: AuditFilter): Promise<AuditRow[]> {
  const { actor = null, action = null, target = null, limit, after = null } = filter;
  return await db.sql<AuditRow[]>`
    select id, created_at as at, actor, action, target, detail, ip, hash from audit
    where project_id = ${projectId}
      and (${actor}::text is null or actor = ${actor}::text)
      and (${action}::text is null or action = ${action}::text
        or (right(${action}::text, 1) = '.' and starts_with(action, ${action}::text)))
      and (${target}::text is null or target = ${target}::text)
      and (${after}::uuid is null or id < ${after}::uuid)
    order by id desc limit ${limit + 1}`;
}
