import type { EnrollmentToken } from "../../protocol/http_api.ts";
import type { Database } from "../database.ts";

export type EnrollmentTokenRow = Omit<EnrollmentToken, "environments"> & { environmentIds: string[] };

export const toEnrollmentToken = ({ environmentIds, ...row }: EnrollmentTokenRow): EnrollmentToken => ({
  ...row,
  environments: environmentIds,
});

/** Newest first, at most `limit`; spent and expired ones too, until they are deleted. */
export async function listEnrollmentTokens(
  db: Database,
  projectId: string,
  { before, limit }: { before?: string; limit: number },
): Promise<EnrollmentToken[]> {
  const rows = await db.sql<EnrollmentTokenRow[]>`
    select id, kind, uses_left, labels, environment_ids, approve_first, expires_at, created_by, created_at from enrollment_token
    where project_id = ${projectId} ${before ? db.sql`and id < ${before}` : db.sql``}
    order by id desc limit ${limit}`;
  return rows.map(toEnrollmentToken);
}
