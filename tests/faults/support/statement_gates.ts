/**
 * Puts a gate before every statement, and before every commit, of several users of one database, so that fast-check's
 * scheduler decides in which order they reach PostgreSQL. The locks are the real ones: whoever waits for a row waits in
 * the server, and the others go on.
 *
 *   actor: at a gate --opened by the scheduler--> in the server --answered--> at the next gate ... --> ended
 *                                                    '--waits for a lock: the next gate is opened meanwhile
 */
import { waitingForLocks } from "../../helpers/waiting_for_locks.ts";
import type { Scheduler } from "fast-check";
import type { Sql, TransactionSql } from "../../../db/client.ts";
import type { Database } from "../../../db/database.ts";

/** Waits for its turn, then lets `leave` go to the server. */
type Gate = <T>(label: string, leave: () => Promise<T>) => Promise<T>;
type Query = Promise<unknown> & { then: Promise<unknown>["then"] };

/** A statement leaves when it is awaited, so that is where its gate stands; a fragment is never awaited and has none. */
function gated<S extends Sql | TransactionSql>(sql: S, gate: Gate): S {
  /** Statements that are sent together leave in their order, as on one connection; resolves when the last one has left. */
  let left: Promise<void> = Promise.resolve();
  const depart = <T>(words: string, leave: () => Promise<T>): Promise<T> => {
    const before = left;
    const { promise, resolve } = Promise.withResolvers<void>();
    left = promise;
    return before.then(() =>
      gate(words, () => {
        resolve();
        return leave();
      })
    );
  };
  return new Proxy(sql, {
    apply(target, self, args) {
      const query = Reflect.apply(target as never, self, args) as Query;
      if (typeof query?.then !== "function" || !Array.isArray(args[0]) || !("raw" in args[0])) return query;
      const leave = query.then.bind(query);
      const words = (args[0] as string[]).join("?").trim().replace(/\s+/g, " ").slice(0, 60);
      let answer: Promise<unknown> | undefined; // the driver itself listens too: that is no second departure
      query.then = ((done: never, failed: never) => {
        answer ??= depart(words, () => new Promise((resolve, reject) => void leave(resolve as never, reject)));
        return answer.then(done, failed);
      }) as Query["then"];
      return query;
    },
    get(target, key) {
      if (key !== "begin") return Reflect.get(target, key);
      return (...args: unknown[]) => {
        const body = args.pop() as (tx: TransactionSql) => Promise<unknown>;
        const within = async (tx: TransactionSql) => {
          const answer = await body(gated(tx, gate));
          await gate("commit", () => Promise.resolve());
          return answer;
        };
        return (target as unknown as { begin: (...a: unknown[]) => Promise<unknown> }).begin(...args, within);
      };
    },
  }) as S;
}

/** How long an actor may be in the server before it is asked whether it waits for a lock. */
const LOOK_MS = 3;

/** Runs the actors to their ends; `s` opens one gate at a time, once all the others wait at one or for a lock. */
export async function interleave(
  s: Scheduler,
  db: Database,
  actors: Record<string, (db: Database) => Promise<void>>,
): Promise<void> {
  /** Of each actor that has not ended: its statements at gates, and in the server. */
  const present = new Set<{ waiting: number; away: number }>();
  let failure: { error: unknown } | undefined;
  let wake = () => {};
  const all = Object.entries(actors).map(async ([name, act]) => {
    const actor = { waiting: 0, away: 0 };
    present.add(actor);
    const gate: Gate = async (label, leave) => {
      actor.waiting++;
      wake();
      await s.schedule(Promise.resolve(), `${name}: ${label}`);
      actor.waiting--;
      actor.away++;
      try {
        return await leave();
      } finally {
        actor.away--;
      }
    };
    try {
      await gate("begins", () => Promise.resolve());
      await act({ ...db, sql: gated(db.sql, gate) });
    } catch (error: unknown) {
      failure ??= { error };
    }
    present.delete(actor);
    wake();
  });
  const busy = () => [...present].filter((actor) => actor.away > 0 || actor.waiting === 0).length;
  const aWhile = () =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, LOOK_MS);
      wake = () => (clearTimeout(timer), resolve());
    });
  /** Whether everybody who is in the server waits for somebody at a gate. */
  const areAllLocked = async () => await waitingForLocks(db) >= busy();
  while (present.size > 0) {
    const someWait = [...present].some((actor) => actor.waiting > 0);
    if (busy() === 0 || (someWait && await areAllLocked() && [...present].some((actor) => actor.waiting > 0))) {
      await s.waitNext(1);
    } else await aWhile();
  }
  await Promise.all(all);
  if (failure) throw failure.error;
}
