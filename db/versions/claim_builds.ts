import type { Reason } from "../../domain/reason.ts";
import type { ApplicationDocument } from "../../protocol/config_file.ts";
import type { AppBuild } from "../../protocol/http_api.ts";
import type { PinnedArtifact } from "../../protocol/operation.ts";
import type { Database } from "../database.ts";

/** An application whose artifacts are looked for. */
export interface WaitingApp {
  versionId: string;
  projectId: string;
  repositoryId: string | null;
  version: string;
  commit: string | null;
  applicationId: string;
  application: string;
  changed: boolean;
  documentSha256: string;
  document: ApplicationDocument;
  artifacts: Record<string, PinnedArtifact>;
  build: AppBuild | null;
  buildsReason: Reason;
  waitUntil: string;
  /** The database's clock says that the wait is over. */
  isOver: boolean;
  claimedAt: string;
}

/**
 * Takes versions whose next look is due, by moving that look forward: of several masters one looks, and one that dies in
 * the middle is followed by the next look.
 */
export async function claimBuilds(db: Database, everySeconds: number, limit: number): Promise<WaitingApp[]> {
  const versions = await db.sql<{ id: string }[]>`
    update version set builds_check_at = boreas_now() + make_interval(secs => ${everySeconds})
    where id in (select id from version where builds = 'waiting' and builds_check_at <= boreas_now()
      order by builds_check_at for no key update skip locked limit ${limit})
    returning id`;
  if (versions.length === 0) return [];
  const rows = await db.sql<(Omit<WaitingApp, "document"> & { document: string })[]>`
    select va.version_id, va.project_id, v.repository_id, v.version, v.git_commit as commit, va.application_id,
      a.name as application, va.changed, va.document_sha256, f.content as document, va.artifacts,
      v.app_builds -> a.name as build, va.builds_reason, va.wait_until,
      coalesce(va.wait_until <= boreas_now(), false) as is_over,
      boreas_now() as claimed_at
    from version_app va join version v on v.id = va.version_id join application a on a.id = va.application_id
    join frozen_document f on f.sha256 = va.document_sha256
    where va.version_id = any(${versions.map((v) => v.id)}::uuid[]) and va.builds = 'waiting'
    order by va.version_id, a.name`;
  return rows.map((row) => ({ ...row, document: JSON.parse(row.document) as ApplicationDocument }));
}

/** Seconds until the next look; undefined when nothing is waited for. */
export async function nextBuildSeconds(db: Database): Promise<number | undefined> {
  const [row] = await db.sql<{ seconds: number | null }[]>`
    select greatest(0, extract(epoch from min(builds_check_at) - boreas_now()))::float8 as seconds from version
    where builds = 'waiting'`;
  return row?.seconds ?? undefined;
}

/**
 * An application that did not change in this version has the artifacts of the version that changed it last.
 * @returns undefined when no earlier version of the repository has it
 */
export async function readEarlierApp(
  db: Database,
  app: { versionId: string; repositoryId: string | null; applicationId: string },
): Promise<
  {
    version: string;
    builds: "waiting" | "ready" | "failed";
    artifacts: Record<string, PinnedArtifact>;
    buildsReason: Reason;
    waitUntil: string | null;
  } | undefined
> {
  const [row] = await db.sql<
    {
      version: string;
      builds: "waiting" | "ready" | "failed";
      artifacts: Record<string, PinnedArtifact>;
      buildsReason: Reason;
      waitUntil: string | null;
    }[]
  >`
    select v.version, va.builds, va.artifacts, va.builds_reason, va.wait_until
    from version_app va join version v on v.id = va.version_id
    where va.application_id = ${app.applicationId} and v.repository_id = ${app.repositoryId} and va.changed
      and v.id < ${app.versionId}
    order by v.id desc limit 1`;
  return row;
}
