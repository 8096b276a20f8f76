/**
 * From events to people, on the master that leads.
 *
 *   events behind the cursor -> messages (rows, in the transaction that moves the cursor)
 *   a message that is due -> taken (a lease) -> sent -> noted
 *
 * A crash before the note leaves a lease that runs out: the message goes out again under the same id, so that a receiver
 * can tell. Between the two it may have been taken twice; it is never lost.
 */
import { createAside } from "../../db/aside.ts";
import { type ClaimedMessage, claimMessages, findAway, nextMessageIn } from "../../db/notifications/claim_messages.ts";
import { openTarget } from "../../db/notifications/channel_secrets.ts";
import { finishMessage, type MessageEnd } from "../../db/notifications/finish_message.ts";
import { routeEvents, type RouteOptions } from "../../db/notifications/route_events.ts";
import type { Database } from "../../db/database.ts";
import type { Hints } from "../../db/hints.ts";
import type { Vault } from "../../db/secrets/vault.ts";
import { AppError } from "../../domain/app_error.ts";
import { MailError } from "../../domain/mail.ts";
import { afterTrouble, nextTryIn } from "../../domain/notification.ts";
import type { Logger } from "../../domain/ports.ts";
import { reason } from "../../domain/reason.ts";
import { OutgoingError } from "../gitops/outgoing_http.ts";
import type { Leadership } from "../leadership.ts";
import type { Loop } from "../loop.ts";
import { createPlacedLoop } from "../placed_loop.ts";
import { RefusedError, type SendDeps, sendMessage } from "./send_message.ts";

export interface NotifyDeps extends SendDeps, RouteOptions {
  db: Database;
  vault: Vault;
  hints: Hints;
  logger: Logger;
  leadership: Leadership;
  /** How long a message is one sender's; no call takes longer than half of it. */
  leaseSeconds: number;
  sweepSeconds: number;
  /** Instead of the usual pauses between tries; for tests. */
  nextTryIn?: typeof nextTryIn;
}
const AT_ONCE = 32;
/** One that takes connections and never answers holds these until they time out, and no other. */
const OF_ONE_SERVER = 8;
/** However often it is woken: a busy installation writes events all the time, and people read slower than that. */
const REST_SECONDS = 0.5;

export function createNotifyLoop(deps: NotifyDeps): Loop {
  const { db } = deps;
  const aside = createAside(deps, "what is to be told (a channel, or an event)");
  return createPlacedLoop({
    ...{ name: "notifications", what: "a message", most: AT_ONCE, share: OF_ONE_SERVER },
    sweepSeconds: deps.sweepSeconds,
    restSeconds: REST_SECONDS,
    onlyLeader: deps.leadership,
    wokenBy: { hints: deps.hints, topic: "events" },
    clock: deps.clock,
    logger: deps.logger,
    async run(places, isOn) {
      while ((await routeEvents(db, { ...deps, aside })).more && isOn());
      for (const message of await claimMessages(db, places.room(), deps.leaseSeconds)) {
        places.begin(message.host, () => tell(deps, message));
      }
      if (places.free() === 0) return;
      return await nextMessageIn(db, places.full());
    },
  });
}

async function tell(deps: NotifyDeps, message: ClaimedMessage): Promise<void> {
  const end = await tryOnce(deps, message);
  if (await finishMessage(deps.db, message, end)) deps.hints.announce("events");
}

async function tryOnce(deps: NotifyDeps, claimed: ClaimedMessage): Promise<MessageEnd> {
  if (!claimed.enabled && claimed.event !== "test") {
    return { status: "dropped", reason: reason("notification.switched_off") };
  }
  try {
    const message = await leaveOutWhatIsOver(deps.db, claimed);
    if (!message) return { status: "dropped", reason: reason("notification.over") };
    const target = await openTarget(deps.vault, message.notificationId, message.sealed);
    const destination = await sendMessage(deps, message, target);
    return { status: "sent", reason: reason("notification.sent", { destination }) };
  } catch (error: unknown) {
    return judge(deps, claimed, error);
  }
}

/** Agents that came back while the message was waiting are none of its business any more. */
async function leaveOutWhatIsOver(db: Database, message: ClaimedMessage): Promise<ClaimedMessage | undefined> {
  if (message.event !== "agent.offline") return message;
  const ids = [...new Set(message.items.map((item) => item.subjectId!))];
  const away = await findAway(db, ids);
  if (away.size === 0) return undefined;
  // One that came and went is one; beyond those that are known one by one, nobody can say.
  const items = ids.filter((id) => away.has(id)).map((id) => message.items.findLast((item) => item.subjectId === id)!);
  return { ...message, items, count: items.length + (message.count - message.items.length) };
}

function judge(deps: NotifyDeps, { attempts, notificationId }: ClaimedMessage, error: unknown): MessageEnd {
  const detail = sayTrouble(error);
  if (detail === undefined) {
    deps.logger.log("ERROR", "a message could not be sent", { notificationId, error: String(error) });
  }
  const said = detail ?? "the master could not send it; its log says why";
  if (error instanceof RefusedError) {
    return { status: "failed", reason: reason("notification.refused", { detail: said }) };
  }
  return afterTrouble({ attempts, detail: said, pause: (deps.nextTryIn ?? nextTryIn)(attempts) });
}

/** In words for people; undefined of what nobody foresaw. */
function sayTrouble(error: unknown): string | undefined {
  const foreseen = [OutgoingError, RefusedError, MailError, AppError].some((kind) => error instanceof kind);
  return foreseen ? (error as Error).message.replace(/\.$/, "") : undefined;
}
