/**
 * A master and an agent within the test that die at a named point as a process does: from that moment on nothing they do
 * reaches the database, the disk, the other end or a program; a transaction under way is rolled back. What lives outside
 * of them stays: the database, the agent's folder, the programs it has started.
 */
import { createAgent } from "../../../agents/agent.ts";
import type { Agent } from "../../../agents/agent.ts";
import { createEmbeddedIdentity } from "../../../agents/identity.ts";
import { createMemoryDisk } from "../../../agents/memory_disk.ts";
import { createMemoryLinkPair } from "../../../agents/memory_link.ts";
import type { Sql, TransactionSql } from "../../../db/client.ts";
import type { Database } from "../../../db/database.ts";
import { setSealingKey } from "../../../db/agents/register_embedded.ts";
import { createHints } from "../../../db/hints.ts";
import type { Hints } from "../../../db/hints.ts";
import { createVault } from "../../../db/secrets/vault.ts";
import type { Clock, Disk, Link } from "../../../domain/ports.ts";
import { planStages } from "../../../domain/strategy.ts";
import { createClock } from "../../../host/clock.ts";
import type { Operator } from "../../../operators/operator.ts";
import { soleLeader } from "../../../scheduler/leadership.ts";
import { createScheduler } from "../../../scheduler/scheduler.ts";
import { quiet, TEST_MASTER } from "../../helpers/start_scheduler.ts";

class Crashed extends Error {}

/** One life. `after` ends it by name, at the so-manieth time that this point is reached. */
export interface Life {
  readonly dead: boolean;
  /** Resolves with the point at which it ended. */
  died: Promise<string>;
  crashPoint(name: string): void;
  end(why: string): void;
}

export function createLife(crashAt?: string, times = 1): Life {
  const { promise: died, resolve } = Promise.withResolvers<string>();
  let dead = false;
  let left = times;
  const end = (why: string) => {
    dead = true;
    resolve(why);
  };
  return {
    died,
    end,
    get dead() {
      return dead;
    },
    crashPoint(name) {
      if (!dead && name === crashAt && --left === 0) end(name);
      if (dead) throw new Crashed(name);
    },
  };
}

const never = <T>() => new Promise<T>(() => {});

/** Statements of the dead fail, so that their transactions are rolled back, as the server does when a client is gone. */
function mortalSql<S extends Sql | TransactionSql>(sql: S, life: Life): S {
  const check = () => life.crashPoint("");
  return new Proxy(sql, {
    apply(target, self, args) {
      check();
      return Reflect.apply(target as never, self, args);
    },
    get(target, key) {
      if (key !== "begin") return Reflect.get(target, key);
      return async (body: (tx: TransactionSql) => Promise<unknown>) => {
        check();
        return await (target as Sql).begin(async (tx) => {
          const answer = await body(mortalSql(tx, life));
          check();
          return answer;
        });
      };
    },
  }) as S;
}

const mortalClock = (clock: Clock, life: Life): Clock => ({
  ...clock,
  after: (milliseconds, call) => clock.after(milliseconds, () => life.dead ? undefined : call()),
});

const mortalDisk = (disk: Disk, life: Life): Disk =>
  new Proxy(disk, {
    get: (target, key) => (...args: unknown[]) =>
      life.dead ? never() : (Reflect.get(target, key) as (...a: unknown[]) => unknown)(...args),
  });

/** What the dead send goes nowhere, and they hear nothing. */
function mortalLink(link: Link, life: Life): Link {
  life.died.then(() => link.terminate());
  return {
    send: (text) => life.dead ? undefined : link.send(text),
    onText: (listen) => link.onText((text) => life.dead ? undefined : listen(text)),
    onClose: (listen) => link.onClose((code, reason) => life.dead ? undefined : listen(code, reason)),
    close: (code, reason) => life.dead ? undefined : link.close(code, reason),
    terminate: () => link.terminate(),
    get bufferedAmount() {
      return link.bufferedAmount;
    },
  };
}

export interface MortalOptions {
  db: Database;
  leaseSeconds: number;
  sweepSeconds: number;
  restartGraceSeconds: number;
  /** What stands between the two ends of each connection; nothing when absent. */
  between?: (link: Link) => Link;
}

export function createMortalParts(options: MortalOptions) {
  const clock = createClock();
  /** Outlives every master, as PostgreSQL's channel does. */
  const hints = createHints();
  let gateway: { accept(link: Link, id: string): void } | undefined;
  const stops: (() => Promise<void>)[] = [];

  return {
    hints,
    clock,
    async startMaster(life: Life = createLife()): Promise<Life> {
      const own: Hints = {
        announce: (topic, id) => life.dead ? undefined : hints.announce(topic, id),
        on: (topic, call) => hints.on(topic, (id) => life.dead ? undefined : call(id)),
      };
      const scheduler = createScheduler({
        db: { ...options.db, sql: mortalSql(options.db.sql, life), crashPoint: life.crashPoint },
        hints: own,
        vault: await createVault(new Uint8Array(32).fill(7)),
        clock: mortalClock(clock, life),
        chance: () => 0.5,
        logger: quiet,
        crashPoint: life.crashPoint,
        planners: { mock: planStages, pm: planStages },
        leadership: soleLeader,
        masterId: TEST_MASTER,
        blobTicketKey: new Uint8Array(32).fill(9),
        leaseSeconds: options.leaseSeconds,
        sweepSeconds: options.sweepSeconds,
        restartGraceSeconds: options.restartGraceSeconds,
      });
      gateway = { accept: (link, id) => scheduler.gateway.accept(mortalLink(link, life), id) };
      life.died.then(() => gateway = undefined);
      scheduler.start();
      stops.push(() => scheduler.stop());
      return life;
    },
    async startAgent(
      id: string,
      given: { operators: Operator[]; disk?: Disk; slots?: number },
      life: Life = createLife(),
    ): Promise<{ life: Life; agent: Agent; cut(): void }> {
      const { identity, sealingKey } = await createEmbeddedIdentity(id);
      await setSealingKey(options.db, id, sealingKey);
      let present: Link | undefined;
      const agent = createAgent({
        identity,
        kind: "mock",
        versions: {},
        slots: given.slots ?? 10,
        operators: given.operators,
        dialer: {
          dial() {
            if (life.dead) return never();
            if (!gateway) return Promise.reject(new Error("nobody listens"));
            const [mine, theirs] = createMemoryLinkPair();
            present = mortalLink(options.between?.(mine) ?? mine, life);
            gateway.accept(theirs, id);
            return Promise.resolve(present);
          },
        },
        clock: mortalClock(clock, life),
        disk: mortalDisk(given.disk ?? createMemoryDisk(), life),
        logger: quiet,
        chance: () => 0.2,
        facts: { hostname: "test", os: "linux", arch: "amd64", cpus: 2, memoryBytes: 1, bootId: "boot", modes: [] },
        fetchBlob: () => Promise.reject(new Error("no blobs here")),
        crashPoint: life.crashPoint,
      });
      await agent.start();
      stops.push(async () => {
        if (!life.dead) await agent.stop({ drain: false });
      });
      return { life, agent, cut: () => present?.terminate() };
    },
    async stop(): Promise<void> {
      for (const stop of stops.splice(0).reverse()) await stop();
    },
  };
}
export type MortalParts = ReturnType<typeof createMortalParts>;
