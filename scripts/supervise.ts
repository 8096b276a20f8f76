/**
 * The two processes of `deno task start`, the master and this machine's agent.
 *
 *   start master -> wait until it serves -> start agent -> ... -> stop agent -> stop master -> the master's exit code
 *                                             ^-- it ended: again after a pause --'
 *
 * The agent ends first, while there is still a master that hears its last words. A master that ends by itself takes
 * the agent with it. What a crash of this process leaves behind: both, running; a new start is refused by the master's
 * lock on the data folder, and says so.
 */
import { joinSignals } from "./signals.ts";

export interface Supervised {
  master: Deno.Command;
  /** Undefined when no agent is wanted here. Asked again before every start of it. */
  agent?: () => Deno.Command;
  /** Resolves when the master serves. */
  ready: (signal: AbortSignal) => Promise<void>;
  say: (sentence: string) => void;
  /** Pauses before the agent is started again, in milliseconds; the last one repeats. */
  pauses?: number[];
  graceMs?: number;
}

const PAUSES = [1_000, 2_000, 4_000, 8_000, 15_000, 30_000];
const GRACE_MS = 40_000;
/** An agent that lived this long had a good start: its next end is a new story. */
const GOOD_LIFE_MS = 60_000;

/** @returns the exit code */
export async function supervise(parts: Supervised): Promise<number> {
  const [stop, leave] = [new AbortController(), new AbortController()];
  const release = joinSignals(stop, leave, parts.say);
  try {
    const master = parts.master.spawn();
    const ended = master.status.finally(() => stop.abort());
    const agents = keepAgent(parts, stop.signal, leave.signal);
    await aborted(stop.signal);
    await agents;
    await end(master, parts, leave.signal);
    const { code, signal } = await ended;
    return signal === "SIGTERM" || signal === "SIGINT" ? 0 : code;
  } finally {
    release();
  }
}

async function keepAgent(parts: Supervised, stop: AbortSignal, leave: AbortSignal): Promise<void> {
  if (!parts.agent) return;
  try {
    await parts.ready(stop);
  } catch (error: unknown) {
    if (stop.aborted) return;
    throw error;
  }
  const pauses = parts.pauses ?? PAUSES;
  for (let failures = 0; !stop.aborted;) {
    const startedAt = performance.now();
    const agent = parts.agent().spawn();
    const gone = new AbortController();
    agent.status.finally(() => gone.abort());
    await aborted(AbortSignal.any([stop, gone.signal]));
    if (stop.aborted) return await end(agent, parts, leave);
    const { code } = await agent.status;
    if (performance.now() - startedAt > GOOD_LIFE_MS) failures = 0;
    const pause = pauses[Math.min(failures++, pauses.length - 1)]!;
    parts.say(`This machine's agent ended with code ${code}; it starts again in ${pause / 1000} s`);
    await elapsed(pause, stop);
  }
}

/**
 * Asks; asks again half-way (the agent first lets running tasks end, and stops them when asked twice); after the grace
 * no longer asks.
 */
async function end(
  child: Deno.ChildProcess,
  { graceMs = GRACE_MS, say }: Supervised,
  leave: AbortSignal,
): Promise<void> {
  if (!kill(child, "SIGTERM")) return;
  const killNow = () => kill(child, "SIGKILL");
  const hurry = setTimeout(() => kill(child, "SIGINT"), graceMs / 2);
  const late = setTimeout(() => {
    say(`Process ${child.pid} did not end within ${graceMs / 1000} s and is killed`);
    killNow();
  }, graceMs);
  leave.addEventListener("abort", killNow);
  if (leave.aborted) killNow();
  await child.status;
  leave.removeEventListener("abort", killNow);
  clearTimeout(hurry);
  clearTimeout(late);
}

/** @returns false when it had ended already */
export function kill(child: Deno.ChildProcess, signal: Deno.Signal): boolean {
  try {
    child.kill(signal);
    return true;
  } catch (error: unknown) {
    if (error instanceof TypeError || error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

function elapsed(milliseconds: number, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    stop.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}
