/** The only entry. Chooses a process or a client command; everything is built in compose/. */
import type { Env } from "./compose/settings.ts";

const env: Env = (name) => Deno.env.get(name);
const [command, ...rest] = Deno.args;

/** Each loads only what it needs: a client's call must not wait for the master's code. */
const PROCESSES: Record<string, () => Promise<number>> = {
  start: async () => (await import("./compose/master.ts")).runMaster(env, "start"),
  api: async () => (await import("./compose/master.ts")).runMaster(env, "api"),
  scheduler: async () => (await import("./compose/master.ts")).runMaster(env, "scheduler"),
  agent: async () => (await import("./compose/agent.ts")).runAgent(env),
  migrate: async () => (await import("./compose/migrate.ts")).runMigrate(env),
};
/** With words of their own after them. */
const WITH_WORDS: Record<string, () => Promise<number>> = {
  operator: async () => (await import("./compose/operator.ts")).runOperator(env, rest),
  backup: async () => (await import("./compose/backup.ts")).runBackup(env, rest),
  restore: async () => (await import("./compose/restore.ts")).runRestore(env, rest),
};
/** `boreas agent ...` */
const OF_THE_AGENT: Record<string, () => Promise<number>> = {
  health: async () => (await import("./compose/agent_health.ts")).runAgentHealth(env, new Date()),
  proxy: async () => (await import("./compose/proxy.ts")).runProxyProcess(env),
  doctor: async () => (await import("./compose/agent_doctor.ts")).runAgentDoctor(env, rest.includes("--json")),
};
const isDoctor = rest[0] === "doctor" && rest.slice(1).every((flag) => flag === "--json");
// `boreas start` is the product, `boreas start DEPLOYMENT` the client's.
const process = command === "agent" && (rest.length === 1 || isDoctor)
  ? OF_THE_AGENT[rest[0]!]
  : command === undefined
  ? undefined
  : WITH_WORDS[command] ?? (rest.length === 0 ? PROCESSES[command] : undefined);

try {
  Deno.exit(process ? await process() : await (await import("./compose/cli.ts")).runClient(Deno.args));
} catch (error: unknown) {
  // One sentence for a person; the whole story for who asks for it.
  console.error(`boreas: ${error instanceof Error ? error.message : String(error)}`);
  if (env("BOREAS_LOG_LEVEL") === "DEBUG" && error instanceof Error) console.error(error.stack, error.cause ?? "");
  Deno.exit(1);
}
