/** The only entry. Chooses a process or a client command; everything is built in compose/. */
import { runAgent } from "./compose/agent.ts";
import { runClient } from "./compose/cli.ts";
import { runMaster } from "./compose/master.ts";
import { runMigrate } from "./compose/migrate.ts";

const env = (name: string) => Deno.env.get(name);
const [command, ...rest] = Deno.args;

const PROCESSES: Record<string, () => Promise<number>> = {
  start: () => runMaster(env),
  agent: () => runAgent(env),
  migrate: () => runMigrate(env),
};

const run = command !== undefined && rest[0] !== "--help" && PROCESSES[command] || (() => runClient(Deno.args));
try {
  Deno.exit(await run());
} catch (error: unknown) {
  // One sentence for a person; the whole story for who asks for it.
  console.error(`boreas: ${error instanceof Error ? error.message : String(error)}`);
  if (env("BOREAS_LOG_LEVEL") === "DEBUG" && error instanceof Error) console.error(error.stack, error.cause ?? "");
  Deno.exit(1);
}
