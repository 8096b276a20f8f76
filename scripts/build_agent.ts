/** The agent in one file, `.build/agent/boreas-agent.js`: what the install script puts on a machine. */
import { buildOnce, runTool } from "./build_once.ts";
import { buildRuntime } from "./build_runtime.ts";

const OUTPUT = ".build/agent/boreas-agent.js";

export const buildAgent = (say: (sentence: string) => void) =>
  buildOnce({
    name: "agent",
    sources: ["deploy/agent", "compose", "agents", "operators", "host", "protocol", "domain", "deno.lock"],
    output: OUTPUT,
    run: () =>
      runTool([
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
      ]),
  }, say);

if (import.meta.main) {
  if (!await buildAgent(console.log)) console.log("The agent's bundle is built already");
  if (!await buildRuntime(console.log)) console.log("The agent's runtime is packed already");
}
