/** PostgreSQL crashes, turns read-only, answers late, goes silent: the master stays up, says so, loses nothing and recovers alone. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Sql } from "../../db/client.ts";
import { eventually, startMaster } from "../helpers/start_product.ts";
import type { Master } from "../helpers/start_product.ts";
import { startFleet } from "./support/agent_fleet.ts";
import type { Fleet } from "./support/agent_fleet.ts";
import { expectSound, readHistory } from "./support/history.ts";
import { haveEnded, onDatabase, prepareWork, signIn } from "./support/masters.ts";
import type { Work } from "./support/masters.ts";
import { startOwnPostgres } from "./support/own_postgres.ts";
import type { OwnPostgres } from "./support/own_postgres.ts";
import { isThorough } from "./support/races.ts";
import { startProxy } from "./support/tcp_proxy.ts";
import type { TcpProxy } from "./support/tcp_proxy.ts";

/** The bound of the cases, and what a machine under load may take besides. */
const READY_SECONDS = isThorough() ? 10 : 60;

describe("a master whose PostgreSQL", () => {
  let postgres: OwnPostgres;
  let proxy: TcpProxy;
  let sql: Sql;
  let master: Master;
  let fleet: Fleet;
  let work: Work;
  /** Tasks wait here before they end. */
  let gate = Promise.withResolvers<void>();
  let begun = 0;

  beforeAll(async () => {
    postgres = await startOwnPostgres();
    proxy = await startProxy({ to: postgres });
    sql = await postgres.database("faults");
    master = await startMaster(onDatabase(postgres.url("faults", proxy.port)));
    work = await prepareWork(sql, master, { environments: 4, applications: 50 });
    fleet = await startFleet({
      sql,
      url: master.url,
      environmentIds: work.environmentIds,
      count: 4,
      slots: 25,
      act: async () => {
        begun++;
        await gate.promise;
      },
    });
    await eventually(async () => fleet.connected() === 4, "the agents connected");
  }, 180_000);
  afterAll(async () => {
    gate.resolve();
    await fleet?.stop();
    await proxy?.close();
  });
  const health = async () => (await master.raw("GET", "/v1/health")).status;
  const isReady = async () => (await master.raw("GET", "/v1/ready")).status === 200;
  /** Fails with the sentence when a lease ended or was handed out again. */
  async function expectNoneLost(ids: string[], from: number): Promise<void> {
    await eventually(() => haveEnded(sql, ids), "the deployments ended");
    const history = await readHistory(sql, ids);
    const ledger = fleet.ledger.slice(from);
    expectSound({ ...history, ledger, exclusive: true });
    expect(history.events!.filter((e) => e.kind === "task.lost").map((e) => e.reason.text)).toEqual([]);
    expect(history.tasks!.map((t) => t.attempt).filter((attempt) => attempt !== 1)).toEqual([]);
  }
  const holdTasks = async (count: number): Promise<string[]> => {
    gate = Promise.withResolvers();
    begun = 0;
    const ids = await work.deploy();
    await eventually(async () => begun >= count, `${count} tasks are under way`);
    return ids;
  };

  it(
    "crashes and restarts amid 200 dispatches: F13: it stays up, is ready again, and each attempt ran once",
    async () => {
      const pid = master.pid();
      const from = fleet.ledger.length;
      const ids = await holdTasks(50);
      gate.resolve();
      await eventually(async () => fleet.ledger.length - from > 150, "dispatches are under way");
      await postgres.restart("immediate");
      const back = performance.now();
      await eventually(isReady, "ready again", READY_SECONDS);
      console.log(`F13: ready ${((performance.now() - back) / 1000).toFixed(1)} s after the database`);
      await eventually(() => haveEnded(sql, ids), "the deployments ended");
      expectSound({ ...await readHistory(sql, ids), ledger: fleet.ledger.slice(from), exclusive: true });
      expect(master.pid()).toBe(pid);
      expect(await health()).toBe(200);
    },
    180_000,
  );

  it(
    "is read-only for 5 s: F15: writes are answered 503 with a sentence, nothing is half-written, and it recovers alone",
    async () => {
      const ids = await holdTasks(50);
      const from = fleet.ledger.length - begun;
      const count = async () => (await master.api("GET", "/environments")).items.length;
      const bearer = await signIn(master);
      let tries = 0;
      const attempt = () =>
        fetch(`${master.url}/api/v1/environments`, {
          method: "POST",
          headers: { ...bearer, "content-type": "application/json" },
          body: JSON.stringify({ name: `half-${tries++}`, type: "mock" }),
        });
      await postgres.configure("default_transaction_read_only", "on");
      // Each of the master's connections hears of it in its own time.
      await eventually(async () => {
        const answers = await Promise.all(Array.from({ length: 8 }, attempt));
        await Promise.all(answers.map((answer) => answer.body?.cancel()));
        return answers.every((answer) => answer.status === 503);
      }, "read-only");
      const before = await count();
      const until = performance.now() + 5000;
      while (performance.now() < until) {
        const answer = await attempt();
        expect(await answer.json()).toMatchObject({
          status: 503,
          code: "database.read_only",
          detail: expect.stringContaining("read-only"),
        });
        expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
        expect(await count()).toBe(before);
        await new Promise((next) => setTimeout(next, 250)); // how often somebody tries, for as long as it lasts
      }
      gate.resolve(); // results come while nothing can be written
      expect(await health()).toBe(200);
      await postgres.configure("default_transaction_read_only", "off");
      await eventually(isReady, "ready again", READY_SECONDS);
      await master.api("POST", "/environments", { name: "whole", type: "mock" });
      expect(await count()).toBe(before + 1);
      await expectNoneLost(ids, from);
    },
    180_000,
  );

  it("answers every query 5 s late: F16: not ready but healthy, and no lease ends when it is over", async () => {
    const ids = await holdTasks(50);
    const from = fleet.ledger.length - begun;
    proxy.delay(2500); // each way
    await eventually(async () => !(await isReady()), "not ready");
    const until = performance.now() + (isThorough() ? 40_000 : 12_000);
    while (performance.now() < until) {
      expect(await health()).toBe(200);
      await new Promise((next) => setTimeout(next, 500)); // how often somebody looks, for as long as it is slow
    }
    proxy.delay(0);
    await eventually(isReady, "ready again");
    gate.resolve();
    await expectNoneLost(ids, from);
  }, 180_000);
});
