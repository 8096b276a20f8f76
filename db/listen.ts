/**
 * Joins the hints of several processes over LISTEN/NOTIFY.
 *
 *   announce -> subscribers of this process at once -> collected for some milliseconds -> one pg_notify -> the others
 *
 * Notifications are sent after and apart from the transaction they speak of: inside it, every commit would queue on the
 * one lock that orders notifications. What a crash or a cut loses is only a hint; every reader sweeps.
 */
import type { Clock, Logger, Timer } from "../domain/ports.ts";
import type { Sql } from "./client.ts";
import { createHints } from "./hints.ts";
import type { Hints, HintTopic } from "./hints.ts";

const CHANNEL = "boreas";
const COLLECT_MS = 5;
/** Under load hints come without end: so much lies between two notifications. */
const REST_MS = 25;
/** A payload holds 8,000 bytes; an id costs 40. */
const MAX_IDS = 100;

export interface JoinedHints extends Hints {
  close(): Promise<void>;
}

export async function joinHints(
  sql: Sql,
  deps: { clock: Clock; logger: Logger; processId: string; listen: boolean },
): Promise<JoinedHints> {
  const local = createHints();
  const waiting = new Map<HintTopic, Set<string>>();
  let timer: Timer | undefined;
  let closed = false;
  let restsUntil = -Infinity;

  const flush = async () => {
    timer = undefined;
    const payloads = [...waiting].map(([topic, ids]) =>
      JSON.stringify({ from: deps.processId, topic, ids: ids.size > MAX_IDS ? [] : [...ids] })
    );
    waiting.clear();
    restsUntil = deps.clock.monotonic() + REST_MS;
    try {
      await sql`select pg_notify(${CHANNEL}, p) from unnest(${payloads}::text[]) as p`;
    } catch (error: unknown) {
      // A hint may be lost; the sweep of the others finds the work. Say so once per trouble, at debug level.
      deps.logger.log("DEBUG", "a hint could not be sent", { error: String(error) });
    }
  };
  let unlisten = async () => {};
  if (deps.listen) {
    const subscription = await sql.listen(CHANNEL, (payload) => {
      const { from, topic, ids } = JSON.parse(payload) as { from: string; topic: HintTopic; ids: string[] };
      if (from === deps.processId) return;
      if (ids.length === 0) local.announce(topic);
      for (const id of ids) local.announce(topic, id);
    }, () => {
      // (Re)connected: whatever was announced meanwhile is unknown, so everybody looks once.
      for (
        const topic of ["tasks", "events", "deliveries", "builds", "agents", "upgrades", "queries", "sources"] as const
      ) {
        local.announce(topic);
      }
    });
    unlisten = () => subscription.unlisten();
  }
  return {
    on: local.on,
    announce(topic, id) {
      local.announce(topic, id);
      if (closed) return;
      const ids = waiting.get(topic) ?? new Set();
      if (id) ids.add(id);
      waiting.set(topic, ids);
      timer ??= deps.clock.after(Math.max(COLLECT_MS, restsUntil - deps.clock.monotonic()), () => void flush());
    },
    async close() {
      closed = true;
      timer?.cancel();
      await unlisten();
    },
  };
}
