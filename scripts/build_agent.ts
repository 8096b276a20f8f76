/** The agent in one file, `.build/agent/boreas-agent.js`: what the install script puts on a machine. */
import { join } from "node:path";
import { buildOnce, root, runTool } from "./build_once.ts";
import { buildRuntime } from "./build_runtime.ts";

const OUTPUT = ".build/agent/boreas-agent.js";

export const buildAgent = (say: (sentence: string) => void) =>
  buildOnce({
    name: "agent",
    sources: ["deploy/agent", "compose", "agents", "operators", "host", "protocol", "domain", "deno.lock"],
    output: OUTPUT,
    run: async () => {
      await runTool([
        "bundle",
        "--quiet",
        "--minify",
        "--platform",
        "deno",
        // Of packages that do without them: compiled parts for ssh, which nobody here speaks.
        "--external",
        "*.node",
        "--output",
        OUTPUT,
        "deploy/agent/boreas_agent.ts",
      ]);
      // Packages that were made for another module system look for files beside them as they load, and read none of them.
      const path = join(root, OUTPUT);
      await Deno.writeTextFile(path, `var __dirname="/",__filename="/";${await Deno.readTextFile(path)}`);
    },
  }, say);

if (import.meta.main) {
  if (!await buildAgent(console.log)) console.log("The agent's bundle is built already");
  if (!await buildRuntime(console.log)) console.log("The agent's runtime is packed already");
}
