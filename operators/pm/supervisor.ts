/**
 * Keeps what was deployed running:
 *
 *   running --ended, policy says so--> waiting (1 s, 2 s, ... 60 s) --> running
 *   running --ended, policy says no, or too often--> given up (stays down until the next deploy)
 *
 * A program in a unit of its own is started again by systemd, agent or not; here that is only followed.
 *
 * Nothing of this is on disk but what `release.json` and the keeper hold: after a crash of the agent `keep` finds the
 * program, running or ended, and goes on from there. A deploy takes an application out with `release` before it touches it.
 */
import type { Clock, Logger } from "../../domain/ports.ts";
import { aborted, wait } from "../stopped.ts";
import type { AppFolder } from "./app_folder.ts";
import type { RunningRelease } from "./app_record.ts";
import { readStart, tagsOf } from "./app_record.ts";
import type { KeptProcess, Machine } from "./machine.ts";
import { readRestartPolicy, restartDelay, shouldRestart } from "./restart_policy.ts";
import { startSlot } from "./slots.ts";
import { stopProcess } from "./stop_process.ts";
import { followUnit } from "./units/follow_unit.ts";

interface Watched {
  folder: AppFolder;
  release: RunningRelease;
  kept: KeptProcess | undefined;
  restartsAt: number[];
  gaveUp: boolean;
  stop: AbortController;
  /** Settles when nobody starts anything for it any more. */
  over: Promise<void>;
}

export class Supervisor {
  readonly #apps = new Map<string, Watched>();

  constructor(private readonly parts: { machine: Machine; clock: Clock; logger: Logger }) {}

  /** From now on this release runs, also if it has to be started first. */
  async keep(folder: AppFolder, release: RunningRelease, kept?: KeptProcess): Promise<void> {
    await this.release(folder);
    if (release.slot === null) return;
    const { machine } = this.parts;
    const watched: Watched = {
      folder,
      release,
      kept: kept ?? await machine.adoptProcess(folder.run(release.slot)),
      restartsAt: [],
      gaveUp: false,
      stop: new AbortController(),
      over: Promise.resolve(),
    };
    this.#apps.set(folder.path, watched);
    watched.over = this.#supervise(watched).catch((error: unknown) => {
      watched.gaveUp = true;
      this.#log("ERROR", watched, "supervision ended by an error", { error: String(error) });
    });
  }

  /** The program that is watched now; undefined while it is down. */
  running(folder: AppFolder): KeptProcess | undefined {
    const kept = this.#apps.get(folder.path)?.kept;
    return kept?.hasEnded() ? undefined : kept;
  }

  describe(folder: AppFolder): { restarts: number; gaveUp: boolean } {
    const watched = this.#apps.get(folder.path);
    return { restarts: watched?.restartsAt.length ?? 0, gaveUp: watched?.gaveUp ?? false };
  }

  /** Stops watching; the program runs on. */
  async release(folder: AppFolder): Promise<void> {
    const watched = this.#apps.get(folder.path);
    if (!watched) return;
    this.#apps.delete(folder.path);
    watched.stop.abort();
    await watched.over;
    watched.kept?.forget();
  }

  async close(): Promise<void> {
    await Promise.all([...this.#apps.values()].map(({ folder }) => this.release(folder)));
  }

  async #supervise(watched: Watched): Promise<void> {
    const { machine, clock } = this.parts;
    const { release, folder, stop } = watched;
    const { runtime } = release.spec;
    const policy = readRestartPolicy(runtime.mode === "binary" ? runtime.restart : undefined);
    const stopped = aborted(stop.signal);
    while (true) {
      if (watched.kept) await Promise.race([watched.kept.ended, stopped]);
      if (stop.signal.aborted) return;
      // No code: the machine restarted under it. That is no fault of the program, but `never` is never.
      const code = watched.kept ? (await watched.kept.ended).code : null;
      const unit = (await readStart(machine, folder, release.slot!))?.unit;
      const followed = unit && await followUnit(machine, clock, unit, folder.run(release.slot!), stop.signal);
      if (stop.signal.aborted) return;
      if (followed && typeof followed === "object") {
        watched.kept = followed;
        watched.restartsAt = [...watched.restartsAt, clock.monotonic()].slice(-policy.count - 1);
        this.#log("WARN", watched, "application ended, and systemd started it again", { code, unit: unit!.name });
        continue;
      }
      if (followed === "failed" || (followed === "inactive" && code !== null && shouldRestart(policy, code))) {
        watched.gaveUp = true;
        const how = followed === "failed" ? "ended too often" : "was stopped on the machine";
        return this.#log("ERROR", watched, `application ${how} and stays down until the next deploy`, { code });
      }
      if (!shouldRestart(policy, code)) {
        watched.gaveUp = true;
        return this.#log("INFO", watched, "application ended and stays down, as its restart policy says", { code });
      }
      const now = clock.monotonic();
      const delay = restartDelay(policy, watched.restartsAt, now);
      if (delay === undefined) {
        watched.gaveUp = true;
        return this.#log("ERROR", watched, "application ended too often and stays down until the next deploy", {
          code,
        });
      }
      const isFirstStart = code === null && watched.restartsAt.length === 0;
      watched.restartsAt = [...watched.restartsAt.filter((at) => now - at < policy.windowMs), now];
      this.#log("WARN", watched, "application ended, starting it again", { code, delayMs: isFirstStart ? 0 : delay });
      if (!isFirstStart) await wait(clock, delay, stop.signal);
      if (stop.signal.aborted) return;
      try {
        await stopProcess(machine, clock, undefined, tagsOf(release), { graceSeconds: 1 });
        watched.kept = await startSlot(machine, folder, release.slot!);
      } catch (error: unknown) {
        watched.kept = undefined;
        this.#log("ERROR", watched, "application could not be started", { error: String(error) });
      }
    }
  }

  #log(level: "INFO" | "WARN" | "ERROR", watched: Watched, message: string, more: Record<string, unknown>): void {
    const { app, environment } = watched.folder;
    this.parts.logger.log(level, message, { app, environment, version: watched.release.version, ...more });
  }
}
