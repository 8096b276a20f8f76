import type { Delivery } from "../../protocol/http_api.ts";
import type { Database } from "../database.ts";

/** Newest first, up to limit + 1. */
export async function listDeliveries(
  db: Database,
  projectId: string,
  filter: { repositoryId: string; id?: string; status?: string; limit: number; after?: string },
): Promise<Delivery[]> {
  const { repositoryId, id = null, status = null, limit, after = null } = filter;
  return await db.sql<Delivery[]>`
    select id, repository_id, delivery_key, source, event, ref, commit, pull, status, reason, problems, version_id, attempts,
      received_at, processed_at
    from delivery
    where project_id = ${projectId} and repository_id = ${repositoryId} and (${id}::uuid is null or id = ${id}::uuid)
      and (${status}::text is null or status = ${status}::text) and (${after}::uuid is null or id < ${after}::uuid)
    order by id desc limit ${limit + 1}`;
}
