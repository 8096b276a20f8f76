/** Starts the loops in order and stops them in reverse. Several schedulers may run on one database. */
import { bindEmbedded } from "../db/agents/register_embedded.ts";
import { readAgentIdentity, touchAgents } from "../db/agents/read_agent_identity.ts";
import { readHeld } from "../db/tasks/read_held.ts";
import { sealAudit } from "../db/audit/seal_audit.ts";
import { deleteOldRequests } from "../db/idempotency/finish_request.ts";
import { CLOSE } from "../protocol/agent_messages.ts";
import { createGateway } from "./agent_gateway.ts";
import type { Gateway } from "./agent_gateway.ts";
import { createSessions } from "./agent_sessions.ts";
import type { SchedulerDeps } from "./deps.ts";
import { createDispatchLoop } from "./dispatch_loop.ts";
import { createLoop } from "./loop.ts";
import { createMessageHandlers } from "./message_handlers.ts";
import { createReapLoop, createTimerLoop } from "./reap_loop.ts";

export interface Scheduler {
  gateway: Gateway;
  start(): void;
  /** No new leases, sockets closed with 1012, running tasks untouched. */
  stop(): Promise<void>;
  stats(): { sessions: number; held: number };
}

export function createScheduler(deps: SchedulerDeps): Scheduler {
  const sessions = createSessions();
  const handlers = createMessageHandlers(deps);
  const dispatch = createDispatchLoop(deps, sessions);
  const reaper = createReapLoop(deps);
  const timer = createTimerLoop(deps);
  const upkeep = createLoop({
    name: "upkeep",
    sweepSeconds: Math.max(10, deps.sweepSeconds),
    clock: deps.clock,
    logger: deps.logger,
    async run() {
      await touchAgents(deps.db, handlers.takeHeard());
      await freeSlots();
      await bindEmbedded(deps.db.sql);
      await deleteOldRequests(deps.db);
      await sealAudit(deps.db);
    },
  });
  /** What an agent dropped without a word, and somebody else has ended since, must not fill a slot for ever. */
  const freeSlots = async () => {
    const all = sessions.all();
    // Noted before the database is read: what is handed out meanwhile is not among these.
    const noted = all.flatMap((session) => [...session.held].map(([id, fence]) => ({ session, id, fence })));
    const held = new Set((await readHeld(deps.db, all.map((s) => s.agentId))).map((t) => `${t.id}:${t.fence}`));
    for (const { session, id, fence } of noted) {
      if (!held.has(`${id}:${fence}`) && session.held.get(id) === fence) session.held.delete(id);
    }
  };
  const loops = [reaper, timer, upkeep, dispatch];
  let unsubscribe: (() => void)[] = [];

  /** A person changed an agent: revoked, cordoned, bound to other environments. */
  const refreshAgent = async (id: string) => {
    const session = sessions.byAgent(id);
    if (!session) return;
    const agent = await readAgentIdentity(deps.db, id);
    if (!agent || agent.status === "revoked") return session.close(CLOSE.revoked, "this agent was revoked");
    session.cordoned = agent.cordoned;
    dispatch.wake();
  };
  const onAgents = (id: string | undefined) => {
    upkeep.wake();
    const ids = id ? [id] : sessions.all().map((s) => s.agentId);
    for (const each of ids) {
      refreshAgent(each).catch((error: unknown) =>
        deps.logger.log("WARN", "an agent could not be read again", { agentId: each, error: String(error) })
      );
    }
    dispatch.wake();
  };

  return {
    gateway: createGateway(deps, sessions, handlers),
    start() {
      for (const loop of loops) loop.start();
      unsubscribe = [
        deps.hints.on("tasks", () => {
          dispatch.wake();
          timer.wake();
        }),
        deps.hints.on("agents", onAgents),
      ];
    },
    async stop() {
      for (const off of unsubscribe) off();
      for (const loop of [...loops].reverse()) await loop.stop();
      sessions.closeAll(CLOSE.restart, "the master is stopping; connect again");
    },
    stats: () => ({ sessions: sessions.all().length, held: sessions.all().reduce((n, s) => n + s.held.size, 0) }),
  };
}
