/**
 * `deno task guards [words]`: takes each guard of the task SQL out of a copy of the tree, one at a time, and expects the
 * tests to notice; then makes each mistake of `SEEDED_BUGS` there, and expects the model tests alone to notice. What no
 * test notices is named, and the exit code is 1. With words, only those whose name or kind holds them.
 */
import { dirname, join } from "node:path";
import { pinned, root } from "./build_once.ts";
import { GUARDS, takeOut } from "./guards.ts";
import { SEEDED_BUGS } from "./seeded_bugs.ts";
import type { Guard } from "./guards.ts";
import type { SeededBug } from "./seeded_bugs.ts";

const TESTS = [
  "db/tasks/leases.test.ts",
  "db/tasks/end_pauses.test.ts",
  "db/agents/connect_agent.test.ts",
  "db/deployments/deployments.test.ts",
];
const LEASE_MODEL = ["db/tasks/lease_model.test.ts"];
const TREE_MODEL = ["db/deployments/deployment_model.test.ts"];
/** A mistake that needs more than this is not one that an ordinary run would find. */
const MODEL_RUNS = 400;
/** A test that is slow has noticed nothing: what ends it must be what it found. */
const PATIENCE_MS = 30 * 60_000;

const words = Deno.args.join(" ");
const copy = await Deno.makeTempDir({ prefix: "boreas-guards-" });
let missing = 0;
try {
  await copyTree();
  await expectNoticed("guard", GUARDS, TESTS);
  await expectNoticed("seeded bug of leases", SEEDED_BUGS.filter((bug) => bug.kind !== "tree"), LEASE_MODEL);
  await expectNoticed("seeded bug of trees", SEEDED_BUGS.filter((bug) => bug.kind === "tree"), TREE_MODEL);
} finally {
  await Deno.remove(copy, { recursive: true });
}
Deno.exit(missing === 0 ? 0 : 1);

async function expectNoticed(what: string, guards: readonly (Guard | SeededBug)[], tests: string[]): Promise<void> {
  const chosen = guards.filter((g) => `${"kind" in g ? g.kind : ""} ${g.name}`.includes(words));
  if (chosen.length === 0) return;
  const testsOf = (guard: Guard) => guard.tests ?? tests;
  const all = [...new Set(chosen.flatMap(testsOf))];
  if (!await testsPass(all)) throw new Error(`${all.join(", ")} fails with every guard in place; mend that first.`);
  let noticed = 0;
  for (const guard of chosen) {
    const putBack = await takeOut(copy, guard);
    const isNoticed = !await testsPass(testsOf(guard));
    await putBack();
    if (isNoticed) noticed++;
    console.log(`${isNoticed ? "noticed  " : "UNNOTICED"}  ${what}: ${guard.name}`);
  }
  missing += chosen.length - noticed;
  console.log(`${noticed} of ${chosen.length}: ${what}, noticed.`);
}

async function copyTree(): Promise<void> {
  const { stdout } = await new Deno.Command("git", { args: ["ls-files", "-z"], cwd: root }).output();
  for (const file of new TextDecoder().decode(stdout).split("\0").filter(Boolean)) {
    await Deno.mkdir(dirname(join(copy, file)), { recursive: true });
    await Deno.copyFile(join(root, file), join(copy, file));
  }
  await Deno.symlink(join(root, "node_modules"), join(copy, "node_modules"));
}

async function testsPass(tests: string[]): Promise<boolean> {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", pinned("vitest"), "run", "--bail=1", `--testTimeout=${PATIENCE_MS}`, ...tests],
    cwd: copy,
    env: { BOREAS_MODEL_RUNS: String(MODEL_RUNS), BOREAS_MODEL_SHRINK: "0" },
    stdin: "null",
    stdout: "null",
    stderr: "null",
  });
  return (await command.output()).success;
}
