/**
 * Which deployments a version becomes. Run again for the same version it makes none twice, so a crash between recording
 * and planning costs nothing.
 */
import { createDeployment } from "../../db/deployments/create_deployment.ts";
import { hasDeployment, readPlaces, readStanding } from "../../db/deployments/read_standing.ts";
import type { PlaceForVersion, Standing } from "../../db/deployments/read_standing.ts";
import { supersedeOlder } from "../../db/deployments/supersede_deployments.ts";
import { systemActor } from "../../db/database.ts";
import { AppError } from "../../domain/app_error.ts";
import { relate, whyNotOver } from "../../domain/compare_versions.ts";
import { detectChanges } from "../../domain/detect_changes.ts";
import type { Comparable } from "../../domain/detect_changes.ts";
import { formatRef } from "../../domain/git_ref.ts";
import type { Ref } from "../../domain/git_ref.ts";
import { matchTriggers } from "../../domain/match_trigger.ts";
import type { Fired } from "../../domain/match_trigger.ts";
import { reason } from "../../domain/reason.ts";
import { readVersionApps } from "../../db/versions/read_history.ts";
import type { PlanDocument } from "../../protocol/config_file.ts";
import type { GitopsDeps } from "./deps.ts";

export interface VersionToPlan {
  projectId: string;
  repositoryId: string;
  versionId: string;
  name: string;
  commit: string;
  ref: Ref;
  defaultBranch: string;
  plan: PlanDocument | null;
  applications: Comparable[];
  /** Paths that differ from the version before. */
  files: readonly string[] | undefined;
}
interface Wanted extends Fired {
  place: PlaceForVersion;
  /** Its own applications, and those that may go everywhere when any may. */
  applications: readonly string[];
}

/** @returns sentences: what was not deployed, and why */
export async function planVersion(deps: GitopsDeps, version: VersionToPlan): Promise<string[]> {
  const notes: string[] = [];
  const places = await readPlaces(deps.db, version.projectId, version.versionId);
  for (const wanted of chooseEnvironments(version, places, notes)) {
    const note = await planOne(deps, version, wanted);
    if (note !== undefined) notes.push(`${wanted.environment}: ${note}.`);
  }
  return notes;
}

function chooseEnvironments(version: VersionToPlan, places: readonly PlaceForVersion[], notes: string[]): Wanted[] {
  const triggers = version.plan?.triggers ?? [];
  if (triggers.length === 0) {
    return places.filter((place) => place.status === "active" && place.bound.length > 0).map((place) => ({
      environment: place.name,
      start: "manual" as const,
      place,
      applications: [...place.bound, ...place.free],
    }));
  }
  const fired = matchTriggers(triggers, version);
  if (fired.length === 0) notes.push(`No trigger of the Plan matches ${version.ref.kind} ${version.ref.name}.`);
  return fired.flatMap((trigger): Wanted[] => {
    const place = places.find((p) => p.name === trigger.environment);
    if (!place) {
      notes.push(`${trigger.environment}: there is no such environment.`);
      return [];
    }
    const allowed = [...place.bound, ...place.free];
    const applications = allowed.filter((name) =>
      trigger.applications === undefined || trigger.applications.includes(name)
    );
    return [{ ...trigger, place, applications }];
  });
}

/** @returns why nothing was planned */
async function planOne(deps: GitopsDeps, version: VersionToPlan, wanted: Wanted): Promise<string | undefined> {
  const { db } = deps;
  const { place } = wanted;
  if (await hasDeployment(db, version.versionId, place.id)) return undefined;
  const standing = await readStanding(db, place.id, wanted.applications);
  const older = await whyNotHere(deps, version, standing);
  if (older !== undefined) return older;
  const applications = await chooseApplications(deps, version, wanted.applications, standing);
  if (applications.length === 0) return "no application that is bound to it changed";
  try {
    await createDeployment(deps, {
      versionId: version.versionId,
      environmentId: place.id,
      applications,
      manualApproval: wanted.start === "approve",
      autoStart: wanted.start !== "manual",
      ...((version.plan?.triggers ?? []).length > 0 && {
        origin: reason("deployment.created_by_trigger", {
          on: version.ref.kind === "tag" ? "tag" : "push",
          ref: formatRef(version.ref),
        }),
      }),
    }, systemActor(`${version.ref.kind === "tag" ? "tag" : "push"} trigger`, version.projectId));
  } catch (error: unknown) {
    // A refusal (policy, missing operator, nothing to run) is an answer; a database that is away is not.
    if (!(error instanceof AppError) || error.kind === "unavailable") throw error;
    return error.message.replace(/\.$/, "");
  }
  if (version.plan?.concurrency?.policy !== "queue") {
    await supersedeOlder(deps, {
      environmentId: place.id,
      versionId: version.versionId,
      repositoryId: version.repositoryId,
    });
  }
  return undefined;
}

/** No trigger puts an older or diverged version over what is there or on its way; nor an older plan beside a newer one. */
async function whyNotHere(
  { git }: GitopsDeps,
  version: VersionToPlan,
  standing: readonly Standing[],
): Promise<string | undefined> {
  const seen = new Set<string>();
  for (const there of standing) {
    if (there.repositoryId !== version.repositoryId || there.commit === null) continue;
    if (there.versionId === version.versionId || seen.has(`${there.versionId} ${there.how}`)) continue;
    seen.add(`${there.versionId} ${there.how}`);
    const relation = relate({
      candidateCommit: version.commit,
      currentCommit: there.commit,
      candidateContainsCurrent: await git.isAncestor(version.repositoryId, there.commit, version.commit),
      currentContainsCandidate: await git.isAncestor(version.repositoryId, version.commit, there.commit),
    });
    if (relation === "diverged" && there.how === "planned") continue;
    const why = whyNotOver(relation, version.name, there.version);
    if (why !== undefined) return why;
  }
  return undefined;
}

/**
 * What differs from what runs there, not only what this push changed: the push before may have been superseded, refused
 * or rolled back, and its changes are part of this version.
 */
async function chooseApplications(
  { db, git }: GitopsDeps,
  version: VersionToPlan,
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
    const id = version.repositoryId;
    const commit = there.repositoryId === id && there.commit !== null ? await git.resolve(id, there.commit) : undefined;
    // What the mirror does not know cannot be compared: then everything counts as changed.
    const files = commit === undefined ? undefined : await git.diffNames(id, commit, version.commit);
    const before = new Map((await readVersionApps(db, there.versionId)).map((a) => [a.application, a.documentSha256]));
    return detectChanges(candidates, files, before);
  }
}
