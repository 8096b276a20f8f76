/**
 * What a commit says becomes a version, once, with its applications and bindings, in one transaction.
 *
 *   no version of this name   -> recorded
 *   one that CI posted first  -> completed with what the commit says (recorded, too)
 *   the same commit again     -> known; nothing changes
 *   another commit            -> moved: the name is taken (a tag that was moved)
 *
 * A crash before the commit leaves nothing; after it, the delivery carries the version's id and its next attempt goes on
 * with planning.
 */
import { AppError } from "../../domain/app_error.ts";
import { reason } from "../../domain/reason.ts";
import type { AppBuild } from "../../protocol/http_api.ts";
import { freezeDocument } from "../blobs/freeze_document.ts";
import type { Database, Tx } from "../database.ts";
import { recordEvents } from "../events/record_event.ts";
import type { Hints } from "../hints.ts";
import { inTransaction } from "../retry.ts";
import { addBuilds } from "./add_builds.ts";
import { archiveUndeclared } from "./archive_undeclared.ts";
import { declareApplications } from "./declare_applications.ts";
import { rollUpBuilds } from "./roll_up_builds.ts";
import type { VersionToRecord } from "./version_to_record.ts";
import { writeVersionApp } from "./write_version_app.ts";

export type RecordOutcome =
  | { kind: "recorded" | "known"; versionId: string; status: "normal" | "revert"; reason: { text: string } }
  | { kind: "moved"; commit: string | null }
  /** The delivery is somebody else's by now. */
  | { kind: "lost" };

export async function recordVersion(
  { db, hints }: { db: Database; hints: Hints },
  input: VersionToRecord,
): Promise<RecordOutcome> {
  const outcome = await inTransaction(db, (tx) => record(db, tx, input));
  if (outcome.kind === "recorded") {
    hints.announce("events");
    hints.announce("builds");
  }
  return outcome;
}

async function record(db: Database, tx: Tx, input: VersionToRecord): Promise<RecordOutcome> {
  const { repository, delivery } = input;
  const held = await tx`
    select id from delivery where id = ${delivery.id} and status = 'processing' and attempts = ${delivery.attempts}
    for update`;
  if (held.length === 0) return { kind: "lost" };
  const normal = reason("version.normal", { ref: input.ref });
  const [made] = await tx<{ id: string }[]>`
    insert into version (id, project_id, repository_id, repository, version, git_tag, git_commit, description, status,
      reason, builds, builds_reason, plan, created_by, author_email, seen_ref)
    values (${db.newId()}, ${repository.projectId}, ${repository.id}, ${repository.url}, ${input.name}, ${input.tag},
      ${input.commit}, ${input.description}, 'normal', ${tx.json(normal as never)}, 'ready',
      ${tx.json(reason("version.builds_ready") as never)}, ${tx.json((input.plan ?? {}) as never)}, ${input.createdBy},
      ${input.authorEmail ?? null}, ${input.ref})
    on conflict (project_id, repository, version) do nothing returning id`;
  const versionId = made?.id ?? await adoptPosted(tx, input);
  if (typeof versionId !== "string") return versionId;
  // An earlier attempt of this delivery recorded it and got no further.
  if (versionId === delivery.versionId) return { kind: "recorded", versionId, status: "normal", reason: normal };

  await tx`update delivery set version_id = ${versionId} where id = ${delivery.id}`;
  const ids = await declareApplications(db, tx, input);
  await archiveUndeclared(tx, input);
  for (const app of input.applications) {
    await writeVersionApp(tx, {
      versionId,
      applicationId: ids.get(app.document.name)!,
      projectId: repository.projectId,
      changed: app.changed,
      documentSha256: await freezeDocument(tx, app.document),
      pinned: app.pinned,
      bundle: app.bundle,
      late: app.late,
    });
  }
  if (made === undefined) {
    const [posted] = await tx<
      { appBuilds: Record<string, AppBuild> }[]
    >`select app_builds from version where id = ${versionId}`;
    await addBuilds(tx, { versionId, version: input.name, commit: input.commit }, posted!.appBuilds);
  }
  await rollUpBuilds(tx, versionId, "now");
  await recordEvents(tx, [{
    topic: "version",
    projectId: repository.projectId,
    subjectId: versionId,
    kind: "version.recorded",
    data: { name: input.name, reason: normal, commit: input.commit },
  }]);
  return { kind: "recorded", versionId, status: "normal", reason: normal };
}

/** There is a version of this name. @returns its id when CI posted it before the push arrived and nothing of it started */
async function adoptPosted(tx: Tx, input: VersionToRecord): Promise<string | RecordOutcome> {
  const { repository } = input;
  const [there] = await tx<
    {
      id: string;
      gitCommit: string | null;
      status: "normal" | "revert";
      reason: { text: string };
      lockedAt: string | null;
      fromGit: boolean;
    }[]
  >`
    select id, git_commit, status, reason, locked_at,
      exists (select 1 from delivery d where d.version_id = v.id) as from_git
    from version v where project_id = ${repository.projectId} and repository = ${repository.url}
      and version = ${input.name} for update of v`;
  if (!there) {
    throw new AppError("unavailable", "version.gone", "The version was deleted while it was recorded; try again.");
  }
  if (there.id === input.delivery.versionId) return there.id;
  if (there.gitCommit !== null && !input.commit.startsWith(there.gitCommit)) {
    return { kind: "moved", commit: there.gitCommit };
  }
  if (there.fromGit || there.lockedAt !== null || there.status === "revert") {
    // A master of the release before notes no ref. Only what was read from a commit knows its author or its Plan.
    await tx`update version set seen_ref = ${input.ref}
      where id = ${there.id} and seen_ref is null and (author_email is not null or plan <> '{}')`;
    return { kind: "known", versionId: there.id, status: there.status, reason: there.reason };
  }
  await tx`update version set git_commit = ${input.commit}, git_tag = coalesce(git_tag, ${input.tag}),
      repository_id = ${repository.id}, seen_ref = ${input.ref}, author_email = ${input.authorEmail ?? null}, plan = ${
    tx.json((input.plan ?? {}) as never)
  }, updated_at = boreas_now()
    where id = ${there.id}`;
  return there.id;
}
