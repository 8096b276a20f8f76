/**
 * The shape of every loop here: woken by a hint, sweeps anyway, never runs twice at once, survives its own errors.
 *
 *   idle --wake | sweep--> running --done--> idle (or running again, when woken meanwhile; after its rest, if it has one)
 *
 * `stop` waits for the run that is under way. A crash leaves nothing: what a loop does is in the database.
 */
import type { Hints, HintTopic } from "../db/hints.ts";
import type { Clock, Logger, Timer } from "../domain/ports.ts";
import type { Leadership } from "./leadership.ts";

export interface Loop {
  start(): void;
  /** Look now. Cheap, and safe to call at any time. */
  wake(): void;
  stop(): Promise<void>;
}

export interface LoopOptions {
  name: string;
  sweepSeconds: number;
  clock: Clock;
  logger: Logger;
  /** After a run it stays still so long, however often it is woken: for work that many small causes ask for. */
  restSeconds?: number;
  /** Runs on the master that leads only. */
  onlyLeader?: Leadership;
  /** What wakes it; a loop that names none is woken by its owner. */
  wokenBy?: { hints: Hints; topic: HintTopic };
  /**
   * @param isOn false once it is asked to stop: a run that takes turns ends after the present one
   * @returns seconds until it wants to run again, when that is sooner than the sweep
   */
  run(isOn: () => boolean): Promise<number | void>;
}

export function createLoop(options: LoopOptions): Loop {
  let state: "new" | "on" | "off" = "new";
  let running: Promise<void> | undefined;
  let again = false;
  let resting = false;
  let timer: Timer | undefined;
  /** Failures in a row, so that trouble is said when it begins and when it is over, not at each turn. */
  let failures = 0;
  const unsubscribe: (() => void)[] = [];
  const rest = options.restSeconds ?? 0;

  const mayRun = () => options.onlyLeader?.isLeader() ?? true;
  const runOnce = async () => (mayRun() ? await options.run(() => state === "on") : undefined);
  const turn = async () => {
    let wait = options.sweepSeconds;
    do {
      again = false;
      try {
        const sooner = await runOnce();
        if (typeof sooner === "number") wait = Math.min(options.sweepSeconds, Math.max(0, sooner));
        if (failures > 0) options.logger.log("INFO", `${options.name} works again`, { failures });
        failures = 0;
      } catch (error: unknown) {
        failures++;
        if (failures === 1) {
          options.logger.log("ERROR", `${options.name} failed; it tries again`, {
            error: String(error),
            stack: (error as Error)?.stack,
          });
        }
        again = false;
      }
    } while (again && rest === 0 && state === "on");
    running = undefined;
    if (state !== "on") return;
    if (rest === 0) return void (timer = options.clock.after(wait * 1000, wake));
    const woken = again;
    resting = true;
    timer = options.clock.after(rest * 1000, () => {
      resting = false;
      if (woken || again) return wake();
      timer = options.clock.after(Math.max(0, wait - rest) * 1000, wake);
    });
  };
  const wake = () => {
    if (state !== "on") return;
    if (running || resting) return void (again = true);
    timer?.cancel();
    timer = undefined;
    running = turn();
  };
  return {
    start() {
      if (state === "on") return;
      state = "on";
      const { hints, topic } = options.wokenBy ?? {};
      if (hints && topic) unsubscribe.push(hints.on(topic, wake));
      if (options.onlyLeader) unsubscribe.push(options.onlyLeader.onGain(wake));
      wake();
    },
    wake,
    async stop() {
      state = "off";
      for (const off of unsubscribe.splice(0)) off();
      timer?.cancel();
      timer = undefined;
      await running;
    },
  };
}
