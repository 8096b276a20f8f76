/**
 * Tells the master what runs here: all of it after a welcome, then only what changed.
 *
 *   resting --a scan's time | an operator saw a change | a result was taken | the master asks--> observing
 *      ^                                                                                           |
 *      '---- nothing new: nothing is sent <---- compared with what this connection was told -------'
 *
 * One observation at a time; whoever asks meanwhile gets the next one. A crash leaves nothing: the next welcome begins
 * with all of it again.
 */
import type { Chance, Clock, Logger } from "../domain/ports.ts";
import type { Operator } from "../operators/operator.ts";
import type { FromAgent } from "../protocol/agent_messages.ts";
import { clipObserved, MAX_OBSERVED, MAX_PRESENT } from "../protocol/observed.ts";
import type { Observed, Present } from "../protocol/observed.ts";

export const SCAN_SECONDS = 60;
/** Between two observations: many causes at once are one. */
const REST_MS = 500;
/** After a welcome, at most: many agents come back at once, and the master has more urgent things to hear. */
const FIRST_MS = 2000;
/** Characters of one message, well within a frame. */
const MESSAGE_CHARACTERS = 200_000;

type Report = Extract<FromAgent, { type: "state.report" }>;

export interface StateReporterOptions {
  operators: readonly Operator[];
  clock: Clock;
  chance: Chance;
  logger: Logger;
  scanSeconds: number;
  send(report: Report): void;
}
export interface StateReporter {
  connected(): void;
  disconnected(): void;
  /** Look soon; `about`, or all, is told again even if it looks the same: the master has another idea of it by now. */
  look(about?: Present): void;
  /** The same, answered under this id also when nothing changed. */
  answer(requestId: string): void;
  stop(): void;
}

const keyOf = (one: Present) => `${one.environmentId}/${one.application}/`;

export function createStateReporter(options: StateReporterOptions): StateReporter {
  const { operators, clock, logger } = options;
  /** What this connection was told, as JSON; undefined before its first report. */
  let told: Map<string, string> | undefined;
  /** Places that are told again even if they look the same; that nothing is there is told, too. */
  let doubted = new Set<string>();
  let isUp = false;
  let running = false;
  let again = false;
  let timer: { due: number; cancel(): void } | undefined;
  let asked: string[] = [];
  const unsubscribe = operators.flatMap((operator) => operator.onChange?.(() => wake(0)) ?? []);

  /** An earlier time that is set already stands, so that who asks all the time does not put it off for ever. */
  function wake(inMs: number) {
    if (!isUp) return;
    if (running) return void (again = true);
    const due = clock.monotonic() + inMs;
    if (timer && timer.due <= due) return;
    timer?.cancel();
    timer = { due, ...at(inMs) };
  }
  function at(inMs: number): { cancel(): void } {
    const set = clock.after(inMs, () => {
      timer = undefined;
      void look();
    });
    return { cancel: () => set.cancel() };
  }
  function rest() {
    timer?.cancel();
    timer = undefined;
  }

  async function look(): Promise<void> {
    running = true;
    again = false;
    const requests = asked;
    asked = [];
    try {
      const seen = await observeAll();
      if (isUp) tell(seen, requests);
    } catch (error: unknown) {
      logger.log("ERROR", "What runs here could not be observed; trying again.", { error: String(error) });
    }
    running = false;
    if (again) wake(REST_MS);
    else wake(options.scanSeconds * 1000 * (0.75 + options.chance() / 2));
  }

  async function observeAll(): Promise<Map<string, Observed>> {
    const seen = new Map<string, Observed>();
    for (const operator of operators) {
      for await (const one of operator.observe()) seen.set(keyOf(one) + one.target, clipObserved(one));
    }
    return seen;
  }

  function tell(seen: ReadonlyMap<string, Observed>, requests: readonly string[]) {
    const [before, doubts] = [told, doubted];
    told = new Map();
    doubted = new Set();
    const news: Observed[] = [];
    for (const [key, one] of seen) {
      const text = JSON.stringify(one);
      told.set(key, text);
      if (before?.get(key) !== text || doubts.has(keyOf(one))) news.push(one);
    }
    const places = new Set([...seen.values()].map(keyOf));
    const hasLess = !before || [...before.keys()].some((key) => !seen.has(key)) || !doubts.isSubsetOf(places);
    const reports = inMessages(news);
    if (hasLess && seen.size <= MAX_PRESENT) {
      const present = [...seen.values()].map(({ environmentId, application }) => ({ environmentId, application }));
      if (reports.length === 0) reports.push({ type: "state.report", observed: [] });
      reports[reports.length - 1] = { ...reports.at(-1)!, present };
    }
    for (const report of reports) options.send(report);
    for (const requestId of requests) options.send({ type: "state.report", observed: [], requestId });
  }

  return {
    connected() {
      isUp = true;
      told = undefined;
      wake(options.chance() * FIRST_MS);
    },
    disconnected() {
      isUp = false;
      rest();
      asked = [];
    },
    look(about) {
      if (about) doubted.add(keyOf(about));
      else told = undefined;
      wake(about ? REST_MS : 0); // a result says itself how it went, and rarely comes alone
    },
    answer(requestId) {
      if (!isUp) return;
      asked.push(requestId);
      wake(0);
    },
    stop() {
      isUp = false;
      rest();
      for (const off of unsubscribe) off();
    },
  };
}

function inMessages(observed: readonly Observed[]): Report[] {
  const reports: Report[] = [];
  let size = Infinity;
  for (const one of observed) {
    const length = JSON.stringify(one).length;
    if (size + length > MESSAGE_CHARACTERS || reports.at(-1)!.observed.length === MAX_OBSERVED) {
      reports.push({ type: "state.report", observed: [] });
      size = 0;
    }
    reports.at(-1)!.observed.push(one);
    size += length;
  }
  return reports;
}
