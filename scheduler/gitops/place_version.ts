/**
 * One version to one environment, as a trigger wants it: looked at in full, then made a deployment, or answered with the
 * reason why not. Every trigger comes through here, whatever fired it; the policy of the environment is checked by those
 * who write deployments, so none of them can pass it by.
 */
import { createDeployment } from "../../db/deployments/create_deployment.ts";
import type { DeploymentInput } from "../../db/deployments/create_deployment.ts";
import { previewDeployment } from "../../db/deployments/preview_deployment.ts";
import { findDeployment, readStanding } from "../../db/deployments/read_standing.ts";
import type { PlaceForVersion, Standing } from "../../db/deployments/read_standing.ts";
import { supersedeOlder } from "../../db/deployments/supersede_deployments.ts";
import { systemActor } from "../../db/database.ts";
import { readVersionApps } from "../../db/versions/read_history.ts";
import type { RecordedVersion } from "../../db/versions/read_recorded.ts";
import { AppError } from "../../domain/app_error.ts";
import { stricter } from "../../domain/concurrency.ts";
import { relate, whyNotOver } from "../../domain/compare_versions.ts";
import { detectChanges } from "../../domain/detect_changes.ts";
import { whyNotPaths } from "../../domain/match_trigger.ts";
import type { Reason } from "../../domain/reason.ts";
import type { TriggerStart } from "../../domain/trigger.ts";
import type { GitopsDeps } from "./deps.ts";

/** `plan` is null where the default branch has none. */
export type VersionToPlace = Omit<RecordedVersion, "reverted" | "plan"> & { plan: RecordedVersion["plan"] | null };
export interface Wish {
  place: PlaceForVersion;
  /** Its own applications, and those that may go everywhere when any may. */
  applications: readonly string[];
  start: TriggerStart;
  /** Who makes the deployment; a person, or a person's token, where one fired the trigger. */
  actor: { name: string; userId: string | null };
  /** What a deployment that starts by itself says first. */
  starting?: Reason;
  origin?: Reason;
  /** What is settled with the deployment, in one transaction. */
  runId?: string;
  /** Compared with what runs there; undefined when the push itself was compared already. */
  paths?: readonly string[];
  /** A clock or a person asks: what was deployed there before may go again, unless it runs there. */
  again?: boolean;
  dryRun?: boolean;
}
export type Placed =
  | { deploymentId: string }
  | { would: { applications: string[]; notes: string[] } }
  | { why: string };

export async function placeVersion(deps: GitopsDeps, version: VersionToPlace, wish: Wish): Promise<Placed> {
  const { db } = deps;
  const { place } = wish;
  const before = await findDeployment(db, version.versionId, place.id, { open: wish.again === true });
  if (before) {
    return {
      why: wish.again
        ? `a deployment of ${version.name} is ${before.status.replaceAll("_", " ")} there already`
        : `a deployment of ${version.name} was made there before`,
    };
  }
  const standing = await readStanding(db, place.id, wish.applications);
  const older = await whyNotHere(deps, version, standing);
  if (older !== undefined) return { why: older };
  const untouched = await whyUntouched(deps, version, wish.paths, standing);
  if (untouched !== undefined) return { why: untouched };
  const applications = await chooseApplications(deps, version, wish.applications, standing);
  if (applications.length === 0) {
    const all = standing.filter((s) => s.how === "runs");
    const runsHere = all.length > 0 && all.every((s) => s.versionId === version.versionId);
    return {
      why: wish.again && runsHere
        ? `nothing to do: ${place.name} runs ${version.name} already`
        : "no application that is bound to it changed",
    };
  }
  const input: DeploymentInput = {
    versionId: version.versionId,
    environmentId: place.id,
    applications,
    manualApproval: wish.start === "approve",
    autoStart: wish.start !== "manual",
    ...(wish.origin && { origin: wish.origin }),
    ...(wish.starting && { starting: wish.starting }),
    ...(wish.runId && { triggerRunId: wish.runId }),
  };
  const actor = { ...systemActor(wish.actor.name, version.projectId), userId: wish.actor.userId };
  try {
    if (wish.dryRun) return { would: { applications, notes: (await previewDeployment(deps, input, actor)).warnings } };
    const deploymentId = await createDeployment(deps, input, actor);
    await supersede(deps, version, place);
    return { deploymentId };
  } catch (error: unknown) {
    // A refusal (policy, missing operator, nothing to run) is an answer; a database that is away is not.
    if (!(error instanceof AppError) || error.kind === "unavailable") throw error;
    return { why: error.message.replace(/\.$/, "") };
  }
}

/** Newer contains older, unless the Plan or the environment says how: then that is done where deployments are made. */
async function supersede(deps: GitopsDeps, version: VersionToPlace, place: PlaceForVersion): Promise<void> {
  const { repositoryId, versionId } = version;
  if (repositoryId === null || stricter(version.plan?.concurrency, place.concurrency ?? undefined)) return;
  await supersedeOlder(deps, { environmentId: place.id, versionId, repositoryId });
}

/** No trigger puts an older or diverged version over what is there or on its way; nor an older plan beside a newer one. */
async function whyNotHere(
  { git }: GitopsDeps,
  version: VersionToPlace,
  standing: readonly Standing[],
): Promise<string | undefined> {
  const { repositoryId: id, commit } = version;
  if (id === null || commit === null) return undefined;
  const seen = new Set<string>();
  for (const there of standing) {
    if (there.repositoryId !== id || there.commit === null) continue;
    if (there.versionId === version.versionId || seen.has(`${there.versionId} ${there.how}`)) continue;
    seen.add(`${there.versionId} ${there.how}`);
    const relation = relate({
      candidateCommit: commit,
      currentCommit: there.commit,
      candidateContainsCurrent: await git.isAncestor(id, there.commit, commit),
      currentContainsCandidate: await git.isAncestor(id, commit, there.commit),
    });
    if (relation === "diverged" && there.how === "planned") continue;
    const why = whyNotOver(relation, version.name, there.version);
    if (why !== undefined) return why;
  }
  return undefined;
}

/** Of a version that no push brought: what its files differ in from what runs there. */
async function whyUntouched(
  deps: GitopsDeps,
  version: VersionToPlace,
  paths: readonly string[] | undefined,
  standing: readonly Standing[],
): Promise<string | undefined> {
  if (paths === undefined) return undefined;
  const seen = new Set<string>();
  let why: string | undefined;
  for (const there of standing) {
    if (there.how !== "runs" || seen.has(there.versionId)) continue;
    seen.add(there.versionId);
    why = whyNotPaths({ paths }, await diffWith(deps, version, there));
    if (why === undefined) return undefined;
    why = `${why} since ${there.version}, which runs there`;
  }
  return why;
}

/** What the mirror does not know cannot be compared: then everything counts as changed. */
async function diffWith(
  { git }: GitopsDeps,
  version: VersionToPlace,
  there: Standing,
): Promise<string[] | undefined> {
  const { repositoryId: id, commit } = version;
  if (id === null || commit === null || there.repositoryId !== id || there.commit === null) return undefined;
  const base = await git.resolve(id, there.commit);
  if (base === undefined || await git.resolve(id, commit) === undefined) return undefined;
  return await git.diffNames(id, base, commit);
}

/**
 * What differs from what runs there, not only what this push changed: the push before may have been superseded, refused
 * or rolled back, and its changes are part of this version.
 */
async function chooseApplications(
  deps: GitopsDeps,
  version: VersionToPlace,
  allowed: readonly string[],
  standing: readonly Standing[],
): Promise<string[]> {
  const chosen = new Set<string>();
  const candidates = version.applications.filter((app) => allowed.includes(app.name));
  const compared = new Map<string, Set<string>>();
  for (const app of candidates) {
    const running = standing.filter((s) => s.application === app.name && s.how === "runs");
    if (running.length === 0) chosen.add(app.name);
    for (const there of running) {
      if (!compared.has(there.versionId)) compared.set(there.versionId, await changedSince(there));
      if (compared.get(there.versionId)!.has(app.name)) chosen.add(app.name);
    }
  }
  return [...chosen].sort();

  async function changedSince(there: Standing): Promise<Set<string>> {
    if (there.versionId === version.versionId) return new Set();
    const files = await diffWith(deps, version, there);
    const before = new Map(
      (await readVersionApps(deps.db, there.versionId)).map((a) => [a.application, a.documentSha256]),
    );
    return detectChanges(candidates, files, before);
  }
}
