/**
 * The end of a connection that an agent opened.
 *
 *   open -> challenge sent --hello, signed--> admitted -> reconciled with the database -> welcome -> messages
 *     |                       |                                                            |
 *     '--5 s without hello-> closed 4408 | bad message 4400 | unknown 4401 | protocol 4406 '--replaced 4409 | gone
 *
 * Messages of one session are handed over in windows, one after the other, and within a window those of one task keep
 * their order, so a log chunk is stored before the result that follows it. Windows are folded with those of other
 * sessions. A crash leaves nothing: every answer is sent after its transaction, and what was not answered the agent
 * sends again.
 */
import type { Link, Timer } from "../domain/ports.ts";
import { CLOSE, HELLO_SECONDS, MAX_FRAME_BYTES, parseFromAgent } from "../protocol/agent_messages.ts";
import type { FromAgent, ToAgent } from "../protocol/agent_messages.ts";
import { admitAgent } from "./admit_agent.ts";
import type { Hello } from "./admit_agent.ts";
import type { AgentIdentities } from "./agent_identities.ts";
import { createArrivals } from "./arrivals.ts";
import type { Session, Sessions } from "./agent_sessions.ts";
import type { CoreDeps } from "./deps.ts";
import { createInflow } from "./inflow.ts";
import type { MessageHandlers } from "./message_handlers.ts";
import { openSession } from "./open_session.ts";

/**
 * Messages, and characters of them, that may wait to be handled. The last resort: long before, nothing more is read of a
 * session (`inflow.ts`), but for many small messages and links that cannot be held back.
 */
const MAX_WAITING = 20_000;
const MAX_WAITING_CHARACTERS = 32 * MAX_FRAME_BYTES;
/** What is there has so long to answer when another process comes with its identity. */
const PROBE_MS = 3000;
/** Handed over together. */
const MAX_WINDOW = 1000;

export interface Gateway {
  /** Takes over a link that was just opened. `embeddedId`: the agent of this process it belongs to. */
  accept(link: Link, embeddedId?: string): void;
}

export function createGateway(
  deps: CoreDeps,
  sessions: Sessions,
  handlers: MessageHandlers,
  identities: AgentIdentities,
): Gateway {
  const doorway = { deps, sessions, arrive: createArrivals(deps), identities };
  const inflow = createInflow();
  return {
    accept(link, embeddedId) {
      const nonce = deps.newId() + deps.newId();
      let session: Session | undefined;
      let greeting = false;
      let closed = false;
      const send = (...messages: ToAgent[]) => {
        if (!closed) sendFrames(link, messages);
      };
      const end = (code: number, reason: string) => {
        if (closed) return;
        closed = true;
        helloTimer.cancel();
        link.close(code, reason.slice(0, 120));
        if (session) sessions.remove(session);
        if (!pumping) flow.end();
      };
      const helloTimer: Timer = deps.clock.after(HELLO_SECONDS * 1000, () => end(CLOSE.helloTimeout, "no hello came"));

      const waiting: FromAgent[] = [];
      /** Of what waits, and of the window that is being handled; about, because a frame may hold many messages. */
      const flow = inflow.open(link);
      let pumping = false;
      const pump = async () => {
        pumping = true;
        try {
          while (waiting.length > 0 && session) {
            const share = flow.waiting / waiting.length;
            const window = waiting.splice(0, MAX_WINDOW);
            await handlers.handle(session, window);
            flow.done(waiting.length === 0 ? flow.waiting : share * window.length);
          }
        } catch (error: unknown) {
          // Nothing was answered, so nothing is lost: the agent reconnects and sends again what has no answer.
          deps.logger.log("ERROR", "a message of an agent could not be handled", {
            agent: session?.name,
            error: String(error),
          });
          end(CLOSE.tryLater, "the master could not handle a message; connect again");
        }
        pumping = false;
        if (closed) flow.end();
      };

      const greet = async (hello: Hello) => {
        greeting = true;
        try {
          const admission = await admitAgent(deps, hello, nonce, embeddedId ?? null);
          if (closed) return; // its agent may have come in by a newer connection: nothing of that is touched
          const opened = await openSession(doorway, hello, admission, {
            ip: link.peer ?? null,
            send,
            answers: async () => await link.probe?.(PROBE_MS) ?? false,
            close: end,
          });
          if (!opened) return;
          if (closed) return await deps.store.disconnectAgent(opened.session.agentId, opened.session.id);
          session = opened.session;
          sessions.add(session);
          send(opened.welcome);
          deps.crashPoint("welcomed");
          deps.hints.announce("events");
          deps.hints.announce("tasks");
          deps.hints.announce("upgrades");
        } catch (error: unknown) {
          deps.logger.log("ERROR", "an agent could not be let in", { error: String(error) });
          end(CLOSE.tryLater, "the master could not let the agent in; connect again");
        }
      };

      link.onText((text) => {
        if (closed) return;
        let messages: FromAgent[];
        try {
          messages = parseFromAgent(text);
        } catch (error: unknown) {
          deps.logger.log("WARN", "an agent sent what is no message", {
            agent: session?.name,
            error: String(error).slice(0, 500),
          });
          return end(CLOSE.badMessage, "not a message of this protocol");
        }
        for (const message of messages) {
          if (!greeting) {
            if (message.type !== "agent.hello") {
              return end(CLOSE.unauthenticated, "the first message must be agent.hello");
            }
            helloTimer.cancel(); // a slow database is no silence of the agent
            void greet(message);
            // Nothing of somebody who is not let in yet is kept: it would be a stranger's to fill our memory with.
          } else if (!session) return end(CLOSE.unauthenticated, "nothing is read between agent.hello and the welcome");
          else waiting.push(message);
        }
        flow.take(text.length);
        if (waiting.length > MAX_WAITING || flow.waiting > MAX_WAITING_CHARACTERS) {
          deps.logger.log("WARN", "an agent sends faster than it can be handled", {
            agent: session?.name,
            waiting: waiting.length,
          });
          return end(CLOSE.tryLater, "too many messages wait");
        }
        if (session && waiting.length > 0 && !pumping) void pump();
      });
      link.onClose((code, reason) => {
        closed = true;
        helloTimer.cancel();
        if (!pumping) flow.end();
        if (!session) return;
        sessions.remove(session);
        const gone = session;
        const gaveUp = code === 1006 && reason !== "";
        deps.logger.log(gaveUp ? "WARN" : "INFO", "agent disconnected", {
          agent: gone.name,
          code,
          ...(gaveUp && { reason }),
        });
        deps.store.disconnectAgent(gone.agentId, gone.id).then(
          () => deps.hints.announce("events"),
          (error: unknown) =>
            deps.logger.log("WARN", "a disconnect could not be noted", { agent: gone.name, error: String(error) }),
        );
      });
      send({ type: "agent.challenge", nonce, masterId: deps.masterId });
    },
  };
}

/** One frame for many messages, as long as it stays within the limit. */
function sendFrames(link: Link, messages: readonly ToAgent[]): void {
  let frame: string[] = [];
  let size = 2;
  const flush = () => {
    if (frame.length > 0) link.send(frame.length === 1 ? frame[0]! : `[${frame.join(",")}]`);
    frame = [];
    size = 2;
  };
  for (const message of messages) {
    const text = JSON.stringify(message);
    // Three bytes at most for a UTF-16 unit: an upper bound that needs no encoding.
    if (size + text.length * 3 > MAX_FRAME_BYTES) flush();
    frame.push(text);
    size += text.length * 3 + 1;
  }
  flush();
}
