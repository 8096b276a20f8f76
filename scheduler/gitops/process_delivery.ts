/**
 * One delivery, from its ref to its deployments:
 *
 *   fetch -> read boreas.yaml at the commit -> check -> what changed -> freeze -> record the version -> plan deployments
 *
 * Every step may be done twice: fetching and freezing change nothing, recording is unique and leaves the version's id on
 * the delivery, planning looks for what it made before. So a crash anywhere costs one more attempt and nothing else. A
 * mistake in a file ends the delivery as failed, with file and line; what was recorded before stays as it is.
 */
import type { ClaimedDelivery } from "../../db/repositories/claim_delivery.ts";
import type { DeliveryEnd } from "../../db/repositories/finish_delivery.ts";
import { noteRepository } from "../../db/repositories/note_repository.ts";
import type { RepositoryRow } from "../../db/repositories/repository_row.ts";
import { findReverted } from "../../db/versions/read_history.ts";
import { documentHash } from "../../db/blobs/freeze_document.ts";
import { recordVersion } from "../../db/versions/record_version.ts";
import { sayPlan } from "../../domain/commit_status.ts";
import { AppError } from "../../domain/app_error.ts";
import { GitError } from "../../domain/git.ts";
import { versionName } from "../../domain/git_ref.ts";
import { reason } from "../../domain/reason.ts";
import { sayProblem } from "../../protocol/config_file.ts";
import type { ConfigProblem } from "../../protocol/config_file.ts";
import { DeliveryError } from "./deps.ts";
import type { GitopsDeps } from "./deps.ts";
import { keepTriggers } from "./keep_triggers.ts";
import { planVersion, refuseVersion } from "./plan_version.ts";
import type { VersionToPlan } from "./plan_version.ts";
import { findBase, prepareApplications } from "./prepare_version.ts";
import { readCommit } from "./read_commit.ts";
import { openRemote, readSource } from "./read_source.ts";

/** @returns how it ended, or undefined when the delivery is somebody else's by now. Throws what another attempt may mend. */
export async function processDelivery(
  deps: GitopsDeps,
  repository: RepositoryRow,
  delivery: ClaimedDelivery,
): Promise<DeliveryEnd | undefined> {
  try {
    return await work(deps, repository, delivery);
  } catch (error: unknown) {
    if (error instanceof DeliveryError) {
      const code = error.status === "failed" ? "delivery.failed" : "delivery.ignored";
      return { status: error.status, reason: reason(code, { detail: error.message }) };
    }
    if (error instanceof GitError) {
      await noteRepository(deps, repository, {
        reason: reason("repository.failed", { detail: error.message }),
        synced: false,
      });
      if (error.isTransient) throw error;
      return { status: "failed", reason: reason("delivery.failed", { detail: error.message }) };
    }
    if (error instanceof AppError && error.kind !== "unavailable") {
      return { status: "failed", reason: reason("delivery.failed", { detail: error.message }) };
    }
    throw error;
  }
}

async function work(
  deps: GitopsDeps,
  repository: RepositoryRow,
  delivery: ClaimedDelivery,
): Promise<DeliveryEnd | undefined> {
  const { git } = deps;
  const remote = await openRemote(deps.vault, repository);
  const source = await readSource(git, remote, repository, delivery);
  await noteRepository(deps, repository, { reason: reason("repository.ok", { ref: delivery.ref }), synced: true });
  deps.crashPoint("gitops.fetched");

  const { files, config, plan, problems } = await readCommit(deps, repository, source);
  if (problems.length > 0) return failWith(repository, source.commit, problems);
  await keepTriggers(deps, repository, source, plan);

  const name = versionName(source.ref, source.commit);
  const base = await findBase(deps, repository.id, source.commit, delivery.versionId);
  const of = { repositoryId: repository.id, files, name, commit: source.commit };
  const prepared = await prepareApplications(deps, of, config.applications, base);
  if (prepared.problems.length > 0) return failWith(repository, source.commit, prepared.problems);
  const reverted = await findReverted(deps.db, repository.id, source.commit);

  const recorded = await recordVersion(deps, {
    delivery,
    repository,
    name,
    ref: delivery.ref,
    tag: source.ref.kind === "tag" ? source.ref.name : null,
    commit: source.commit,
    description: source.info.subject,
    createdBy: source.info.author,
    authorEmail: source.info.authorEmail,
    plan,
    applications: prepared.applications,
    isDefaultBranch: source.isDefaultBranch,
    isNewest: source.isDefaultBranch && source.planCommit === source.commit,
  });
  deps.crashPoint("gitops.recorded");
  if (recorded.kind === "lost") return undefined;
  if (recorded.kind === "moved") {
    const detail = `Version ${name} stands at ${recorded.commit?.slice(0, 12)}, so it cannot also be ${
      source.commit.slice(0, 12)
    }; a version never moves, choose a new tag.`;
    return { status: "failed", reason: reason("delivery.failed", { detail }) };
  }
  const { versionId } = recorded;
  const version: VersionToPlan = {
    projectId: repository.projectId,
    repositoryId: repository.id,
    deliveryId: delivery.id,
    versionId,
    name,
    commit: source.commit,
    ref: source.ref,
    defaultBranch: repository.branch,
    plan,
    applications: config.applications.map(({ document }) => ({
      name: document.name,
      document: documentHash(document),
      source: document.source,
    })),
    files: base?.files,
  };
  if (reverted) {
    const detail = `commit ${
      source.commit.slice(0, 12)
    } is version ${reverted.version}, which is marked as reverted. ${reverted.reason.text}`;
    await refuseVersion(deps, version, detail);
    const says = { commit: source.commit, saying: sayPlan(`/versions/${versionId}`, { kind: "reverted" }) };
    return { status: "processed", reason: reason("delivery.reverted_version", { detail }), versionId, says };
  }
  if (recorded.kind === "known") {
    await refuseVersion(deps, version, `version ${name} was recorded before, so nothing is new`);
    return { status: "processed", reason: reason("delivery.known_version", { version: name }), versionId };
  }
  const notes = await planVersion(deps, version);
  const said = notes.length === 0
    ? reason("delivery.processed", { version: name })
    : reason("delivery.processed_with_notes", { version: name, notes: notes.join(" ") });
  const saying = sayPlan(`/versions/${versionId}`, { kind: "recorded", version: name });
  return { status: "processed", reason: said, versionId, says: { commit: source.commit, saying } };
}

const MAX_PROBLEMS = 100;
function failWith({ id }: RepositoryRow, commit: string, found: readonly ConfigProblem[]): DeliveryEnd {
  const problems = [...found].sort((a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : a.line - b.line));
  const first = sayProblem(problems[0]!);
  const more = problems.length > 1 ? `, and ${problems.length - 1} more` : "";
  return {
    status: "failed",
    reason: reason("delivery.failed", { detail: `${first}${more}.` }),
    problems: problems.slice(0, MAX_PROBLEMS),
    says: {
      commit,
      saying: sayPlan(`/repositories/${id}`, { kind: "mistaken", ...problems[0]!, count: problems.length }),
    },
  };
}
