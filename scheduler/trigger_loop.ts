/**
 * Fires what no push fires: the clock, the end of a deployment, a call.
 *
 *   cron: next_due_at reached -------------.
 *   a deployment ended ---------------------+--> a run that waits --(its soak is over)--> decided: fired | not fired
 *   POST /triggers/:id/fire ---------------'
 *
 * Everything is a row, and every time is the database's: a crash or a restart anywhere leaves a run that waits, and the
 * next leader goes on with it. Of two leaders, for the moment that there may be two, one makes the deployment.
 */
import { claimTicks } from "../db/triggers/claim_ticks.ts";
import { endAbandoned, nextDueSeconds, readDueRuns } from "../db/triggers/due_runs.ts";
import type { DueRun } from "../db/triggers/due_runs.ts";
import { noteEnds } from "../db/triggers/note_ends.ts";
import { postponeRun } from "../db/triggers/settle_run.ts";
import { reason } from "../domain/reason.ts";
import { decideRun } from "./gitops/decide_run.ts";
import type { GitopsDeps } from "./gitops/deps.ts";
import { createLoop } from "./loop.ts";
import type { Loop } from "./loop.ts";

const AT_ONCE = 20;
/** Events come in bursts, and each burst is one look. */
const REST_SECONDS = 0.5;
const SWEEP_SECONDS = 15;
/** After trouble that nobody can put into a sentence. */
const AGAIN_SECONDS = 30;

export function createTriggerLoop(deps: GitopsDeps): Loop {
  return createLoop({
    name: "trigger loop",
    sweepSeconds: SWEEP_SECONDS,
    restSeconds: REST_SECONDS,
    onlyLeader: deps.leadership,
    clock: deps.clock,
    logger: deps.logger,
    // The end of a deployment, a trigger that was made, changed or fired: each of them is an event.
    wokenBy: { hints: deps.hints, topic: "events" },
    run: (isOn) => runTriggers(deps, isOn),
  });
}

/** @returns seconds until there is more to do; undefined when nothing is waited for */
export async function runTriggers(deps: GitopsDeps, isOn: () => boolean = () => true): Promise<number | undefined> {
  const found = await claimTicks(deps.db) + await noteEnds(deps.db) + await endAbandoned(deps.db);
  if (found > 0) deps.hints.announce("events");
  for (let due = await readDueRuns(deps.db, AT_ONCE); due.length > 0 && isOn();) {
    for (const run of due) await decide(deps, run);
    due = due.length < AT_ONCE ? [] : await readDueRuns(deps.db, AT_ONCE);
  }
  return await nextDueSeconds(deps.db);
}

/** One that cannot be decided must not keep the others waiting. */
async function decide(deps: GitopsDeps, run: DueRun): Promise<void> {
  try {
    await decideRun(deps, run);
  } catch (error: unknown) {
    const detail = "Something unexpected happened, and the process log has it. It is tried again.";
    deps.logger.log("ERROR", "a trigger could not be decided", {
      runId: run.id,
      trigger: run.trigger,
      error: error instanceof Error ? error.stack : String(error),
    });
    await postponeRun(deps.db, run.id, AGAIN_SECONDS, reason("trigger.soaking", { detail }));
  }
}
