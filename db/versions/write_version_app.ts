import { reason } from "../../domain/reason.ts";
import type { LateArtifact } from "../../protocol/config/artifacts.ts";
import type { PinnedArtifact } from "../../protocol/operation.ts";
import { holdBlobs } from "../blobs/store_blob.ts";
import type { Tx } from "../database.ts";
import { sayWaiting } from "./roll_up_builds.ts";

export interface VersionApp {
  versionId: string;
  applicationId: string;
  projectId: string;
  changed: boolean;
  documentSha256: string;
  pinned: Record<string, PinnedArtifact>;
  bundle: { sha256: string; size: number } | null;
  late: readonly LateArtifact[];
}

/** One application of a version, with what is pinned and what is waited for. Replaces the row of an unfinished version. */
export async function writeVersionApp(tx: Tx, app: VersionApp): Promise<void> {
  const waits = app.late.length > 0;
  // The database's clock decides when to give up; the sentence repeats it.
  const seconds = waits ? Math.max(...app.late.map((late) => late.waitSeconds)) : null;
  const [clock] = await tx<{ until: string | null }[]>`
    select boreas_now() + make_interval(secs => ${seconds}) as until`;
  const said = waits
    ? sayWaiting({ what: app.late.map((late) => late.what).join(" and "), until: clock!.until!, checkedAt: "" })
    : reason("version.builds_ready");
  const blobs = Object.values(app.pinned).flatMap((pin) => pin.kind === "blob" ? [pin.sha256] : []);
  await holdBlobs(tx, [...blobs, ...(app.bundle ? [app.bundle.sha256] : [])]);
  await tx`
    insert into version_app (version_id, application_id, project_id, changed, document_sha256, artifacts, bundle, builds,
      builds_reason, wait_until)
    values (${app.versionId}, ${app.applicationId}, ${app.projectId}, ${app.changed}, ${app.documentSha256},
      ${tx.json(app.pinned as never)}, ${app.bundle === null ? null : tx.json(app.bundle as never)},
      ${waits ? "waiting" : "ready"}, ${tx.json(said as never)}, ${clock!.until})
    on conflict (version_id, application_id) do update set changed = excluded.changed,
      document_sha256 = excluded.document_sha256, artifacts = excluded.artifacts, bundle = excluded.bundle,
      builds = excluded.builds, builds_reason = excluded.builds_reason, wait_until = excluded.wait_until`;
}
