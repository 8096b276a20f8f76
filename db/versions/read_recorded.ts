import type { Comparable } from "../../domain/detect_changes.ts";
import { parseRef } from "../../domain/git_ref.ts";
import type { Ref } from "../../domain/git_ref.ts";
import type { PlanDocument } from "../../protocol/config_file.ts";
import type { Database } from "../database.ts";

export interface RecordedVersion {
  projectId: string;
  /** Null for one that CI named, of no registered repository. */
  repositoryId: string | null;
  versionId: string;
  name: string;
  commit: string | null;
  /** Where it was seen at the remote; null of one that was only posted. */
  ref: Ref | null;
  /** Why it is marked as bad; null while it is not. */
  reverted: string | null;
  plan: Partial<PlanDocument>;
  applications: Comparable[];
}

export async function readRecorded(db: Database, projectId: string, id: string): Promise<RecordedVersion | undefined> {
  const [row] = await db.sql<(Omit<RecordedVersion, "ref"> & { seenRef: string | null })[]>`
    select v.project_id, v.repository_id, v.id as version_id, v.version as name, v.git_commit as commit, v.seen_ref,
      case when v.status = 'revert' then v.reason ->> 'text' end as reverted, v.plan,
      coalesce((select jsonb_agg(jsonb_strip_nulls(jsonb_build_object('name', a.name, 'document', va.document_sha256,
          'source', f.content::jsonb -> 'source')) order by a.name)
        from version_app va join application a on a.id = va.application_id
          join frozen_document f on f.sha256 = va.document_sha256
        where va.version_id = v.id), '[]') as applications
    from version v where v.id = ${id} and v.project_id = ${projectId}`;
  if (!row) return undefined;
  const { seenRef, ...version } = row;
  return { ...version, ref: seenRef === null ? null : parseRef(seenRef) ?? null };
}
