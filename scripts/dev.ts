/**
 * `deno task dev`: the master starts again at every change of its sources, the dashboard reloads in the browser on 3000
 * and passes API calls on to the master; an agent for this machine beside them.
 */
import { resolve } from "node:path";
import { buildAgent } from "./build_agent.ts";
import { buildRuntime } from "./build_runtime.ts";
import { pinned, root } from "./build_once.ts";
import { taskCommand } from "./run_task.ts";
import { localAgent } from "./local_agent.ts";
import { kill, supervise } from "./supervise.ts";

const say = (sentence: string) => console.error(`boreas: ${sentence}`);
const WATCHED = ["main.ts", "compose", "api", "scheduler", "db", "operators", "agents", "host", "protocol", "domain"];

await buildAgent(say);
await buildRuntime(say);
const web = new Deno.Command(Deno.execPath(), {
  args: ["run", "-A", pinned("vite"), "--config", "web/vite.config.ts"],
  cwd: root,
  stdin: "null",
}).spawn();

const dataDir = resolve(root, Deno.env.get("BOREAS_DATA_DIR") || ".boreas");
const code = await supervise({
  master: taskCommand("master", {
    env: { BOREAS_DATA_DIR: dataDir },
    edit: (task) => task.replace("deno run ", `deno run --watch=${WATCHED.join(",")} `),
  }),
  ...localAgent(dataDir),
  say,
  graceMs: 6_000, // Deno's watcher outlives its program until a second signal
});
kill(web, "SIGTERM");
await web.status;
Deno.exit(code);
