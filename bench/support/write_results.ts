/** `bench/results.md`: the latest run of each bench, with the machine it ran on. A bench that was not run keeps its part. */
import type { Bench, BenchReport } from "./bench.ts";
import { sayMachine } from "./machine.ts";
import type { Machine } from "./machine.ts";
import type { BenchServer } from "./server.ts";
import { toMarkdown } from "./table.ts";

const FILE = new URL("../results.md", import.meta.url);
const HEAD = `# Results

The latest run of each bench, written by \`deno task bench --write\`. Absolute figures drift by 30% and more from run to
run and mean little on another machine; ratios within a run are what counts.
`;

interface Results {
  machine: Machine;
  server: Pick<BenchServer, "version" | "settings">;
  rounds: number;
  reports: { bench: Pick<Bench, "name" | "what">; report: BenchReport }[];
}

export async function writeResults(results: Results): Promise<void> {
  let before = "";
  try {
    before = await Deno.readTextFile(FILE);
  } catch (error: unknown) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  await Deno.writeTextFile(FILE, mergeResults(before, results, new Date().toISOString().slice(0, 10)));
  for (const { bench, report } of results.reports) {
    if (report.appendix) await Deno.writeTextFile(new URL(`${bench.name}.txt`, FILE), report.appendix);
  }
}

/** Each part begins with `## name`. */
export function mergeResults(before: string, results: Results, date: string): string {
  const parts = new Map<string, string>();
  for (const part of before.split(/^(?=## )/m).filter((text) => text.startsWith("## "))) {
    parts.set(part.match(/^## (\S+)/)![1]!, part.trimEnd());
  }
  for (const one of results.reports) parts.set(one.bench.name, toPart(results, one, date));
  return [HEAD.trimEnd(), ...[...parts].sort(([a], [b]) => a < b ? -1 : 1).map(([, text]) => text)].join("\n\n") + "\n";
}

function toPart(results: Results, { bench, report }: Results["reports"][number], date: string): string {
  const { machine, server, rounds } = results;
  const verdicts = report.targets.map((t) =>
    `- ${t.isMet ? "met" : "**missed**"}: ${t.what}: ${t.measured} (wanted ${t.wanted})`
  );
  const settings = Object.entries(server.settings).map(([name, value]) => `${name}=${value || "''"}`).join(", ");
  return [
    `## ${bench.name}`,
    `${bench.what[0]!.toUpperCase()}${bench.what.slice(1)}.`,
    verdicts.join("\n"),
    ...report.tables.map(toMarkdown),
    report.notes.map((note) => `- ${note}`).join("\n"),
    `${date}, ${rounds} interleaved rounds. ${sayMachine(machine, server.version)}. ${settings}.`,
  ].filter((text) => text !== "").join("\n\n");
}
