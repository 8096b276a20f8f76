/**
 * How often a model test runs, and how a failure is seen again: the seed is printed before, the path after a failure.
 *   BOREAS_MODEL_RUNS=500   more runs
 *   BOREAS_MODEL_SHRINK=0   that there is a failure is all one wants to know
 *   BOREAS_SEED=… [BOREAS_PATH=… BOREAS_REPLAY=…]   the same run again, or only its smallest failing case
 */
import { firstSeed } from "./seed.ts";

export interface ModelRuns {
  numRuns: number;
  seed: number;
  path?: string;
  /** Leaves a failing case as long as it came. */
  endOnFailure?: boolean;
}

export function modelRuns(what: string, ordinary: number): ModelRuns {
  const seed = firstSeed();
  const path = Deno.env.get("BOREAS_PATH");
  const runs = path ? 1 : Number(Deno.env.get("BOREAS_MODEL_RUNS") ?? ordinary);
  console.log(`${what}: ${runs} runs, BOREAS_SEED=${seed}${path ? ` BOREAS_PATH=${path}` : ""}`);
  const endOnFailure = Deno.env.get("BOREAS_MODEL_SHRINK") === "0";
  return { numRuns: runs, seed, endOnFailure, ...(path ? { path } : {}) };
}

/** For how long the test may run: far longer than any machine needs, and longer for more runs. */
export const patience = ({ numRuns }: ModelRuns): number => 600_000 + numRuns * 10_000;

/** The commands of a failing case, as fast-check prints them beside it. */
export const replayPath = (): { replayPath?: string } => {
  const given = Deno.env.get("BOREAS_REPLAY");
  return given ? { replayPath: given } : {};
};
