/** The agent alone, as one bundled file: what a machine is given that has no checkout of Boreas. */
import { runAgent } from "../../compose/agent.ts";

try {
  Deno.exit(await runAgent((name) => Deno.env.get(name)));
} catch (error: unknown) {
  console.error(`boreas: ${error instanceof Error ? error.message : String(error)}`);
  Deno.exit(1);
}
