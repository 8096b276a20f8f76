/** The agent alone, as one bundled file: what a machine is given that has no checkout of Boreas. */
import { PRODUCT_VERSION } from "../../compose/product_version.ts";
import type { Env } from "../../compose/settings.ts";

const env: Env = (name) => Deno.env.get(name);
/** Each loads only what it needs: a proxy or a watcher that stays must not hold the agent's code in memory. */
const COMMANDS: Record<string, () => Promise<number>> = {
  run: async () => (await import("../../compose/agent.ts")).runAgent(env),
  enroll: async () => (await import("../../compose/agent_enrollment.ts")).runEnroll(await configured()),
  health: async () => (await import("../../compose/agent_health.ts")).runAgentHealth(await configured(), new Date()),
  proxy: async () => (await import("../../compose/proxy.ts")).runProxyProcess(env),
  doctor: async () => (await import("../../compose/agent_doctor.ts")).runAgentDoctor(env, Deno.args.includes("--json")),
  watch: async () => (await import("../../compose/agent_upgrade.ts")).runAgentWatch(await configured()),
  version: () => Promise.resolve((console.log(PRODUCT_VERSION), 0)),
};
const configured = async () => (await import("../../compose/agent_config.ts")).withAgentConfig(env);
const [word = "run", ...rest] = Deno.args;
const isPlain = rest.length === 0 || word === "doctor" && rest.join() === "--json";
const command = isPlain ? COMMANDS[word] : undefined;

try {
  if (!command) throw new Error(`Unknown: ${Deno.args.join(" ")}. There is ${Object.keys(COMMANDS).join(", ")}.`);
  Deno.exit(await command());
} catch (error: unknown) {
  console.error(`boreas: ${error instanceof Error ? error.message : String(error)}`);
  Deno.exit(1);
}
