/** Many worlds one after the other, and what to say of the one that breaks. */
import { simulate } from "./simulate.ts";
import type { Report } from "./simulate.ts";
import type { Protections } from "./world.ts";

export interface Found {
  /** Worlds that were run. */
  count: number;
  steps: number;
  /** The first one that broke. */
  broken?: Report;
}

export async function runSeeds(
  from: number,
  count: number,
  protections: Partial<Protections> = {},
  onWorld: (report: Report) => void = () => {},
): Promise<Found> {
  let steps = 0;
  for (let n = 0; n < count; n++) {
    const report = await simulate(from + n, protections);
    steps += report.steps;
    onWorld(report);
    if (report.violations.length > 0) return { count: n + 1, steps, broken: report };
    await new Promise((resolve) => setImmediate(resolve)); // a world never leaves the thread by itself
  }
  return { count, steps };
}

const SHOWN_LINES = 150;

export function describeBroken({ seed, violations, trace }: Report, lines = SHOWN_LINES): string {
  const shown = trace.lines.slice(-lines);
  const left = trace.count - shown.length;
  return [
    violations.length > 0 ? `seed ${seed} breaks:` : `seed ${seed} is sound.`,
    ...violations.map((violation) => `  ${violation}`),
    `the same again, with all of it: deno task simulate --seed ${seed}`,
    ...(left > 0 ? [`... ${left} lines before`] : []),
    ...shown,
  ].join("\n");
}

/** For a test file that takes one part of the seeds: how many there are stands in the environment. */
export async function expectSound(part: number, parts: number): Promise<void> {
  const all = Number(Deno.env.get("BOREAS_SIMULATION_SEEDS") ?? 1000);
  const first = Number(Deno.env.get("BOREAS_SEED") ?? 1);
  const from = first + Math.floor((all * part) / parts);
  const count = first + Math.floor((all * (part + 1)) / parts) - from;
  const started = performance.now();
  const { broken, steps } = await runSeeds(from, count);
  if (broken) throw new Error(describeBroken(broken));
  const seconds = (performance.now() - started) / 1000;
  console.log(`seeds ${from} to ${from + count - 1}: ${steps} steps in ${seconds.toFixed(1)} s`);
}
