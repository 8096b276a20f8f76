/**
 * `deno task bench agent_size`: what Boreas costs a machine. A real agent under its real launcher, connected and idle; with
 * the proxy of public ports beside it; and a program that it keeps. The runtime is a copy of its own, so that nothing
 * else on this machine bears a part of its pages; every start but the very first finds its caches warm.
 */
import { gzipSync } from "node:zlib";
import { join } from "node:path";
import { openClient } from "../db/client.ts";
import { newId } from "../host/new_id.ts";
import { startProcess } from "../host/process.ts";
import { buildRelease, installAgent, startReleasingMaster } from "../tests/faults/support/installed_agent.ts";
import type { InstalledAgent } from "../tests/faults/support/installed_agent.ts";
import type { Bench, BenchContext, BenchReport } from "./support/bench.ts";
import { heldBy, taggedWith } from "./support/proportional.ts";
import { say } from "./support/statistics.ts";
import { cpuSeconds } from "./support/usage.ts";

const VERSION = "0.0.1";
const IDLE_SECONDS = 60;
const SETTLE_SECONDS = 15;
const PSS_MIB = 90;
const rest = (seconds: number) => new Promise((done) => setTimeout(done, seconds * 1000));

export const agentSizeBench: Bench = {
  name: "agent_size",
  what: "all processes of Boreas on a machine, idle, in memory and CPU; and what is downloaded for them",
  run,
};

async function run({ server, isSmoke, say: tell }: BenchContext): Promise<BenchReport> {
  const [settle, idle] = isSmoke ? [2, 3] : [SETTLE_SECONDS, IDLE_SECONDS];
  const target = await server.createDatabase("agent_size", { migrated: true });
  const sql = openClient(target, { max: 6 });
  const folder = await Deno.makeTempDir({ prefix: "boreas-bench-" });
  let master, machine: InstalledAgent | undefined;
  const others: { kill(): void }[] = [];
  try {
    master = await startReleasingMaster({ sql, target, newId });
    machine = await installAgent(master, folder, VERSION, {}, true);
    await connected(master, machine);
    // The very first start of a bundle fills the runtime's caches, as the install script's enrolment does.
    kill(taggedWith(machine.tag));
    await rest(2);
    await connected(master, machine);
    await rest(settle);
    const agent = taggedWith(machine.tag);
    const before = agent.map(cpuSeconds);
    await rest(idle);
    const cores = agent.reduce((sum, pid, i) => sum + cpuSeconds(pid) - before[i]!, 0) / idle;
    const alone = total(agent);
    tell(`agent alone: ${say(alone)} MiB, ${say(cores * 100)}% of a core`);

    for (let n = 0; n < 2; n++) {
      others.forEach((one) => one.kill());
      others.splice(0, others.length, startProxy(folder, machine));
      await rest(n === 0 ? 3 : settle);
    }
    const withProxy = total(taggedWith(machine.tag));
    tell(`agent and proxy: ${say(withProxy)} MiB`);

    const kept = await startProcess({
      folder: join(folder, "kept"),
      command: ["sleep", "600"],
      cwd: folder,
      env: Object.fromEntries([machine.tag.split("=") as [string, string]]),
      keepBytes: 1024 * 1024,
    });
    await rest(2);
    const keepers = taggedWith(machine.tag).filter((pid) => pid !== kept.pid);
    const withKeeper = total(keepers);
    others.push({ kill: () => void Deno.kill(kept.pid, "SIGKILL") });
    const files = [...await buildRelease(VERSION)].map(([name, bytes]) => ({
      name,
      mib: bytes.length / 2 ** 20,
      packed: gzipSync(bytes).length / 2 ** 20,
    }));
    const runtime = await Deno.readFile(Deno.execPath());
    files.push({ name: "runtime (once)", mib: runtime.length / 2 ** 20, packed: gzipSync(runtime).length / 2 ** 20 });
    return {
      tables: [
        {
          title: "Boreas on a machine, idle",
          columns: ["processes", "PSS, MiB"],
          rows: [
            ["agent", say(alone)],
            ["agent and the proxy of public ports", say(withProxy)],
            ["each program kept without systemd adds", say(withKeeper - withProxy)],
          ],
        },
        {
          title: "What is downloaded",
          columns: ["file", "MiB", "gzipped, MiB"],
          rows: files.map((file) => [file.name, say(file.mib), say(file.packed)]),
        },
      ],
      targets: [
        {
          what: "PSS of agent and proxy, idle",
          wanted: `<= ${PSS_MIB} MiB`,
          measured: `${say(withProxy)} MiB`,
          isMet: withProxy <= PSS_MIB,
        },
        {
          what: `CPU of the agent over ${idle} s, idle`,
          wanted: "<= 0.5% of a core",
          measured: `${say(cores * 100)}%`,
          isMet: cores <= 0.005,
        },
      ],
      notes: ["The runtime's pages count in full: no other process shares this copy of it."],
      measured: { alone, withProxy, withKeeper, cores, files },
    };
  } finally {
    others.forEach((one) => one.kill());
    await machine?.stop();
    await master?.stop();
    await sql.end({ timeout: 5 });
    await Deno.remove(folder, { recursive: true });
  }
}

const total = (pids: number[]) => pids.reduce((sum, pid) => sum + heldBy(pid).pss, 0);
const kill = (pids: number[]) => pids.forEach((pid) => Deno.kill(pid, "SIGKILL"));

async function connected(
  master: Awaited<ReturnType<typeof startReleasingMaster>>,
  machine: InstalledAgent,
): Promise<void> {
  for (let tries = 0; tries < 300; tries++) {
    const { body } = await master.api.request("GET", "/agents?status=connected");
    if (body.items.length > 0) return;
    await rest(0.1);
  }
  throw new Error(`the agent did not connect: ${machine.output()}`);
}

/** As the agent starts it for the first public port. */
function startProxy(folder: string, machine: InstalledAgent): { kill(): void } {
  const [name, value] = machine.tag.split("=") as [string, string];
  const child = new Deno.Command(join(machine.root, "current/boreas-agent"), {
    args: ["proxy"],
    env: { [name]: value, BOREAS_STATE_DIR: machine.stateDir, DENO_DIR: join(folder, "deno") },
    stdout: "null",
    stderr: "null",
  }).spawn();
  child.unref();
  return {
    kill() {
      try {
        child.kill("SIGKILL");
      } catch (error: unknown) {
        if (!(error instanceof TypeError)) throw error; // it has ended
      }
    },
  };
}
