/**
 * Looks again and again at releases that ask to be watched (`healthy.watchAfter`), and tells at once when one turns bad:
 *
 *   released --its checks' own rhythm, for as long as it is watched--> then now and then, for as long as it is here
 *
 * One look at an application at a time; none while a task acts on it. Nothing is kept on disk: after a restart of the
 * agent every release is looked at anew.
 */
import { parseDuration } from "../../domain/duration.ts";
import type { Timer } from "../../domain/ports.ts";
import type { RenderedSpec } from "../../protocol/operation.ts";
import type { Observed } from "../operator.ts";
import type { AppFolder } from "./app_folder.ts";
import { readRecord } from "./app_record.ts";
import type { RunningRelease } from "./app_record.ts";
import { judgeHealth, UNJUDGED } from "./judge_health.ts";
import type { Judged } from "./judge_health.ts";
import { listApps, observeApp } from "./observe.ts";
import type { PmParts } from "./pm_parts.ts";

const EVERY_MS = 2000;
const SCRIPT_EVERY_MS = 5000;
/** When the time in which it is watched is over. */
const LATER_MS = 15_000;
const FALL = 3;
/** So long it is told at least that a release turned bad, also when the master was away just then. */
const HOLD_MS = 60_000;

interface Watched {
  folder: AppFolder;
  /** Which release it is: another one is judged anew. */
  release: string;
  since: number;
  judged: Judged;
  timer: Timer | undefined;
}

const releaseOf = ({ taskId, fence }: RunningRelease) => `${taskId} ${fence}`;

function rhythmOf({ health, runtime }: RenderedSpec): { everyMs: number; fall: number } {
  if (runtime.mode === "script") return { everyMs: SCRIPT_EVERY_MS, fall: FALL };
  const every = health.map((check) => parseDuration(check.every ?? "")).filter((s) => s !== undefined);
  return {
    everyMs: Math.max(250, Math.min(EVERY_MS, ...every.map((s) => s * 1000))),
    fall: Math.max(1, ...health.map((check) => check.fall ?? FALL)),
  };
}

export class HealthWatch {
  readonly #apps = new Map<string, Watched>();
  readonly #listeners = new Set<() => void>();
  #isOver = false;

  constructor(private readonly pm: PmParts, private readonly root: string) {}

  onChange(call: () => void): () => void {
    this.#listeners.add(call);
    return () => void this.#listeners.delete(call);
  }

  /** Takes up what is to be watched and lets go of what is not: at the start, and when a task has ended. */
  async refresh(): Promise<void> {
    for (const [folder, { current }] of await listApps(this.pm, this.root)) {
      if (this.#isOver) return;
      const known = this.#apps.get(folder.path);
      if (!current || current.spec.watchAfterSeconds <= 0) {
        known?.timer?.cancel();
        this.#apps.delete(folder.path);
      } else if (known?.release !== releaseOf(current)) {
        known?.timer?.cancel();
        const watched = {
          folder,
          release: releaseOf(current),
          since: this.pm.clock.monotonic(),
          judged: UNJUDGED,
          timer: undefined,
        };
        this.#apps.set(folder.path, watched);
        this.#later(watched, 0);
      }
    }
  }

  /** What was seen, with the judgement over it. */
  add(folder: AppFolder, seen: Observed): Observed {
    const bad = this.#apps.get(folder.path)?.judged.bad;
    return bad ? { ...seen, details: { ...seen.details, turnedBad: bad.why } } : seen;
  }

  close(): void {
    this.#isOver = true;
    for (const { timer } of this.#apps.values()) timer?.cancel();
    this.#apps.clear();
  }

  #later(watched: Watched, inMs: number): void {
    if (this.#isOver || this.#apps.get(watched.folder.path) !== watched) return;
    watched.timer = this.pm.clock.after(inMs, () => {
      this.#look(watched).then(
        (nextMs) => this.#later(watched, nextMs),
        (error: unknown) => {
          const { app, environment } = watched.folder;
          this.pm.logger.log("WARN", "a release could not be looked at", { app, environment, error: String(error) });
          this.#later(watched, LATER_MS);
        },
      );
    });
  }

  /** @returns when to look again, in milliseconds */
  async #look(watched: Watched): Promise<number> {
    const { pm } = this;
    const record = await readRecord(pm.machine, watched.folder);
    if (!record?.current || releaseOf(record.current) !== watched.release) return LATER_MS; // a task's end will refresh it
    const { spec } = record.current;
    const { everyMs, fall } = rhythmOf(spec);
    if (record.pending) return everyMs; // what acts on it looks itself
    const seen = await observeApp(pm, watched.folder, record);
    const now = pm.clock.monotonic();
    const holdMs = Math.max(HOLD_MS, spec.watchAfterSeconds * 1000);
    const before = watched.judged.bad;
    watched.judged = judgeHealth(watched.judged, seen, { fall, holdMs }, now);
    if (before?.why !== watched.judged.bad?.why) {
      const { app, environment } = watched.folder;
      const why = watched.judged.bad?.why;
      if (why) {
        pm.logger.log("WARN", "a release turned bad", { app, environment, version: record.current.version, why });
      }
      for (const call of this.#listeners) call();
    }
    return now - watched.since < spec.watchAfterSeconds * 1000 || watched.judged.bad
      ? everyMs
      : Math.max(everyMs, LATER_MS);
  }
}
