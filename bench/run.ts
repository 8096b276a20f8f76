/**
 * `deno task bench [name ...] [--write]`: measures, prints tables and verdicts, keeps every number as JSON in
 * `.build/bench/`. `--write` also writes `bench/results.md`, and what is too long for it beside it.
 * BOREAS_BENCH_DATABASE_URL names a server of your own; BOREAS_BENCH_ROUNDS (5) is for quick looks.
 */
import { chainBench } from "./chain.ts";
import { agentSizeBench } from "./agent_size.ts";
import { agentsBench } from "./agents.ts";
import { apiBench } from "./api.ts";
import { dispatchBench } from "./dispatch.ts";
import { historyBench } from "./history.ts";
import { latencyBench } from "./latency.ts";
import { logsBench } from "./logs.ts";
import type { Bench, BenchReport } from "./support/bench.ts";
import { readMachine, sayMachine } from "./support/machine.ts";
import { startBenchServer } from "./support/server.ts";
import { toText } from "./support/table.ts";
import { writeResults } from "./support/write_results.ts";

const BENCHES: Bench[] = [
  dispatchBench,
  latencyBench,
  chainBench,
  historyBench,
  logsBench,
  agentsBench,
  apiBench,
  agentSizeBench,
];
const OUTPUT = new URL("../.build/bench/", import.meta.url);

const names = Deno.args.filter((arg) => !arg.startsWith("--"));
const unknown = names.filter((name) => !BENCHES.some((bench) => bench.name === name));
if (unknown.length > 0) {
  console.error(`There is no bench ${unknown.join(", ")}. There are: ${BENCHES.map((b) => b.name).join(", ")}.`);
  Deno.exit(2);
}
const chosen = BENCHES.filter((bench) => names.length === 0 || names.includes(bench.name));
const rounds = Number(Deno.env.get("BOREAS_BENCH_ROUNDS") ?? 5);
const isSmoke = Deno.args.includes("--smoke");

const server = await startBenchServer(Deno.env.get("BOREAS_BENCH_DATABASE_URL"));
const machine = readMachine();
const reports: { bench: Bench; report: BenchReport }[] = [];
try {
  console.log(sayMachine(machine, server.version));
  console.log(Object.entries(server.settings).map(([name, value]) => `${name}=${value}`).join(" "));
  await Deno.mkdir(OUTPUT, { recursive: true });
  for (const bench of chosen) {
    console.log(`\n${bench.name}: ${bench.what}`);
    const report = await bench.run({ server, rounds, isSmoke, say: (sentence) => console.log(sentence) });
    reports.push({ bench, report });
    for (const table of report.tables) console.log(`\n${toText(table)}`);
    for (const { what, wanted, measured, isMet } of report.targets) {
      console.log(`${isMet ? "met   " : "MISSED"} ${what}: ${measured} (wanted ${wanted})`);
    }
    const { appendix: _, ...numbers } = report;
    const kept = { date: new Date().toISOString(), machine, settings: server.settings, rounds, ...numbers };
    await Deno.writeTextFile(new URL(`${bench.name}.json`, OUTPUT), JSON.stringify(kept, null, 1));
    if (report.appendix) await Deno.writeTextFile(new URL(`${bench.name}.txt`, OUTPUT), report.appendix);
  }
  if (Deno.args.includes("--write")) await writeResults({ machine, server, rounds, reports });
} finally {
  await server.stop();
}
