import { allArtifacts, sortArtifacts } from "../../protocol/config/artifacts.ts";
import type { ApplicationDocument } from "../../protocol/config_file.ts";
import type { AppBuild } from "../../protocol/http_api.ts";
import type { PinnedArtifact } from "../../protocol/operation.ts";
import type { Tx } from "../database.ts";
import { writeVersionApp } from "./write_version_app.ts";

/**
 * CI's word for applications that the version has: what is pinned stays pinned, the rest is looked at afresh.
 * @returns names that the version does not have
 */
export async function addBuilds(
  tx: Tx,
  version: { versionId: string; version: string; commit: string | null },
  builds: Readonly<Record<string, AppBuild>>,
): Promise<string[]> {
  const unknown: string[] = [];
  for (const [name, build] of Object.entries(builds)) {
    const [row] = await tx<
      {
        applicationId: string;
        projectId: string;
        changed: boolean;
        documentSha256: string;
        document: string;
        artifacts: Record<string, PinnedArtifact>;
        bundle: { sha256: string; size: number } | null;
      }[]
    >`
      select va.application_id, va.project_id, va.changed, va.document_sha256, f.content as document, va.artifacts, va.bundle
      from version_app va join application a on a.id = va.application_id
      join frozen_document f on f.sha256 = va.document_sha256
      where va.version_id = ${version.versionId} and a.name = ${name} for update of va`;
    if (!row) {
      unknown.push(name);
      continue;
    }
    const document = JSON.parse(row.document) as ApplicationDocument;
    const context = { application: name, version: version.version, commit: version.commit, build };
    const { pinned, late } = sortArtifacts(allArtifacts(document), context);
    const known = { ...row.artifacts, ...pinned };
    await writeVersionApp(tx, {
      versionId: version.versionId,
      applicationId: row.applicationId,
      projectId: row.projectId,
      changed: row.changed,
      documentSha256: row.documentSha256,
      pinned: known,
      bundle: row.bundle,
      late: late.filter((artifact) => known[artifact.name] === undefined),
    });
  }
  return unknown;
}
