/**
 * One look of a trigger at a tick, at a deployment's end, or at somebody's wish:
 *
 *   waiting --which version--> filters --> place it --> fired (in the transaction of the deployment)
 *      |  not well yet: later          \--> not fired, with the sentence
 *
 * Whatever happens in between, the row waits until it is settled, and it is settled once.
 */
import { readPlaces } from "../../db/deployments/read_standing.ts";
import { findTrigger } from "../../db/triggers/read_triggers.ts";
import type { TriggerRow } from "../../db/triggers/read_triggers.ts";
import type { DueRun } from "../../db/triggers/due_runs.ts";
import { CANDIDATES, readCandidates, readClock, readStays } from "../../db/triggers/read_candidates.ts";
import { sentence } from "../../db/triggers/record_runs.ts";
import { postponeRun, settleRun } from "../../db/triggers/settle_run.ts";
import {
  afterSeconds,
  chooseVersion,
  defaultSelector,
  parseSelector,
  sayReverted,
} from "../../domain/choose_version.ts";
import type { Candidate } from "../../domain/choose_version.ts";
import { judgeSoak } from "../../domain/judge_soak.ts";
import { whyNotOrigin } from "../../domain/match_trigger.ts";
import { reason } from "../../domain/reason.ts";
import type { GitopsDeps } from "./deps.ts";
import { loadVersion } from "./load_version.ts";
import { placeVersion } from "./place_version.ts";

/** Whatever is older than so many is looked for by its name. */
const MOST_CANDIDATES = 20 * CANDIDATES;

type Choice = { id: string } | { why: string } | { waitSeconds: number; why: string };

export async function decideRun(deps: GitopsDeps, run: DueRun): Promise<void> {
  const trigger = run.triggerId === null ? undefined : await findTrigger(deps.db, run.triggerId);
  if (!trigger) return await refuse(deps, run, `the trigger ${run.trigger} was removed`);
  if (!trigger.enabled && !run.dryRun) return await refuse(deps, run, `${run.trigger} is switched off`);
  const choice = run.event === "deployment" ? await judgeEnd(deps, run, trigger) : await choose(deps, run, trigger);
  if ("waitSeconds" in choice) {
    const said = reason("trigger.soaking", { detail: sentence(choice.why) });
    return await postponeRun(deps.db, run.id, choice.waitSeconds, said);
  }
  if ("why" in choice) return await refuse(deps, run, choice.why);
  await place(deps, run, trigger, choice.id);
}

async function judgeEnd(deps: GitopsDeps, run: DueRun, trigger: TriggerRow): Promise<Choice> {
  const stay = (await readStays(deps.db, [run.causeDeploymentId!])).get(run.causeDeploymentId!);
  if (!stay || run.versionId === null) return { why: `the deployment to ${trigger.of} is not kept any more` };
  const now = await readClock(deps.db);
  const soak = judgeSoak(stay, afterSeconds(trigger), now);
  if (soak.kind === "well") return { id: run.versionId };
  return soak.kind === "no" ? { why: soak.why } : { why: soak.why, waitSeconds: soak.until - now };
}

async function choose(deps: GitopsDeps, run: DueRun, trigger: TriggerRow): Promise<Choice> {
  const text = run.wanted ?? defaultSelector(trigger.on, trigger);
  const selector = parseSelector(text);
  if (!selector) return { why: `"${text}" names no version; say latest, latest-verified:ENVIRONMENT, or a name` };
  if (selector.kind !== "name" && trigger.repositoryId === null) {
    return { why: `${run.trigger} belongs to no repository, so nobody can say which version is the latest; name one` };
  }
  const of = {
    repositoryId: trigger.repositoryId,
    ...(selector.kind === "name" && { name: selector.name }),
    ...(selector.kind === "verified" && { verifiedIn: selector.environment }),
  };
  const now = await readClock(deps.db);
  const candidates: Candidate[] = [];
  while (true) {
    // The newest may all be of other branches.
    const more = await readCandidates(deps.db, run.projectId, of, candidates.at(-1)?.id);
    candidates.push(...more);
    const chosen = chooseVersion(selector, trigger, candidates, now);
    if ("id" in chosen || more.length < CANDIDATES || candidates.length >= MOST_CANDIDATES) return chosen;
  }
}

async function place(deps: GitopsDeps, run: DueRun, trigger: TriggerRow, versionId: string): Promise<void> {
  const version = await loadVersion(deps, run.projectId, versionId);
  if (!version) return await refuse(deps, run, "the version was deleted");
  const no = (why: string) => refuse(deps, run, why, versionId);
  if (version.reverted !== null) return await no(sayReverted({ version: version.name, reverted: version.reverted }));
  const whyNot = whyNotOrigin(trigger, version.ref);
  if (whyNot !== undefined) return await no(whyNot);
  const there = (await readPlaces(deps.db, run.projectId, versionId)).find((p) => p.name === trigger.environment);
  if (!there) return await no(`there is no environment ${trigger.environment}`);
  const allowed = [...there.bound, ...there.free];
  const applications = allowed.filter((name) => trigger.applications?.includes(name) ?? true);
  if (applications.length === 0) return await no(sayNoApplications(version.name, trigger, allowed));
  const placed = await placeVersion(deps, version, {
    place: there,
    applications,
    start: trigger.start,
    actor: { name: run.actor, userId: run.actorId },
    ...(run.event === "api" && {
      starting: reason("deployment.starting_fired", { trigger: run.trigger, actor: run.actor }),
    }),
    origin: reason("deployment.created_by_trigger", { on: run.event, ref: version.name }),
    runId: run.id,
    again: run.event !== "deployment",
    dryRun: run.dryRun,
    ...(trigger.paths && { paths: trigger.paths }),
  });
  if ("why" in placed) return await no(placed.why);
  if (!("would" in placed)) return;
  const would = reason("trigger.would_fire", {
    version: version.name,
    environment: trigger.environment,
    applications: placed.would.applications.join(", "),
    detail: [START[trigger.start], ...placed.would.notes].join(" "),
  });
  await settleRun(deps, run.id, { fired: true, reason: would, versionId });
}

const START = {
  auto: "It would start by itself, once its environment's policy is met.",
  approve: "It would wait for approval.",
  manual: "It would wait for a person to start it.",
};

const sayNoApplications = (version: string, trigger: TriggerRow, allowed: readonly string[]) =>
  allowed.length === 0
    ? `no application of ${version} is bound to ${trigger.environment}`
    : `none of ${trigger.applications!.join(", ")} is an application of ${version} that goes to ${trigger.environment}`;

async function refuse(deps: GitopsDeps, run: DueRun, why: string, versionId?: string): Promise<void> {
  const said = reason("trigger.not_fired", { detail: sentence(why) });
  await settleRun(deps, run.id, { fired: false, reason: said, versionId });
}
