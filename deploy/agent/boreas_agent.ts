/** The agent alone, as one bundled file: what a machine is given that has no checkout of Boreas. */
import { runAgent } from "../../compose/agent.ts";
import { withAgentConfig } from "../../compose/agent_config.ts";
import { runEnroll } from "../../compose/agent_enrollment.ts";
import { runAgentHealth } from "../../compose/agent_health.ts";
import { PRODUCT_VERSION } from "../../compose/product_version.ts";
import type { Env } from "../../compose/settings.ts";

const env: Env = (name) => Deno.env.get(name);
const COMMANDS: Record<string, () => Promise<number>> = {
  run: () => runAgent(env),
  enroll: async () => runEnroll(await withAgentConfig(env)),
  health: async () => runAgentHealth(await withAgentConfig(env), new Date()),
  version: () => Promise.resolve((console.log(PRODUCT_VERSION), 0)),
};
const [word = "run", ...rest] = Deno.args;
const command = rest.length === 0 ? COMMANDS[word] : undefined;

try {
  if (!command) throw new Error(`Unknown: ${Deno.args.join(" ")}. There is ${Object.keys(COMMANDS).join(", ")}.`);
  Deno.exit(await command());
} catch (error: unknown) {
  console.error(`boreas: ${error instanceof Error ? error.message : String(error)}`);
  Deno.exit(1);
}
