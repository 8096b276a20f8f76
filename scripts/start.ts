/** `deno task start`: builds what is missing, then the master and this machine's agent, each with its own permissions. */
import { resolve } from "node:path";
import { buildAgent } from "./build_agent.ts";
import { root } from "./build_once.ts";
import { buildRuntime } from "./build_runtime.ts";
import { buildWeb } from "./build_web.ts";
import { localAgent } from "./local_agent.ts";
import { taskCommand } from "./run_task.ts";
import { supervise } from "./supervise.ts";

const say = (sentence: string) => console.error(`boreas: ${sentence}`);
const dataDir = resolve(root, Deno.env.get("BOREAS_DATA_DIR") || ".boreas");
try {
  await buildWeb(say);
  await buildAgent(say);
  await buildRuntime(say);
} catch (error: unknown) {
  say((error as Error).message);
  Deno.exit(1);
}
const master = taskCommand("master", { env: { BOREAS_DATA_DIR: dataDir } });
Deno.exit(await supervise({ master, ...localAgent(dataDir), say }));
