/** `boreas agent health`: an exec probe. The agent notes how it is every few seconds; the probe reads the note. */
import { join, resolve } from "node:path";
import type { AgentStatus } from "../agents/agent.ts";
import type { Clock, Logger } from "../domain/ports.ts";
import type { Env } from "./settings.ts";

const EVERY_MS = 5_000;
/** A note older than this is of an agent that stands still. */
const FRESH_MS = 4 * EVERY_MS;

const noteOf = (stateDir: string) => join(stateDir, "health.json");

/** @returns a function that ends the notes */
export function noteHealth(
  stateDir: string,
  parts: { clock: Clock; logger: Logger },
  status: () => AgentStatus,
): () => void {
  const { clock, logger } = parts;
  let timer = clock.after(0, write);
  function write(): void {
    try {
      Deno.writeTextFileSync(noteOf(stateDir), JSON.stringify({ at: clock.now().toISOString(), ...status() }));
    } catch (error: unknown) {
      // A full disk must not end the agent; the note grows old, which is what the probe then says.
      logger.log("WARN", "the health note could not be written", { error: String(error) });
    }
    timer = clock.after(EVERY_MS, write);
  }
  return () => timer.cancel();
}

export async function runAgentHealth(env: Env, now: Date): Promise<number> {
  const stateDir = resolve(env("BOREAS_STATE_DIR") || "/var/lib/boreas");
  let note: AgentStatus & { at: string };
  try {
    note = JSON.parse(await Deno.readTextFile(noteOf(stateDir)));
  } catch (error: unknown) {
    if (!(error instanceof Deno.errors.NotFound) && !(error instanceof SyntaxError)) throw error;
    console.error(`No agent has noted its health in ${stateDir}; is it running, and is BOREAS_STATE_DIR the same?`);
    return 1;
  }
  const age = now.getTime() - Date.parse(note.at);
  const isWell = age < FRESH_MS && note.connected;
  console.log(JSON.stringify({ healthy: isWell, secondsAgo: Math.round(age / 1000), ...note }));
  return isWell ? 0 : 1;
}
