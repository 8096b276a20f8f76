/**
 * F49: a master of the next release starts beside one of this release, under work. It brings the schema up to date;
 * neither stumbles, no table is held for as long as a second, and this release starts again on the newer schema.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Sql } from "../../db/client.ts";
import { eventually, startMaster } from "../helpers/start_product.ts";
import type { Master } from "../helpers/start_product.ts";
import { startFleet } from "./support/agent_fleet.ts";
import type { Fleet } from "./support/agent_fleet.ts";
import { startBalancer } from "./support/balancer.ts";
import type { Balancer } from "./support/balancer.ts";
import { expectSound, readHistory } from "./support/history.ts";
import { haveEnded, metricOf, onDatabase, portOf, prepareWork } from "./support/masters.ts";
import type { Work } from "./support/masters.ts";
import { makeNextRelease } from "./support/next_release.ts";
import { startOwnPostgres } from "./support/own_postgres.ts";
import type { OwnPostgres } from "./support/own_postgres.ts";
import { isThorough } from "./support/races.ts";

const BESIDE_MS = isThorough() ? 30_000 : 6_000;
const HOT = ["task", "deployment", "agent", "event", "log_chunk", "log_head", "setting"];
const ADDS = {
  "9000_columns": HOT.map((table) => `ALTER TABLE "${table}" ADD COLUMN "next_note" text DEFAULT 'none' NOT NULL;`)
    .join("--> statement-breakpoint\n"),
  "9001_index": `CREATE INDEX CONCURRENTLY "task_next_note" ON "task" USING btree ("next_note");`,
};

describe("a master of this release and one of the next", () => {
  let postgres: OwnPostgres;
  let sql: Sql;
  let present: Master;
  let next: Master;
  let balancer: Balancer;
  let fleet: Fleet;
  let work: Work;
  const ports: number[] = [];

  beforeAll(async () => {
    postgres = await startOwnPostgres();
    sql = await postgres.database("adjacent");
    present = await startMaster(onDatabase(postgres.url("adjacent")));
    ports.push(portOf(present));
    balancer = await startBalancer(ports);
    work = await prepareWork(sql, present, { environments: 3, applications: 20 });
    fleet = await startFleet({ sql, url: balancer.url, environmentIds: work.environmentIds, count: 4 });
    await eventually(async () => fleet.connected() === 4, "all agents connected");
  }, 180_000);
  afterAll(async () => {
    await fleet?.stop();
    await balancer?.close();
  });

  it("F49: work side by side through the migration, without an error and without a long lock", async () => {
    const release = await makeNextRelease(ADDS);
    const locks = watchLocks(sql);
    const ids: string[] = [];
    let through = present;
    let isOn = true;
    const working = (async () => {
      while (isOn) {
        const some = await work.deploy(through);
        ids.push(...some);
        await eventually(() => haveEnded(sql, some), "the deployments ended");
      }
    })();
    next = await startMaster(onDatabase(postgres.url("adjacent")), release.start);
    ports.push(portOf(next));
    expect(await sql`select next_note from task limit 1`).toEqual([{ nextNote: "none" }]);
    expect((await next.raw("GET", "/metrics")).text).toContain(`version="${release.version}"`);
    // Half of the agents come to the new one.
    for (const { agent } of fleet.agents.slice(0, 2)) await agent.stop({ drain: true });
    fleet.agents.push(
      ...(await startFleet({ sql, url: next.url, environmentIds: work.environmentIds, count: 2 })).agents,
    );
    await eventually(async () => await metricOf(next, "boreas_agents_connected") === 2, "it has agents of its own");
    const until = performance.now() + BESIDE_MS;
    while (performance.now() < until) {
      through = through === present ? next : present;
      const before = ids.length;
      await Promise.race([working, eventually(async () => ids.length > before, "work goes on", 60)]);
    }
    isOn = false;
    await working;
    const longest = await locks.stop();
    console.log(`F49: ${ids.length} deployments; the longest lock of the migration: ${longest.toFixed(0)} ms`);
    expect(longest).toBeLessThan(isThorough() ? 1000 : 10_000);
    const history = await readHistory(sql, ids);
    expectSound({ ...history });
    expect(new Set(history.deployments!.map((d) => d.status))).toEqual(new Set(["completed"]));
    for (const master of [present, next]) expect(master.output().match(/.*ERROR.*/)?.[0]).toBeUndefined();
  }, 240_000);

  it("this release starts again on the schema of the next", async () => {
    await present.kill("SIGTERM");
    await present.restart();
    const ids = await work.deploy(present);
    await eventually(() => haveEnded(sql, ids), "the deployments ended");
    expect(present.output().match(/.*ERROR.*/)?.[0]).toBeUndefined();
  }, 180_000);
});

/** Looks again and again which locks on tables the migration holds or waits for. @returns on stop: the longest, in ms */
function watchLocks(sql: Sql): { stop(): Promise<number> } {
  const since = new Map<string, number>();
  let longest = 0;
  let isOn = true;
  const watching = (async () => {
    while (isOn) {
      const rows = await sql<{ key: string }[]>`
        select l.pid || ':' || l.relation as key from pg_locks l join pg_stat_activity a using (pid)
          join pg_class c on c.oid = l.relation
        where a.application_name = 'boreas-migrate' and c.relname = any(${HOT}::text[])
          and l.mode in ('AccessExclusiveLock', 'ExclusiveLock', 'ShareRowExclusiveLock', 'ShareLock')`;
      const now = performance.now();
      const keys = new Set(rows.map((row) => row.key));
      for (const key of since.keys()) if (!keys.has(key)) since.delete(key);
      for (const key of keys) {
        if (!since.has(key)) since.set(key, now);
        longest = Math.max(longest, now - since.get(key)!);
      }
      await new Promise((turn) => setTimeout(turn, 10));
    }
  })();
  return {
    async stop() {
      isOn = false;
      await watching;
      return longest;
    },
  };
}
