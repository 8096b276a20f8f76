/**
 * Which deployments a pushed version becomes. Run again for the same delivery it makes none twice: what each trigger said
 * is a row per trigger and delivery, and a deployment settles its row. So a crash in between costs nothing.
 */
import { hasDeployment, readPlaces } from "../../db/deployments/read_standing.ts";
import { readTriggersOf } from "../../db/triggers/read_triggers.ts";
import type { TriggerRow } from "../../db/triggers/read_triggers.ts";
import { recordRuns, sentence } from "../../db/triggers/record_runs.ts";
import { settleRun } from "../../db/triggers/settle_run.ts";
import { formatRef } from "../../domain/git_ref.ts";
import type { Ref } from "../../domain/git_ref.ts";
import { matchTriggers } from "../../domain/match_trigger.ts";
import type { Decision } from "../../domain/match_trigger.ts";
import { reason } from "../../domain/reason.ts";
import type { GitopsDeps } from "./deps.ts";
import { placeVersion } from "./place_version.ts";
import type { VersionToPlace } from "./place_version.ts";

export interface VersionToPlan extends VersionToPlace {
  repositoryId: string;
  commit: string;
  ref: Ref;
  defaultBranch: string;
  deliveryId: string;
  /** Paths that differ from the version before. */
  files: readonly string[] | undefined;
}

/** @returns sentences: what was not deployed, and why */
export async function planVersion(deps: GitopsDeps, version: VersionToPlan): Promise<string[]> {
  const triggers = await readTriggersOf(deps.db, version.projectId, version.repositoryId);
  const places = await readPlaces(deps.db, version.projectId, version.versionId);
  const notes: string[] = [];
  if (!decidePushes(triggers)) {
    for (const place of places) {
      if (place.status !== "active" || place.bound.length === 0) continue;
      if (await hasDeployment(deps.db, version.versionId, place.id)) continue;
      const applications = [...place.bound, ...place.free];
      const placed = await placeVersion(deps, version, {
        place,
        applications,
        start: "manual",
        actor: actorOf(version),
      });
      if ("why" in placed) notes.push(`${place.name}: ${placed.why}.`);
    }
    return notes;
  }
  const decisions = matchTriggers(triggers, version);
  const runs = await look(deps, version, decisions);
  const fired = decisions.filter((d) => d.why === undefined);
  if (fired.length === 0) notes.push(`No trigger of the Plan matches ${version.ref.kind} ${version.ref.name}.`);
  for (const { trigger } of fired) {
    const runId = runs.get(trigger.id);
    if (runId === undefined) continue; // an earlier attempt has settled it
    const why = await fire(deps, version, trigger, runId, places);
    if (why === undefined) continue;
    await settleRun(deps, runId, { fired: false, reason: reason("trigger.not_fired", { detail: sentence(why) }) });
    notes.push(`${trigger.environment}: ${why}.`);
  }
  return notes;
}

/** Where nothing is planned, those triggers that would have fired say so too. */
export async function refuseVersion(deps: GitopsDeps, version: VersionToPlan, why: string): Promise<void> {
  const triggers = await readTriggersOf(deps.db, version.projectId, version.repositoryId);
  await look(deps, version, matchTriggers(triggers, version).map((d) => ({ ...d, why: d.why ?? why })));
}

/** Without triggers that listen to pushes or tags, and without a file that has any, each new version is planned everywhere. */
const decidePushes = (triggers: readonly TriggerRow[]): boolean =>
  triggers.some((t) => t.source === "file" || t.on === "push" || t.on === "tag");

const look = (deps: GitopsDeps, version: VersionToPlan, decisions: readonly Decision<TriggerRow>[]) =>
  recordRuns(
    deps,
    { ...version, event: version.ref.kind === "tag" ? "tag" : "push" },
    decisions.map(({ trigger, why }) => ({
      triggerId: trigger.id,
      name: trigger.name,
      environment: trigger.environment,
      why,
    })),
  );

/** @returns why it made no deployment */
async function fire(
  deps: GitopsDeps,
  version: VersionToPlan,
  trigger: TriggerRow,
  runId: string,
  places: Awaited<ReturnType<typeof readPlaces>>,
): Promise<string | undefined> {
  const place = places.find((p) => p.name === trigger.environment);
  if (!place) return "there is no such environment";
  const applications = [...place.bound, ...place.free].filter((name) =>
    trigger.applications === undefined || trigger.applications.includes(name)
  );
  const placed = await placeVersion(deps, version, {
    place,
    applications,
    start: trigger.start,
    actor: actorOf(version),
    origin: reason("deployment.created_by_trigger", { on: trigger.on, ref: formatRef(version.ref) }),
    runId,
  });
  return "why" in placed ? placed.why : undefined;
}

const actorOf = ({ ref }: VersionToPlan) => ({ name: `${ref.kind === "tag" ? "tag" : "push"} trigger`, userId: null });
