/**
 * `deno task attack S7`, `deno task fault F38 F1`: the numbered cases of one folder by their names, all of them when none
 * is named. Ends with a failure when a case failed, or when no test is named so.
 */
import { join } from "node:path";
import { pinned, root } from "./build_once.ts";

const [folder, ...cases] = Deno.args;
if ((folder !== "attacks" && folder !== "faults") || cases.some((name) => !/^[A-Z]\d+$/.test(name))) {
  console.error("Name cases as S7 or F38, several after each other, or none for all of them.");
  Deno.exit(2);
}
const results = join(await Deno.makeTempDir({ prefix: "boreas-cases-" }), "results.json");
const named = cases.length === 0 ? [] : ["--testNamePattern", `(^|[^A-Za-z0-9])(${cases.join("|")})([^0-9]|$)`];
const { code } = await new Deno.Command(Deno.execPath(), {
  args: [
    ...["run", "-A", pinned("vitest"), "run", "--reporter=verbose", "--reporter=json", `--outputFile.json=${results}`],
    ...named,
    `tests/${folder}/`,
  ],
  cwd: root,
  stdin: "null",
  // Races run as often and last as long as they should, not as often as every CI run can bear; bounds are the cases' own.
  env: { BOREAS_FAULT: "1" },
}).spawn().status;
const report = JSON.parse(await Deno.readTextFile(results)) as { testResults: { assertionResults: Ran[] }[] };
await Deno.remove(join(results, ".."), { recursive: true });

interface Ran {
  fullName: string;
  status: string;
}
const ran = report.testResults.flatMap((file) => file.assertionResults).filter((test) => test.status === "passed");
const missing = cases.filter((name) => !ran.some((test) => new RegExp(`\\b${name}\\b`).test(test.fullName)));
for (const name of missing) console.error(`${name}: no test of this name passed.`);
Deno.exit(code !== 0 ? code : missing.length > 0 ? 1 : 0);
