/**
 * `deno task guards`: takes each guard of the lease SQL out of a copy of the tree, one at a time, and expects the tests
 * to notice. A guard whose absence no test notices is named, and the exit code is 1.
 */
import { dirname, join } from "node:path";
import { pinned, root } from "./build_once.ts";

interface Guard {
  name: string;
  file: string;
  text: string;
  /** What stands there without it. */
  without: string;
  /** The guard stands in several places that cover for each other: it is taken out of all. */
  everywhere?: true;
}
const HELD = "t.state in ('leased', 'running', 'cancelling')";
const GUARDS: Guard[] = [
  {
    name: "a result needs the live fence",
    file: "db/tasks/finish_tasks.ts",
    text: "t.fence = r.fence and ",
    without: "",
  },
  {
    name: "a result needs the lease's holder",
    file: "db/tasks/finish_tasks.ts",
    text: "t.agent_id = r.agent_id and ",
    without: "",
  },
  {
    name: "an acceptance needs the live fence",
    file: "db/tasks/accept_tasks.ts",
    text: "t.fence = r.fence and t.agent_id = r.agent_id and t.state = 'leased'",
    without: "t.agent_id = r.agent_id and t.state = 'leased'",
  },
  {
    name: "an acceptance needs the lease's holder",
    file: "db/tasks/accept_tasks.ts",
    text: "t.agent_id = r.agent_id and t.state = 'leased'",
    without: "t.state = 'leased'",
  },
  {
    name: "a renewal needs the live fence",
    file: "db/tasks/accept_tasks.ts",
    text: `t.fence = r.fence and t.agent_id = r.agent_id and ${HELD}`,
    without: `t.agent_id = r.agent_id and ${HELD}`,
  },
  {
    name: "a renewal needs the lease's holder",
    file: "db/tasks/accept_tasks.ts",
    text: `t.agent_id = r.agent_id and ${HELD}`,
    without: HELD,
  },
  {
    name: "a claim grows the fence",
    file: "db/tasks/claim_tasks.ts",
    text: "fence = t.fence + 1",
    without: "fence = t.fence",
  },
  {
    name: "a claim passes over held rows",
    file: "db/tasks/claim_tasks.ts",
    text: "for update of t skip locked) shared",
    without: "for update of t) shared",
  },
  {
    name: "a claim waits for its time",
    file: "db/tasks/claim_tasks.ts",
    text: "t.target_agent_id is null and t.run_after <= boreas_now()",
    without: "t.target_agent_id is null",
  },
  {
    name: "a claim keeps to the target",
    file: "db/tasks/claim_tasks.ts",
    text: "and t.target_agent_id is null and",
    without: "and",
  },
  {
    name: "a claim keeps to bound environments",
    file: "db/tasks/claim_tasks.ts",
    text: "e.agent_id = w.agent_id and ",
    without: "",
  },
  {
    name: "a claim is for the present connection",
    file: "db/tasks/claim_tasks.ts",
    text: "where w.session_id is null or exists",
    without: "where true or exists",
  },
  {
    name: "a claim needs an open task",
    file: "db/tasks/claim_tasks.ts",
    text: " and t.open",
    without: "",
    everywhere: true,
  },
  {
    name: "a reaper looks again under the lock",
    file: "db/tasks/reap_tasks.ts",
    text: "t.lease_expires_at < boreas_now() order by t.id",
    without: "true order by t.id",
  },
  {
    name: "an older session's end is not the agent's",
    file: "db/agents/disconnect_agent.ts",
    text: "session_id = ${sessionId} and ",
    without: "",
  },
  {
    name: "a revoked agent stays out",
    file: "db/agents/connect_agent.ts",
    text: "and status <> 'revoked'",
    without: "",
  },
  {
    name: "a log chunk needs the live fence",
    file: "db/logs/append_chunks.ts",
    text: "head.fence === chunk.fence && ",
    without: "",
  },
  {
    name: "a log has no gap",
    file: "db/logs/append_chunks.ts",
    text: "chunk.sequence !== head.nextSequence || chunk.offset !== head.bytes",
    without: "false",
  },
  {
    name: "one running deployment per application and environment",
    file: "db/deployments/start_deployment.ts",
    text: "if (taken.length === apps.length) return null;",
    without: "return null;",
  },
  {
    name: "a wait ends when it is due",
    file: "db/tasks/end_pauses.ts",
    text: "type = 'pause' and run_after <= boreas_now()",
    without: "type = 'pause'",
  },
  {
    name: "a log chunk needs the lease's holder",
    file: "db/logs/append_chunks.ts",
    text: " && head.agentId === chunk.agentId",
    without: "",
  },
];
const TESTS = ["db/tasks/leases.test.ts", "db/deployments/deployments.test.ts"];

const copy = await Deno.makeTempDir({ prefix: "boreas-guards-" });
const files = new TextDecoder().decode(
  (await new Deno.Command("git", { args: ["ls-files", "-z"], cwd: root }).output()).stdout,
);
for (const file of files.split("\0").filter(Boolean)) {
  await Deno.mkdir(dirname(join(copy, file)), { recursive: true });
  await Deno.copyFile(join(root, file), join(copy, file));
}
await Deno.symlink(join(root, "node_modules"), join(copy, "node_modules"));

async function testsPass(): Promise<boolean> {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", pinned("vitest"), "run", "--bail=1", "--testTimeout=8000", ...TESTS],
    cwd: copy,
    stdin: "null",
    stdout: "null",
    stderr: "null",
  });
  return (await command.output()).success;
}

let unnoticed = 0;
try {
  if (!await testsPass()) throw new Error("The tests fail with every guard in place; mend that first.");
  for (const guard of GUARDS) {
    const path = join(copy, guard.file);
    const whole = await Deno.readTextFile(path);
    const places = whole.split(guard.text).length - 1;
    if (guard.everywhere ? places === 0 : places !== 1) {
      throw new Error(`${guard.file} does not hold "${guard.text}" exactly once.`);
    }
    await Deno.writeTextFile(path, whole.replaceAll(guard.text, () => guard.without));
    const noticed = !await testsPass();
    await Deno.writeTextFile(path, whole);
    if (!noticed) unnoticed++;
    console.log(`${noticed ? "noticed " : "UNNOTICED"}  ${guard.name}`);
  }
} finally {
  await Deno.remove(copy, { recursive: true });
}
console.log(`${GUARDS.length - unnoticed} of ${GUARDS.length} guards are missed when they are gone.`);
Deno.exit(unnoticed === 0 ? 0 : 1);
