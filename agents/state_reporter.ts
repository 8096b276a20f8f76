/**
 * Tells the master what runs here: all of it after a welcome, then only what changed.
 *
 *   resting --a scan's time | an operator saw a change | the master asks--> observing all -----------.
 *      | '---- a result was taken ----> observing what it was about --something is gone--> all ------|
 *      '<---- nothing new: nothing is sent <---- compared with what this connection was told --------'
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

/** One application on one target, as it was seen. */
interface Told {
  place: string;
  one: Observed;
  /** `one` as JSON. */
  text: string;
}

const keyOf = (one: Present) => `${one.environmentId}/${one.application}/`;
const placesOf = (seen: ReadonlyMap<string, Told>) => new Set(Array.from(seen.values(), ({ place }) => place));

export function createStateReporter(options: StateReporterOptions): StateReporter {
  const { operators, clock, logger, send } = options;
  /** What this connection was told; undefined before its first report. */
  let told: Map<string, Told> | undefined;
  /** Places that are told again even if they look the same; that nothing is there is told, too. */
  let doubted = new Set<string>();
  let isUp = false;
  let running = false;
  let again = false;
  let timer: { due: number; cancel(): void } | undefined;
  /** When all is looked at again, at the latest. */
  let allDue = -Infinity;
  let asked: string[] = [];
  const unsubscribe = operators.flatMap((operator) => operator.onChange?.(lookAtAll) ?? []);

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
  function lookAtAll() {
    allDue = -Infinity;
    wake(0);
  }

  async function look(): Promise<void> {
    running = true;
    again = false;
    const isDue = !told || clock.monotonic() >= allDue;
    if (isDue) allDue = clock.monotonic() + options.scanSeconds * 1000 * (0.75 + options.chance() / 2);
    const [requests, doubts] = [asked, doubted];
    [asked, doubted] = [[], new Set()];
    try {
      const some = isDue ? undefined : await observe(doubts);
      const all = some && !lacksAny(some, doubts) ? undefined : await observe();
      if (isUp) {
        if (all) tellAll(all, doubts);
        else tellSome(some!);
        for (const requestId of requests) send({ type: "state.report", observed: [], requestId });
      }
    } catch (error: unknown) {
      logger.log("ERROR", "What runs here could not be observed; trying again.", { error: String(error) });
      doubted = doubted.union(doubts);
    }
    running = false;
    wake(again ? REST_MS : Math.max(0, allDue - clock.monotonic()));
  }

  /** @param of these places; all without it */
  async function observe(of?: ReadonlySet<string>): Promise<Map<string, Told>> {
    const seen = new Map<string, Told>();
    const isWanted = of && ((place: Present) => of.has(keyOf(place)));
    for (const operator of operators) {
      for await (const one of operator.observe(isWanted)) {
        const place = keyOf(one);
        if (of && !of.has(place)) continue;
        const clipped = clipObserved(one);
        seen.set(place + one.target, { place, one: clipped, text: JSON.stringify(clipped) });
      }
    }
    return seen;
  }

  /** What is gone can only be told by naming all that is left. */
  function lacksAny(seen: ReadonlyMap<string, Told>, places: ReadonlySet<string>): boolean {
    if (!places.isSubsetOf(placesOf(seen))) return true;
    for (const [key, { place }] of told ?? []) if (places.has(place) && !seen.has(key)) return true;
    return false;
  }

  function tellSome(seen: ReadonlyMap<string, Told>) {
    if (!told) return; // another connection, which is told all
    for (const [key, one] of seen) told.set(key, one);
    for (const report of inMessages([...seen.values()])) send(report);
  }

  function tellAll(seen: Map<string, Told>, doubts: ReadonlySet<string>) {
    const before = told;
    told = seen;
    const news = [...seen].filter(([key, { place, text }]) => before?.get(key)?.text !== text || doubts.has(place));
    const hasLess = !before || [...before.keys()].some((key) => !seen.has(key)) || !doubts.isSubsetOf(placesOf(seen));
    const reports = inMessages(news.map(([, one]) => one));
    if (hasLess && seen.size <= MAX_PRESENT) {
      const present = [...seen.values()].map(({ one: { environmentId, application } }) => ({
        environmentId,
        application,
      }));
      if (reports.length === 0) reports.push({ type: "state.report", observed: [] });
      reports[reports.length - 1] = { ...reports.at(-1)!, present };
    }
    for (const report of reports) send(report);
  }

  return {
    connected() {
      isUp = true;
      told = undefined;
      allDue = -Infinity; // also when a look for the connection before is under way
      wake(options.chance() * FIRST_MS);
    },
    disconnected() {
      isUp = false;
      rest();
      asked = [];
    },
    look(about) {
      if (about) {
        doubted.add(keyOf(about));
        return wake(REST_MS); // a result says itself how it went, and rarely comes alone
      }
      told = undefined;
      lookAtAll();
    },
    answer(requestId) {
      if (!isUp) return;
      asked.push(requestId);
      lookAtAll();
    },
    stop() {
      isUp = false;
      rest();
      for (const off of unsubscribe) off();
    },
  };
}

function inMessages(told: readonly Told[]): Report[] {
  const reports: Report[] = [];
  let size = Infinity;
  for (const { one, text } of told) {
    if (size + text.length > MESSAGE_CHARACTERS || reports.at(-1)!.observed.length === MAX_OBSERVED) {
      reports.push({ type: "state.report", observed: [] });
      size = 0;
    }
    reports.at(-1)!.observed.push(one);
    size += text.length;
  }
  return reports;
}
