/**
 * Agents on their way in. After a restart thousands come within seconds: those with nothing to reconcile are let in
 * together, in one statement for many, and no faster than the work beside them bears; the others go one by one.
 *
 *   hello believed --> waits its turn --> let in (a step of at most so many, then a pause while others wait)
 *                        '-- too many wait --> "come again", which they do with jitter
 *
 * Alone, nobody waits for anybody. A crash leaves nothing: who was not welcomed dials again.
 */
import type { Arrival, Arrived } from "../db/agents/connect_agent.ts";
import { CLOSE } from "../protocol/agent_messages.ts";
import type { CoreDeps } from "./deps.ts";

export type Answer = Arrived | { refused: { code: number; reason: string } };

/** 1,000 a second: more would be felt by those who work. */
const STEP_ARRIVALS = 50;
const STEP_MS = 50;
/** Whoever came after these would give up before its turn: agents wait ten seconds for a welcome. */
const MAX_WAITING = 5000;

const REVOKED: Answer = {
  refused: { code: CLOSE.revoked, reason: "this agent was revoked; enrol it again with a new token" },
};
const SUPERSEDED: Answer = {
  refused: { code: CLOSE.tryLater, reason: "another connection of this agent was let in meanwhile; connect again" },
};
const TOO_MANY: Answer = { refused: { code: CLOSE.tryLater, reason: "many agents come back at once; connect again" } };

export function createArrivals(deps: CoreDeps): (arrival: Arrival) => Promise<Answer> {
  interface Waiting {
    arrival: Arrival;
    resolve(answer: Arrived | undefined): void;
    reject(error: unknown): void;
  }
  const waiting: Waiting[] = [];
  let running = false;

  async function letInTogether(step: readonly Waiting[]): Promise<void> {
    // A second connection of the same agent is the newer one: it goes by itself, after these.
    const first = new Map(step.toReversed().map((w) => [w.arrival.agentId, w]));
    try {
      const connected = await deps.store.connectIdle([...first.values()].map((w) => w.arrival));
      const byAgent = new Map(connected.map((c) => [c.agentId, c]));
      for (const one of step) {
        const found = first.get(one.arrival.agentId) === one ? byAgent.get(one.arrival.agentId) : undefined;
        one.resolve(found && { verdicts: [], name: found.name, cordoned: found.cordoned });
      }
    } catch (error: unknown) {
      // What one of them says may be the cause: each is tried by itself.
      if (step.length > 1) { for (const one of step) one.resolve(undefined); }
      else step[0]!.reject(error);
    }
  }
  async function run(): Promise<void> {
    running = true;
    while (waiting.length > 0) {
      const endsAt = deps.clock.monotonic() + STEP_MS;
      await letInTogether(waiting.splice(0, STEP_ARRIVALS));
      const left = endsAt - deps.clock.monotonic();
      if (waiting.length > 0 && left > 0) await new Promise<void>((go) => deps.clock.after(left, go));
    }
    running = false;
  }

  return async (arrival) => {
    if (waiting.length >= MAX_WAITING) return TOO_MANY;
    const idle = arrival.resumes.length > 0 ? undefined : await new Promise<Arrived | undefined>((resolve, reject) => {
      waiting.push({ arrival, resolve, reject });
      if (!running) void run();
    });
    if (idle) return idle;
    const options = { leaseSeconds: deps.leaseSeconds, chance: deps.chance };
    const arrived = await deps.store.connectAgent(arrival, options);
    return !arrived ? REVOKED : arrived.isSuperseded ? SUPERSEDED : arrived;
  };
}
