/** Races: many runs, each with a seed that is printed when it fails and replays it with BOREAS_SEED. */
import { it } from "vitest";
import { firstSeed } from "../../helpers/seed.ts";

/** `deno task fault` and `deno task attack`: every race as often as it should run, and long forms of what has a short one. */
export const isThorough = (): boolean => Deno.env.get("BOREAS_FAULT") === "1";

/** A case's own bound in milliseconds; in an ordinary run with what a loaded machine may add, which is no matter of the product. */
export const boundMs = (seconds: number): number => (isThorough() ? seconds : seconds + 30) * 1000;

/** Numbers in [0, 1), the same ones for the same seed (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export interface RaceOptions {
  /** Runs in an ordinary `deno task test`. */
  quick?: number;
  /** Milliseconds for all runs. */
  timeout?: number;
}

/** A test of `runs` runs one after the other; with BOREAS_SEED only that one. */
export function race(
  name: string,
  runs: number,
  run: (seed: number, random: () => number) => Promise<void>,
  options: RaceOptions = {},
): void {
  const count = Deno.env.get("BOREAS_SEED") ? 1 : isThorough() ? runs : Math.min(runs, options.quick ?? 3);
  const start = firstSeed();
  it(`${name} (${count} ${count === 1 ? "run" : "runs"}, first seed ${start})`, async () => {
    for (let n = 0; n < count; n++) {
      const seed = (start + n) >>> 0;
      try {
        await run(seed, randomOf(seed));
      } catch (error: unknown) {
        if (error instanceof Error) error.message = `run ${n + 1} of ${count}, BOREAS_SEED=${seed}: ${error.message}`;
        throw error;
      }
    }
  }, options.timeout ?? 60_000 * count);
}
