/** A trigger is fired by the master that leads: whoever asked waits for its word, not long. */
import type { Hints } from "../../db/hints.ts";
import type { Clock } from "../../domain/ports.ts";
import type { TriggerRun } from "../../protocol/http_api.ts";
import { createWaiter } from "./waiter.ts";

const PATIENCE_MS = 8000;
const LOOK_MS = 1000;

/** @returns the run as it is when it is decided, or when patience ends */
export async function awaitRun(
  deps: { hints: Hints; clock: Clock; shutdown?: AbortSignal },
  read: () => Promise<TriggerRun>,
): Promise<TriggerRun> {
  const waiter = createWaiter(deps.clock);
  // Many events come at once; each read is one row by its key.
  const off = deps.hints.on("events", () => waiter.wakeSoon(50));
  deps.shutdown?.addEventListener("abort", waiter.close);
  const deadline = deps.clock.monotonic() + PATIENCE_MS;
  try {
    let run = await read();
    while (run.outcome === "waiting" && deps.clock.monotonic() < deadline && !waiter.closed) {
      await waiter.wait(LOOK_MS);
      run = await read();
    }
    return run;
  } finally {
    off();
    deps.shutdown?.removeEventListener("abort", waiter.close);
    waiter.close();
  }
}
