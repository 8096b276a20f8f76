/** Our own two processes, for any bench: a scheduler, and agents that are connected and held back or let go. */
import type { ConnectionTarget } from "../../db/client.ts";
import type { BenchContext } from "./bench.ts";
import { startChild } from "./child.ts";
import { heapFlags } from "./heap_flags.ts";
import type { Child } from "./child.ts";
import type { ReleaseSize } from "./release.ts";

export interface Boreas {
  master: Child;
  agents: Child;
  target: ConnectionTarget;
  /** (Re)starts the agents with so many slots each; `folder` holds their state, else it is in memory. */
  connect(options: { slots: number; folder?: string; held?: boolean }): Promise<void>;
  close(): Promise<void>;
}

/**
 * BOREAS_BENCH_PROFILE=folder writes a processor profile of both, for a look at what costs.
 * @param withGraph a place for tasks that no plan has (`task_graph.ts`)
 */
export async function startBoreas(
  context: BenchContext,
  name: string,
  size: ReleaseSize,
  withGraph = false,
): Promise<Boreas> {
  const target = await context.server.createDatabase(name, { migrated: true });
  const profile = Deno.env.get("BOREAS_BENCH_PROFILE");
  const start = (process: string, flags: string[]) =>
    startChild(new URL(`../processes/${process}.ts`, import.meta.url), {
      denoArguments: [...flags, ...(profile ? ["--cpu-prof", `--cpu-prof-dir=${profile}/${name}-${process}`] : [])],
    });
  const master = start("master", heapFlags("master"));
  const agents = start("agents", heapFlags("agent"));
  const { port, token } = await master.call<{ port: number; token: string }>("open", { target, size });
  await agents.call("enroll", { target, token, count: size.machines });
  if (withGraph) await master.call("prepare");
  return {
    master,
    agents,
    target,
    async connect({ slots, folder, held = false }) {
      await agents.call("stop");
      await master.call(held ? "hold" : "release");
      await agents.call("start", { port, slots, folder });
      while ((await master.call<{ sessions: number }>("stats")).sessions < size.machines) {
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    async close() {
      await agents.stop();
      await master.stop();
    },
  };
}
