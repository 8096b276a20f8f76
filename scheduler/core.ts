/**
 * The heart: who is connected, what they are handed, what they say, and what becomes of those who fall silent. It knows
 * the database by its port alone, so the simulation runs this very code.
 */
import { CLOSE } from "../protocol/agent_messages.ts";
import { createAgentIdentities } from "./agent_identities.ts";
import { createGateway } from "./agent_gateway.ts";
import type { Gateway } from "./agent_gateway.ts";
import { createSessions } from "./agent_sessions.ts";
import type { Session } from "./agent_sessions.ts";
import type { CoreDeps } from "./deps.ts";
import { createCancelLoop } from "./cancel_loop.ts";
import { createDispatcher } from "./dispatch_loop.ts";
import { createLoop } from "./loop.ts";
import { createMessageHandlers } from "./message_handlers.ts";
import type { StaleWrites } from "./message_handlers.ts";
import { createQueryLoop } from "./query_loop.ts";
import { createReapLoop } from "./reap_loop.ts";
import { createStandings } from "./standings.ts";
import { createUpgradeTeller } from "./upgrade_loop.ts";

export interface Core {
  gateway: Gateway;
  start(): void;
  /** No new leases, sockets closed with 1012, running tasks untouched. */
  stop(): Promise<void>;
  /** Agents heard of since the last call: for one write of all heartbeats. */
  takeHeard(): string[];
  stats(): { sessions: number; held: number; stale: StaleWrites };
}

/** Seconds between two looks at what this master believes of its sessions. */
const SESSIONS_SWEEP_SECONDS = 10;

export function createCore(deps: CoreDeps): Core {
  const sessions = createSessions();
  const identities = createAgentIdentities(deps);
  const dispatcher = createDispatcher(deps, sessions);
  const { loop: dispatch } = dispatcher;
  const handlers = createMessageHandlers(deps, identities, dispatcher);
  const reaper = createReapLoop(deps);
  const check = createLoop({
    name: "session check",
    wokenBy: { hints: deps.hints, topic: "agents" },
    sweepSeconds: Math.max(SESSIONS_SWEEP_SECONDS, deps.sweepSeconds),
    clock: deps.clock,
    logger: deps.logger,
    async run() {
      const all = sessions.all();
      if (all.length === 0) return;
      // Noted before the database is read: what is handed out meanwhile is not among these.
      const noted = all.flatMap((session) => [...session.held].map(([id, fence]) => ({ session, id, fence })));
      await closeReplaced(all);
      if (noted.length > 0) await freeSlots(noted);
    },
  });
  /**
   * An older connection's arrival may be noted last, when the database was slow: then it knows the wrong one, and hands
   * out nothing on the right one. Connecting again sets both right.
   */
  async function closeReplaced(all: readonly Session[]): Promise<void> {
    const known = all.map(({ agentId, id }) => ({ agentId, sessionId: id }));
    const replaced = new Set(await deps.store.findReplaced(known));
    for (const session of all) {
      if (!replaced.has(session.id)) continue;
      deps.logger.log("WARN", "the database knows another connection of an agent", { agent: session.name });
      session.close(CLOSE.tryLater, "the database knows another connection of this agent; connect again");
    }
  }
  /** What an agent dropped without a word, and somebody else has ended since, must not fill a slot for ever. */
  async function freeSlots(noted: readonly { session: Session; id: string; fence: number }[]): Promise<void> {
    const agentIds = [...new Set(noted.map(({ session }) => session.agentId))];
    const held = new Set((await deps.store.readHeld(agentIds)).map((t) => `${t.id}:${t.fence}`));
    for (const { session, id, fence } of noted) {
      if (!held.has(`${id}:${fence}`) && session.held.get(id) === fence) session.held.delete(id);
    }
  }
  const standings = createStandings(deps, sessions, identities, dispatcher.hear);
  const loops = [reaper, check, createCancelLoop(deps, sessions), dispatch];
  if (deps.identities) loops.push(standings.loop);
  if (deps.queries) loops.push(createQueryLoop(deps, deps.queries, sessions));
  if (deps.upgrades) loops.push(createUpgradeTeller(deps, deps.upgrades, sessions));
  let unsubscribe: (() => void)[] = [];

  const onAgents = (id: string | undefined) => {
    standings.refresh(id);
    dispatcher.hear();
  };

  return {
    gateway: createGateway(deps, sessions, handlers, identities),
    start() {
      for (const loop of loops) loop.start();
      unsubscribe = [deps.hints.on("tasks", dispatcher.hear), deps.hints.on("agents", onAgents)];
    },
    async stop() {
      // First of all: with a slow database the ends of the loops take seconds, in which results arrive.
      dispatcher.stop();
      for (const off of unsubscribe) off();
      for (const loop of [...loops].reverse()) await loop.stop();
      sessions.closeAll(CLOSE.restart, "the master is stopping; connect again");
    },
    takeHeard: handlers.takeHeard,
    stats: () => ({
      sessions: sessions.all().length,
      held: sessions.all().reduce((n, s) => n + s.held.size, 0),
      stale: handlers.stale,
    }),
  };
}
