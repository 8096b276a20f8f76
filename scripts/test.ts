/**
 * `deno task test [file ...]`: all tests, with what this machine has. Says at the end what was skipped and why; the
 * last line is `N passed, N failed, N skipped`.
 */
import { join } from "node:path";
import { pinned, root } from "./build_once.ts";
import { describeSummary, type Report, summariseTests } from "./summarise_tests.ts";

const folder = await Deno.makeTempDir({ prefix: "boreas-results-" });
const output = join(folder, "results.json");
const runner = new Deno.Command(Deno.execPath(), {
  args: [
    ...["run", "-A", pinned("vitest"), "run", "--reporter=default", "--reporter=json", `--outputFile.json=${output}`],
    ...Deno.args,
  ],
  cwd: root,
  stdin: "null",
}).spawn();
const { code } = await runner.status;

let report: Report | undefined;
try {
  report = JSON.parse(await Deno.readTextFile(output)) as Report;
} catch (error: unknown) {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
  console.error("The test runner ended without a report.");
}
await Deno.remove(folder, { recursive: true });
const summary = summariseTests(report ?? { success: false, testResults: [] });
if (code !== 0 && summary.failed === 0) summary.failed = 1;
console.log(describeSummary(summary));
Deno.exit(summary.failed === 0 ? 0 : 1);
