/**
 * `deno task simulate [seeds] [--from N] [--seed N] [--summary]`: worlds full of faults in one thread, until one breaks.
 *   10000            so many fresh seeds (1,000 when nothing is said)
 *   --from N         begins with seed N instead of one that nobody chose
 *   --seed N         this seed alone, with its whole trace
 *   --summary        a line of JSON per seed, to compare runs by
 */
import { parseArgs } from "node:util";
import { describeBroken, runSeeds } from "../tests/simulation/run_seeds.ts";
import { simulate } from "../tests/simulation/simulate.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seed: { type: "string" }, from: { type: "string" }, summary: { type: "boolean" } },
});

function wholeNumber(text: string, what: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new Error(`${what} must be a whole number, not ${text}.`);
  return Number(text);
}

if (values.seed !== undefined) {
  const report = await simulate(wholeNumber(values.seed, "--seed"));
  console.log(describeBroken(report, Infinity));
  console.log(`${report.steps} steps, ${(report.time / 1000).toFixed(1)} s of the world, trace ${report.trace.hash}`);
  Deno.exit(report.violations.length > 0 ? 1 : 0);
}

const count = wholeNumber(positionals[0] ?? "1000", "The number of seeds");
const fresh = crypto.getRandomValues(new Uint32Array(1))[0]! % 900_000_000;
const from = values.from === undefined ? fresh : wholeNumber(values.from, "--from");
const started = performance.now();
let done = 0;
let steps = 0;
const progress = () => {
  const seconds = (performance.now() - started) / 1000;
  return `${done} of ${count} seeds from ${from}, ${(steps / seconds).toFixed(0)} steps/s, ${seconds.toFixed(0)} s`;
};
const { broken } = await runSeeds(from, count, {}, ({ seed, trace, steps: took, time }) => {
  done++;
  steps += took;
  if (values.summary) {
    console.log(JSON.stringify({ seed, hash: trace.hash, lines: trace.count, steps: took, time }));
  } else if (done % 500 === 0) console.log(progress());
});
if (broken) {
  console.error(describeBroken(broken));
  Deno.exit(1);
}
if (!values.summary) console.log(`${progress()}: all sound`);
