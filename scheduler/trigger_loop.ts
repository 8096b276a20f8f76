/**
 * Fires what no push fires: the clock, the end of a deployment, a call.
 *
 *   cron: next_due_at reached -------------.
 *   a deployment ended ---------------------+--> a run that waits --(its soak is over)--> decided: fired | not fired
 *   POST /triggers/:id/fire ---------------'
 *
 * Runs of one repository are decided one after the other, because its commits may have to be fetched; those of others go
 * on beside it. Everything is a row, and every time is the database's: a crash or a restart anywhere leaves a run that waits, and the
 * next leader goes on with it. Of two leaders, for the moment that there may be two, one makes the deployment.
 */
import { createAside } from "../db/aside.ts";
import { claimTicks } from "../db/triggers/claim_ticks.ts";
import { endAbandoned, nextDueSeconds, readDueLines, readDueRuns } from "../db/triggers/due_runs.ts";
import type { DueRun } from "../db/triggers/due_runs.ts";
import { noteEnds } from "../db/triggers/note_ends.ts";
import { postponeRun } from "../db/triggers/settle_run.ts";
import { reason } from "../domain/reason.ts";
import { decideRun } from "./gitops/decide_run.ts";
import type { GitopsDeps } from "./gitops/deps.ts";
import { createLoop } from "./loop.ts";
import type { Loop } from "./loop.ts";
import { createPlaces } from "./places.ts";

const AT_ONCE = 20;
/** Repositories, and triggers that belong to none. */
const LINES = 8;
/** Events come in bursts, and each burst is one look. */
const REST_SECONDS = 0.5;
const SWEEP_SECONDS = 15;
/** After trouble that nobody can put into a sentence. */
const AGAIN_SECONDS = 30;

export function createTriggerLoop(deps: GitopsDeps): Loop {
  const run = createRunner(deps, () => loop.wake());
  const loop = createLoop({
    name: "trigger loop",
    sweepSeconds: SWEEP_SECONDS,
    restSeconds: REST_SECONDS,
    onlyLeader: deps.leadership,
    clock: deps.clock,
    logger: deps.logger,
    // The end of a deployment, a trigger that was made, changed or fired: each of them is an event.
    wokenBy: { hints: deps.hints, topic: "events" },
    run: run.look,
  });
  return {
    ...loop,
    async stop() {
      await loop.stop();
      await run.settled();
    },
  };
}

/** One look, to the end of all that it began. */
export async function runTriggers(deps: GitopsDeps): Promise<void> {
  const run = createRunner(deps, () => {});
  await run.look(() => true);
  await run.settled();
}

interface Runner {
  /** @returns seconds until there is more to do; undefined when nothing is waited for */
  look(isOn: () => boolean): Promise<number | undefined>;
  settled(): Promise<void>;
}

function createRunner(deps: GitopsDeps, onFree: () => void): Runner {
  const { db, logger } = deps;
  const parts = createAside(deps, "a part of the trigger loop");
  const ticks = createAside(deps, "the tick of a trigger");
  const lines = createAside(deps, "the triggers of a repository");
  const places = createPlaces({ most: LINES, share: 1, logger, what: "the triggers of a repository", onFree });

  async function workOff(line: string, isOn: () => boolean): Promise<void> {
    for (let due = await readDueRuns(db, line, AT_ONCE); due.length > 0 && isOn();) {
      for (const run of due) await decide(deps, run);
      due = due.length < AT_ONCE ? [] : await readDueRuns(db, line, AT_ONCE);
    }
  }
  return {
    async look(isOn) {
      const ticked = await parts.attempt("ticks", () => claimTicks(db, ticks));
      const ended = await parts.attempt("ends of deployments", () => noteEnds(db));
      const given = await parts.attempt("runs of deliveries", () => endAbandoned(db));
      if (ticked || ended || given) deps.hints.announce("events");
      const busy = () => [...places.full(), ...lines.ids()];
      const due = places.free() > 0 ? await readDueLines(db, places.free(), busy()) : [];
      for (const line of due) places.begin(line, async () => void await lines.attempt(line, () => workOff(line, isOn)));
      return places.free() > 0 ? await nextDueSeconds(db, busy(), ticks.ids()) : undefined;
    },
    settled: places.settled,
  };
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
