/**
 * One handler per message of an agent; a message that is added to the protocol breaks the build here until it has one.
 *
 *   window of one session -> renewals, log chunks side by side (beginnings wait: acceptances.ts) -> refusals and results
 *
 * An agent speaks of a task in the order accept, log, result, so this order keeps what each task's messages mean.
 */
import type { HeldLease } from "../db/tasks/accept_tasks.ts";
import type { TaskResult } from "../db/tasks/finish_tasks.ts";
import type { NewChunk } from "../db/logs/append_chunks.ts";
import { sizeOf } from "../domain/log_data.ts";
import { Outcome } from "../protocol/operation.ts";
import { CLOSE } from "../protocol/agent_messages.ts";
import type { FromAgent, ToAgent } from "../protocol/agent_messages.ts";
import { createAnswers } from "./take_answers.ts";
import { createAcceptances } from "./acceptances.ts";
import type { AgentIdentities } from "./agent_identities.ts";
import type { Session } from "./agent_sessions.ts";
import type { CoreDeps } from "./deps.ts";
import type { Dispatcher } from "./dispatch_loop.ts";
import { createFolder } from "./folder.ts";

type Of<T extends FromAgent["type"]> = Extract<FromAgent, { type: T }>;
type Handlers = { [T in FromAgent["type"]]: (session: Session, messages: Of<T>[]) => Promise<void> };

export interface MessageHandlers {
  /** @param window messages in the order they came */
  handle(session: Session, window: FromAgent[]): Promise<void>;
  /** Agents heard of since the last call: for one write of all heartbeats. */
  takeHeard(): string[];
  readonly stale: StaleWrites;
}

/** Words of those who no longer held the lease, since this process began: refused, and without any other trace. */
export interface StaleWrites {
  renew: number;
  log: number;
  result: number;
  /** Observations of what was never deployed to the agent that sent them. */
  reports: number;
}

/** Kinds that wait until the rest of their window is done. */
const LAST: ReadonlySet<FromAgent["type"]> = new Set(["task.refuse", "task.result"]);

/** Rows of one transaction. */
const MAX_TASKS = 500;
/** Bytes of log of one transaction; about a window of one agent. A chunk weighs no less than its row. */
const MAX_CHUNK_BYTES = 1024 * 1024;
const ROW_BYTES = 4096;

export function createMessageHandlers(
  deps: CoreDeps,
  identities: AgentIdentities,
  dispatcher: Pick<Dispatcher, "finish" | "tellTaken">,
): MessageHandlers {
  const { store, hints } = deps;
  const heard = new Set<string>();
  const answers = deps.queries && createAnswers(deps.queries, hints);
  const stale: StaleWrites = { renew: 0, log: 0, result: 0, reports: 0 };
  const lease = (session: Session) => (m: { taskId: string; fence: number }): HeldLease => ({
    taskId: m.taskId,
    fence: m.fence,
    agentId: session.agentId,
  });
  const accepts = createFolder<HeldLease, boolean>(
    (items) => perLease(items, (some) => store.acceptTasks(some)),
    MAX_TASKS,
  );
  const begun = createAcceptances<Session>({
    clock: deps.clock,
    async write(leases) {
      await accepts.add(leases);
      deps.crashPoint("accepted");
      hints.announce("events");
    },
    onFailure(owners, error) {
      deps.logger.log("ERROR", "the beginning of tasks could not be written", { error: String(error) });
      // Connected again, they say once more what they are at.
      for (const session of owners) {
        session.close(CLOSE.tryLater, "the master could not write a beginning; connect again");
      }
    },
  });
  const renewals = createFolder<HeldLease, boolean>(
    (items) => perLease(items, (some) => store.renewLeases(some, deps.leaseSeconds)),
    5 * MAX_TASKS,
  );
  const results = createFolder<TaskResult, boolean>(
    (items) => perLease(items, dispatcher.finish),
    MAX_TASKS,
  );
  const chunks = createFolder<NewChunk, { offset: number } | undefined>(
    async (items) => {
      const heads = new Map((await store.appendChunks(items)).map((h) => [keyOf(h), h]));
      return items.map((i) => heads.get(keyOf(i)));
    },
    MAX_CHUNK_BYTES,
    (chunk) => Math.max(ROW_BYTES, sizeOf(chunk.data)),
  );

  const finish = async (session: Session, items: { taskId: string; fence: number; outcome: Outcome }[]) => {
    const ends = items.map((m) => ({ ...lease(session)(m), outcome: m.outcome }));
    await begun.end(ends);
    const answers = await results.add(ends);
    for (const m of items) if (session.held.get(m.taskId) === m.fence) session.held.delete(m.taskId);
    stale.result += answers.filter((accepted) => !accepted).length;
    await identities.refusedLeases(session, "result", items.filter((_, i) => !answers[i]));
    deps.crashPoint("finished");
    dispatcher.tellTaken();
    hints.announce("events");
    return answers;
  };

  const handlers: Handlers = {
    "agent.hello": async (session) => session.close(4400, "a session greets once"),
    "task.accept": async (session, messages) => {
      // Nobody waits for these, so only what it was given may stand in the line.
      const own = messages.filter((m) => session.held.get(m.taskId) === m.fence);
      begun.add(session, own.map(lease(session)));
    },
    "task.refuse": async (session, messages) => {
      const refused = messages.map((m) => ({
        ...m,
        outcome: Outcome.parse({
          status: "failed",
          code: "agent.refused",
          message: `${session.name} refused it: ${m.reason}`,
          retryable: m.retryable ?? false,
        }),
      }));
      await finish(session, refused);
    },
    "lease.renew": async (session, messages) => {
      const held = await renewals.add(messages.flatMap((m) => m.leases).map(lease(session)));
      heard.add(session.agentId);
      // An answer to each: the agent counts its trust from the moment it sent the very renewal that is answered.
      let at = 0;
      session.send(...messages.map((m): ToAgent => {
        const still = held.slice(at, at += m.leases.length);
        const lost = m.leases.filter((_, i) => !still[i]).map((l) => l.taskId);
        stale.renew += lost.length;
        for (const l of m.leases.filter((_, i) => !still[i])) {
          if (session.held.get(l.taskId) === l.fence) session.held.delete(l.taskId); // not if it was handed out to it anew
        }
        return {
          type: "lease.renewed",
          taskIds: m.leases.filter((_, i) => still[i]).map((l) => l.taskId),
          lost,
          round: m.round,
        };
      }));
      const refused = messages.flatMap((m) => m.leases).filter((_, i) => !held[i]);
      await identities.refusedLeases(session, "renew", refused);
      deps.crashPoint("renewed");
    },
    "log.chunk": async (session, messages) => {
      const heads = await chunks.add(messages.map((m) => toChunk(m, session.agentId)));
      deps.crashPoint("log_stored");
      stale.log += heads.filter((head) => head === undefined).length;
      await identities.refusedLeases(session, "log", messages.filter((_, i) => heads[i] === undefined));
      const acks = new Map<string, ToAgent>();
      messages.forEach((m, i) => {
        // No position: the lease is someone else's. Acknowledge all, so that the agent lets go of bytes nobody may store.
        const offset = heads[i]?.offset ?? Number.MAX_SAFE_INTEGER;
        acks.set(`${m.taskId}:${m.fence}`, { type: "log.ack", taskId: m.taskId, fence: m.fence, offset });
      });
      session.send(...acks.values());
      for (const id of new Set(messages.map((m) => m.taskId))) hints.announce("log", id);
    },
    "task.progress": async () => {},
    "task.result": async (session, messages) => {
      const accepted = await finish(session, messages);
      session.send(
        ...messages.map((m, i): ToAgent => ({
          type: "result.ack",
          taskId: m.taskId,
          fence: m.fence,
          accepted: accepted[i] ?? false,
        })),
      );
    },
    "slots.update": async (session, messages) => {
      session.slots = messages.at(-1)!.slots;
      hints.announce("tasks");
      const modes = messages.findLast((m) => m.modes)?.modes;
      if (!modes) return;
      await deps.changeModes?.(session.agentId, modes);
      hints.announce("events");
    },
    "state.report": async (session, messages) => {
      heard.add(session.agentId);
      const observed = messages.flatMap((m) => m.observed);
      const present = messages.findLast((m) => m.present)?.present;
      if (deps.recordObserved && (observed.length > 0 || present)) {
        stale.reports += await deps.recordObserved(session, { observed, present });
        hints.announce("events");
      }
      for (const { requestId } of messages) {
        if (requestId) await answers?.observed(session, requestId);
      }
    },
    "key.offer": async (session, messages) => {
      for (const message of messages) await identities.offered(session, message);
    },
    "key.confirm": async (session, messages) => {
      for (const message of messages) await identities.confirmed(session, message);
    },
    "ticket.kept": async (session) => await deps.identities?.keepTicket(session.agentId, session.id),
    "app.lines": async (session, messages) => await answers?.printed(session, messages),
    "upgrade.report": async (session, messages) => {
      for (const { type: _, ...report } of messages) await deps.upgrades?.note(session.agentId, report);
      hints.announce("upgrades");
      hints.announce("events");
    },
  };
  return {
    async handle(session, window) {
      const ending = new Map<string, number>();
      for (const m of window) if (m.type === "task.result" || m.type === "task.refuse") ending.set(m.taskId, m.fence);
      // Of a task that began and ended within one window, the end says it all.
      const told = ending.size === 0
        ? window
        : window.filter((m) => m.type !== "task.accept" || ending.get(m.taskId) !== m.fence);
      const kinds = Map.groupBy(told, (m) => m.type);
      const run = ([type, messages]: [FromAgent["type"], FromAgent[]]) =>
        (handlers[type] as (s: Session, m: FromAgent[]) => Promise<void>)(session, messages);
      await Promise.all([...kinds].filter(([type]) => !LAST.has(type)).map(run));
      await Promise.all([...kinds].filter(([type]) => LAST.has(type)).map(run));
    },
    stale,
    takeHeard() {
      const ids = [...heard];
      heard.clear();
      return ids;
    },
  };
}

/**
 * Old and new leases of one task may meet in a batch, from two agents. The verbs answer with ids of tasks, so each call
 * gets a task once: the answer to one lease never passes for that to another.
 * @returns per item, whether its lease held
 */
export async function perLease<L extends HeldLease>(
  items: readonly L[],
  verb: (items: L[]) => Promise<string[]>,
): Promise<boolean[]> {
  if (new Set(items.map((item) => item.taskId)).size === items.length) {
    const taken = new Set(await verb([...items]));
    return items.map((item) => taken.has(item.taskId));
  }
  const answers = new Map<string, boolean>();
  let rest = items;
  while (rest.length > 0) {
    const round = new Map<string, L>();
    for (const item of rest) if (!round.has(item.taskId)) round.set(item.taskId, item);
    const taken = new Set(await verb([...round.values()]));
    for (const item of round.values()) answers.set(keyOf(item), taken.has(item.taskId));
    rest = rest.filter((item) => !answers.has(keyOf(item)));
  }
  return items.map((item) => answers.get(keyOf(item))!);
}
const keyOf = (lease: { taskId: string; fence: number; agentId: string }) =>
  `${lease.taskId}:${lease.fence}:${lease.agentId}`;

function toChunk(m: Of<"log.chunk">, agentId: string): NewChunk {
  const { taskId, fence, sequence, offset } = m;
  const data = m.encoding === "utf8" ? m.data : Uint8Array.from(atob(m.data), (c) => c.charCodeAt(0));
  return { taskId, fence, agentId, sequence, offset, data };
}
