/**
 * The watcher of an upgrade: runs as the new version, out of the agent's reach, and ends with the upgrade.
 *
 *   plan on the disk --"confirmed" by the new agent--> done
 *                    --no verdict in time: "reverted"--> link back --> agent restarted --> done
 *
 * A crash anywhere: its supervisor, or the agent at its own start, starts it again, and it reads on. Its patience begins
 * anew with each start, for a machine that was off was not slow.
 */
import type { Clock, Logger } from "../../domain/ports.ts";
import type { UpgradeNotes, UpgradePlace } from "./upgrader.ts";

export interface WatchOptions {
  notes: UpgradeNotes;
  place: Pick<UpgradePlace, "switchTo">;
  /** Ends whatever runs as the agent; its supervisor starts what `current` names. */
  restartAgent(): Promise<void>;
  patienceMs: number;
  clock: Clock;
  logger: Logger;
}

const LOOK_MS = 500;

export async function watchUpgrade(options: WatchOptions): Promise<"over" | "confirmed" | "reverted"> {
  const { notes, clock, logger, patienceMs } = options;
  const beganAt = clock.monotonic();
  const first = await notes.readPlan();
  while (true) {
    const plan = await notes.readPlan();
    if (!plan || plan.id !== first?.id) return "over";
    let verdict = await notes.readVerdict();
    if (!verdict && clock.monotonic() - beganAt >= patienceMs) {
      verdict = await notes.decide({
        verdict: "reverted",
        reason: `${plan.to} was not welcomed by the master within ${patienceMs / 1000} s, so ${plan.from} runs again.`,
      });
      // Confirmed and put away in this very moment: then the verdict is about nothing.
      if (!await notes.readPlan()) return await notes.clear(), "over";
    }
    if (verdict?.verdict === "confirmed") return "confirmed";
    if (verdict) {
      logger.log("WARN", "The version before takes its place again.", { ...plan, why: verdict.reason });
      await options.place.switchTo(plan.from);
      await options.restartAgent();
      return "reverted";
    }
    await new Promise<void>((resolve) => clock.after(LOOK_MS, resolve));
  }
}
