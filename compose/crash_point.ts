/** Ends the process at one named place, where a fault test asked for it (`BOREAS_CRASH_AT` with `BOREAS_TEST=1`). */
import type { CrashPoint } from "../domain/ports.ts";
import type { Env } from "./settings.ts";

/** As abrupt as KILL: nothing is flushed, no handler runs. */
export function readCrashPoint(env: Env): CrashPoint {
  const wanted = env("BOREAS_TEST") === "1" ? env("BOREAS_CRASH_AT") : undefined;
  return (name) => {
    if (name === wanted) Deno.exit(70);
  };
}
