/**
 * Lets several verbs run at once on real PostgreSQL, statement by statement in an order that fast-check chooses. Each
 * actor has a connection of its own and waits before every statement and before every commit; the next one goes only when
 * the last has come to its next statement, has ended, or waits for a lock that another actor holds.
 */
import type fc from "fast-check";
import { afterAll } from "vitest";
import { openClient } from "../../db/client.ts";
import type { Sql, TransactionSql } from "../../db/client.ts";
import type { Database } from "../../db/database.ts";
import type { TestDatabase } from "./test_database.ts";

export type Act<T = unknown> = (db: Database) => Promise<T>;
export interface Stage {
  /** @returns what each act answered; throws what one of them threw */
  together(scheduler: fc.Scheduler, acts: Record<string, Act>): Promise<Record<string, unknown>>;
}
/** @returns to be called when the statement has been answered */
type Pass = (statement: string) => Promise<() => void>;
/** Looks at the server, each of which takes a round trip. */
const ENOUGH = 20_000;
interface Actor {
  pid: number;
  busy: boolean;
  /** Statements that wait to be let through; a verb may have sent several. */
  waiting: number;
  /** Statements that were let through and are not answered yet. */
  running: number;
}
/** On its way to the next statement, or waiting for a lock. */
const isGoing = (actor: Actor) => actor.busy && (actor.running > 0 || actor.waiting === 0);

/** @param size how many acts run at once at most */
export async function createStage(db: TestDatabase, size: number): Promise<Stage> {
  const clients = Array.from({ length: size }, () => openClient(db.target, { max: 1 }));
  afterAll(() => Promise.all(clients.map((client) => client.end({ timeout: 5 }))));
  const actors: Actor[] = [];
  for (const client of clients) {
    await client`set deadlock_timeout = '20ms'`;
    const [row] = await client<{ pid: number }[]>`select pg_backend_pid() as pid`;
    actors.push({ pid: row!.pid, busy: false, waiting: 0, running: 0 });
  }
  const isBlocked = async (pids: number[]) =>
    new Set(
      (await db.sql<
        { pid: number }[]
      >`select pid from pg_stat_activity where pid = any(${pids}) and wait_event_type = 'Lock'`)
        .map((r) => r.pid),
    );
  /** Everybody stands at a gate, has ended, or waits for a lock. */
  async function rest(): Promise<void> {
    for (let look = 0; look < ENOUGH; look++) {
      const going = actors.filter(isGoing);
      if (going.length === 0) return;
      const blocked = await isBlocked(going.map((a) => a.pid));
      if (going.every((a) => !isGoing(a) || blocked.has(a.pid))) return;
    }
    throw new Error("An act neither goes on nor waits for a lock.");
  }

  return {
    async together(scheduler, acts) {
      const answers: Record<string, unknown> = {};
      const ends = Object.entries(acts).map(async ([name, act], index) => {
        const actor = actors[index]!;
        // Statements of one connection keep the order in which they were sent.
        let last: Promise<unknown> = Promise.resolve();
        const pass: Pass = async (statement) => {
          actor.waiting++;
          await (last = last.then(() => scheduler.schedule(Promise.resolve(), `${name}: ${statement}`)));
          actor.waiting--;
          actor.running++;
          return () => void actor.running--;
        };
        actor.busy = true;
        try {
          answers[name] = await act({ sql: gated(clients[index]!, pass), newId: db.newId });
        } finally {
          Object.assign(actor, { busy: false, running: 0 });
        }
      });
      const all = Promise.allSettled(ends);
      while (await rest(), actors.some((a) => a.busy)) {
        if (scheduler.count() > 0) await scheduler.waitOne();
      }
      for (const end of await all) if (end.status === "rejected") throw end.reason;
      return answers;
    },
  };
}

/** The client, whose statements and commits wait to be let through. */
function gated(client: Sql, pass: Pass): Sql {
  return new Proxy(client, {
    apply: (target, self, args) => hold(Reflect.apply(target as never, self, args), args, pass),
    get: (target, key) =>
      key !== "begin"
        ? Reflect.get(target, key)
        : (body: (tx: TransactionSql) => Promise<unknown>) =>
          target.begin(async (tx) => {
            const result = await body(
              new Proxy(tx, {
                apply: (inner, self, args) => hold(Reflect.apply(inner as never, self, args), args, pass),
              }),
            );
            (await pass("commit"))();
            return result;
          }),
  });
}

/** A statement runs when it is awaited; one that is only part of another never is. */
function hold<T>(query: T, [strings]: unknown[], pass: Pass): T {
  if (!Array.isArray(strings) || !("raw" in strings)) return query;
  const words = (strings as string[]).join("?").replace(/\s+/g, " ").trim().slice(0, 60);
  const statement = query as PromiseLike<unknown>;
  statement.then = async (ok, bad) => {
    Reflect.deleteProperty(statement, "then"); // the driver listens to it, too
    const answered = await pass(words);
    statement.then(answered, answered);
    return await statement.then(ok, bad);
  };
  return query;
}
