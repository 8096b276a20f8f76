/**
 * Several masters on one database, with agents spread over them by a balancer: each attempt is leased once, whoever is
 * killed, and viewers see what happens whichever master it happens on.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Sql } from "../../db/client.ts";
import type { LedgerLine } from "../helpers/ledger_app.ts";
import { eventually } from "../helpers/start_product.ts";
import type { Master } from "../helpers/start_product.ts";
import { startFleet } from "./support/agent_fleet.ts";
import type { Fleet } from "./support/agent_fleet.ts";
import { startBalancer } from "./support/balancer.ts";
import type { Balancer } from "./support/balancer.ts";
import { expectSound, readHistory } from "./support/history.ts";
import { haveEnded, metricOf, prepareWork, startMasters } from "./support/masters.ts";
import type { Work } from "./support/masters.ts";
import { startOwnPostgres } from "./support/own_postgres.ts";
import type { OwnPostgres } from "./support/own_postgres.ts";
import { isThorough, race } from "./support/races.ts";

const AGENTS = isThorough() ? 10 : 6;
const SLOTS = 8;
const SIZE = isThorough() ? { environments: 10, applications: 100 } : { environments: 3, applications: 40 };

describe("two masters on one database", () => {
  let postgres: OwnPostgres;
  let sql: Sql;
  let masters: Master[];
  let ports: number[];
  let balancer: Balancer;
  let fleet: Fleet;
  let work: Work;
  /** What a task does; a test sets it. */
  let act: (line: { taskId: string }) => Promise<void> = () => Promise.resolve();

  beforeAll(async () => {
    postgres = await startOwnPostgres();
    ({ sql, masters, ports } = await startMasters(postgres, 2));
    balancer = await startBalancer(ports);
    work = await prepareWork(sql, masters[0]!, SIZE);
    fleet = await startFleet({
      sql,
      url: balancer.url,
      environmentIds: work.environmentIds,
      count: AGENTS,
      slots: SLOTS,
      act: (context) => act(context),
    });
    await eventually(async () => fleet.connected() === AGENTS, "all agents connected");
  }, 180_000);
  afterAll(async () => {
    await fleet?.stop();
    await balancer?.close();
  });

  /** Nothing lost, nothing doubled: by the ledger, and by what the database recorded. */
  async function expectEachOnce(ids: string[], ledger: LedgerLine[]): Promise<void> {
    const history = await readHistory(sql, ids);
    expectSound({ ...history, ledger, exclusive: true });
    const lines = ledger.map((l) => `${l.what} ${l.task} ${l.attempt}`);
    expect(lines.filter((line, i) => lines.indexOf(line) !== i)).toEqual([]);
    expect(history.deployments!.map((d) => d.status)).toEqual(ids.map(() => "completed"));
    const ended = new Set(ledger.filter((l) => l.what === "end").map((l) => l.task));
    expect(ended.size).toBe(SIZE.environments * SIZE.applications);
  }
  const ended = (ids: string[]) => eventually(() => haveEnded(sql, ids), "all deployments ended", 120);

  race(
    `F10: ${SIZE.environments * SIZE.applications} tasks over ${AGENTS} agents, each attempt leased once`,
    20,
    async () => {
      expect(Object.values(balancer.spread()).every((n) => n > 0)).toBe(true);
      const from = fleet.ledger.length;
      const startedAt = performance.now();
      const ids = await work.deploy();
      await ended(ids);
      const ledger = fleet.ledger.slice(from);
      console.log(`F10: ${ledger.length / 2} tasks in ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
      await expectEachOnce(ids, ledger);
      expect(ledger.every((line) => line.attempt === 1)).toBe(true);
      const perMaster = await Promise.all(masters.map((m) => metricOf(m, "boreas_agents_connected")));
      expect(perMaster).toEqual(ports.map((port) => balancer.spread()[port]));
    },
    { quick: 2 },
  );

  it("each serves its own agents", async () => {
    // With every slot taken, however quick one master is, the other has had its turn as well.
    const gate = Promise.withResolvers<void>();
    let begun = 0;
    act = async () => {
      begun++;
      await gate.promise;
    };
    const ids = await work.deploy();
    await eventually(async () => begun >= AGENTS * SLOTS, "every slot is taken");
    await eventually(async () => {
      const perMaster = await Promise.all(masters.map((m) => metricOf(m, "boreas_agents_connected")));
      return perMaster.reduce((sum, n) => sum + n, 0) === AGENTS;
    }, "each agent is connected to one master");
    const working = await sql`
      select distinct agent_id from task where deployment_id = any(${ids}::uuid[]) and agent_id is not null`;
    expect(working).toHaveLength(AGENTS);
    act = () => Promise.resolve();
    gate.resolve();
    await ended(ids);
  });

  it(
    "one killed under load loses and doubles nothing; its agents go to the other and finish what they had begun",
    async () => {
      const killed = masters[1]!;
      const begun = Promise.withResolvers<void>();
      let count = 0;
      act = async () => {
        if (++count === 20) begun.resolve();
        await new Promise((done) => setTimeout(done, 30));
      };
      const from = fleet.ledger.length;
      const ids = await work.deploy(masters[0]);
      await begun.promise;
      await killed.kill("SIGKILL");
      const isRehomed = () => balancer.spread()[ports[0]!] === AGENTS && balancer.spread()[ports[1]!] === 0;
      await eventually(
        async () => isRehomed() && fleet.connected() === AGENTS,
        "all agents are back at the other master",
      );
      await ended(ids);
      await expectEachOnce(ids, fleet.ledger.slice(from));
      await killed.restart();
      act = () => Promise.resolve();
    },
    180_000,
  );
});
