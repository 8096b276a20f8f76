/** What a new version is compared with. */
import type { Builds } from "./roll_up_builds.ts";
import type { PinnedArtifact } from "../../protocol/operation.ts";
import type { Database } from "../database.ts";

export interface PastVersion {
  id: string;
  version: string;
  gitCommit: string;
}

/** Newest first. Another ref at the same commit is the nearest base there is. */
export async function recentVersions(
  db: Database,
  repositoryId: string,
  except: string | null,
): Promise<PastVersion[]> {
  return await db.sql<PastVersion[]>`
    select id, version, git_commit from version
    where repository_id = ${repositoryId} and git_commit is not null and (${except}::uuid is null or id <> ${except}::uuid)
    order by id desc limit 100`;
}

export interface PastApp {
  application: string;
  documentSha256: string;
  artifacts: Record<string, PinnedArtifact>;
  bundle: { sha256: string; size: number } | null;
  builds: Builds;
}
export async function readVersionApps(db: Database, versionId: string): Promise<PastApp[]> {
  return await db.sql<PastApp[]>`
    select a.name as application, va.document_sha256, va.artifacts, va.bundle, va.builds
    from version_app va join application a on a.id = va.application_id where va.version_id = ${versionId}`;
}

/** A version of this commit that somebody or a rollback marked as bad. */
export async function findReverted(
  db: Database,
  repositoryId: string,
  commit: string,
): Promise<{ version: string; reason: { text: string } } | undefined> {
  const [row] = await db.sql<{ version: string; reason: { text: string } }[]>`
    select version, reason from version
    where repository_id = ${repositoryId} and git_commit = ${commit} and status = 'revert' order by id desc limit 1`;
  return row;
}
