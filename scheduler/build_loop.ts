/**
 * Looks for artifacts that were not built yet when their version was recorded.
 *
 *   waiting --there--> pinned --all of them--> ready   (deployments that waited go on)
 *      | ^                                   '--> failed (the wait of one is over; its deployments fail with that sentence)
 *      '-' looked for again in some seconds
 *
 * A look is claimed by moving the next one forward, so of several masters one looks, and a crash costs one look. Pins are
 * never replaced: a tag that moves later changes nothing.
 */
import { readRegistryLogin } from "../db/secrets/read_registry_login.ts";
import { settleBuilds } from "../db/deployments/settle_builds.ts";
import { claimBuilds, nextBuildSeconds, readEarlierApp } from "../db/versions/claim_builds.ts";
import type { WaitingApp } from "../db/versions/claim_builds.ts";
import { sayWaiting } from "../db/versions/roll_up_builds.ts";
import { writeBuilds } from "../db/versions/write_builds.ts";
import type { Finding } from "../db/versions/write_builds.ts";
import { reason } from "../domain/reason.ts";
import { allArtifacts, sortArtifacts } from "../protocol/config/artifacts.ts";
import type { LateArtifact } from "../protocol/config/artifacts.ts";
import type { PinnedArtifact } from "../protocol/operation.ts";
import type { GitopsDeps } from "./gitops/deps.ts";
import { findArtifact } from "./gitops/find_artifact.ts";
import { OutgoingError } from "./gitops/outgoing_http.ts";
import { createLoop } from "./loop.ts";
import type { Loop } from "./loop.ts";

const AT_ONCE = 8;
const DEFAULT_CHECK_SECONDS = 10;
const SHORTEST_SLEEP_SECONDS = 0.5;

export function createBuildLoop(deps: GitopsDeps): Loop {
  const every = deps.buildCheckSeconds ?? DEFAULT_CHECK_SECONDS;
  return createLoop({
    name: "build loop",
    sweepSeconds: deps.sweepSeconds,
    clock: deps.clock,
    logger: deps.logger,
    wokenBy: { hints: deps.hints, topic: "builds" },
    run: async (isOn) => {
      while (isOn()) {
        const waiting = await claimBuilds(deps.db, every, AT_ONCE);
        if (waiting.length === 0) break;
        const byVersion = Map.groupBy(waiting, (app) => app.versionId);
        await Promise.all([...byVersion].map(([versionId, apps]) => lookFor(deps, versionId, apps)));
      }
      const next = await nextBuildSeconds(deps.db);
      return next === undefined ? undefined : Math.max(SHORTEST_SLEEP_SECONDS, next);
    },
  });
}

async function lookFor(deps: GitopsDeps, versionId: string, apps: readonly WaitingApp[]): Promise<void> {
  const findings: Finding[] = [];
  for (const app of apps) findings.push(app.changed ? await lookOutside(deps, app) : await lookBack(deps, app));
  const result = await writeBuilds(deps, versionId, findings);
  if (!result?.changed) return;
  await settleBuilds(deps, versionId);
  deps.hints.announce("builds"); // later versions may wait for what this one has now
}

async function lookOutside(deps: GitopsDeps, app: WaitingApp): Promise<Finding> {
  const context = { application: app.application, version: app.version, commit: app.commit, build: app.build ?? {} };
  const { pinned, late } = sortArtifacts(allArtifacts(app.document), context);
  const found: Record<string, PinnedArtifact> = { ...pinned };
  const missing: { late: LateArtifact; trouble: string }[] = [];
  for (const artifact of late.filter(({ name }) => app.artifacts[name] === undefined)) {
    const [pin, trouble] = await look(deps, app, artifact);
    if (pin) found[artifact.name] = pin;
    else missing.push({ late: artifact, trouble });
  }
  return conclude(app, found, missing);
}

async function look(
  deps: GitopsDeps,
  { projectId, applicationId }: WaitingApp,
  artifact: LateArtifact,
): Promise<[PinnedArtifact | undefined, string]> {
  const readLogin = (name: string) =>
    readRegistryLogin(deps.db, deps.vault, { projectId, applicationId, name }, deps.secretSources);
  try {
    return [await findArtifact(deps, artifact, readLogin), ""];
  } catch (error: unknown) {
    if (!(error instanceof OutgoingError)) throw error;
    return [undefined, ` (${error.message})`];
  }
}

function conclude(
  app: WaitingApp,
  pinned: Record<string, PinnedArtifact>,
  missing: readonly { late: LateArtifact; trouble: string }[],
): Finding {
  const finding = { applicationId: app.applicationId, pinned };
  if (missing.length === 0) return { ...finding, builds: "ready", reason: reason("version.builds_ready") };
  const what = missing.map(({ late, trouble }) => late.what + trouble).join(" and ");
  if (app.isOver) {
    const detail = `${what} did not come in time; record a new version, or post its build and deploy again.`;
    return { ...finding, builds: "failed", reason: reason("version.builds_failed", { detail }) };
  }
  const said = sayWaiting({ what, until: app.waitUntil, checkedAt: app.claimedAt });
  return { ...finding, builds: "waiting", reason: said };
}

/** What did not change has what the version before it had, as soon as that one has it. */
async function lookBack(deps: GitopsDeps, app: WaitingApp): Promise<Finding> {
  const earlier = await readEarlierApp(deps.db, app);
  const finding = { applicationId: app.applicationId, pinned: earlier?.artifacts ?? {} };
  if (!earlier || earlier.builds === "failed") {
    const detail = `its artifacts are those of version ${earlier?.version ?? "before"}, which did not come.`;
    return { ...finding, builds: "failed", reason: reason("version.builds_failed", { detail }) };
  }
  if (earlier.builds === "ready") return { ...finding, builds: "ready", reason: earlier.buildsReason };
  return { ...finding, pinned: {}, builds: "waiting", reason: earlier.buildsReason };
}
