/** Notifications are only hints: where they do not arrive, work goes on by sweeping, and the start says so. */
import net from "node:net";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openTaskClient } from "../../compose/open_database.ts";
import type { Sql } from "../../db/client.ts";
import { component } from "../helpers/require_component.ts";
import { eventually, startMaster } from "../helpers/start_product.ts";
import type { Master } from "../helpers/start_product.ts";
import { startFleet } from "./support/agent_fleet.ts";
import type { Fleet } from "./support/agent_fleet.ts";
import { expectSound, readHistory } from "./support/history.ts";
import { haveEnded, onDatabase, prepareWork } from "./support/masters.ts";
import type { Work } from "./support/masters.ts";
import { startOwnPostgres } from "./support/own_postgres.ts";
import type { OwnPostgres } from "./support/own_postgres.ts";
import { startTransactionPooler } from "./support/transaction_pooler.ts";

let postgres: OwnPostgres;
const ends: (() => Promise<unknown>)[] = [];
beforeAll(async () => {
  postgres = await startOwnPostgres();
}, 180_000);
afterAll(async () => {
  for (const end of ends.reverse()) await end();
});

/** Deploys through one master what the agents of another do; their hints cannot reach each other. */
async function expectWorkDone(sql: Sql, work: Work, fleet: Fleet, through: Master): Promise<void> {
  const from = fleet.ledger.length;
  const ids = await work.deploy(through);
  await eventually(() => haveEnded(sql, ids), "the deployments ended");
  const history = await readHistory(sql, ids);
  expectSound({ ...history, ledger: fleet.ledger.slice(from), exclusive: true });
  expect(history.deployments!.map((d) => d.status)).toEqual(ids.map(() => "completed"));
  expect(history.tasks!.every((task) => task.attempt === 1)).toBe(true);
}

it("F17: a LISTEN connection that is half open keeps nobody waiting for longer than a sweep", async () => {
  const proxy = await startListenSilencer(postgres);
  ends.push(proxy.close);
  const sql = await postgres.database("half_open");
  const near = await startMaster(onDatabase(postgres.url("half_open")));
  const deaf = await startMaster(onDatabase(postgres.url("half_open", proxy.port)));
  expect(deaf.output()).not.toContain("LISTEN does not work");
  const work = await prepareWork(sql, near, { environments: 2, applications: 5 });
  const fleet = await startFleet({ sql, url: deaf.url, environmentIds: work.environmentIds, count: 2 });
  ends.push(fleet.stop);
  await eventually(async () => fleet.connected() === 2, "the agents connected");
  await expectWorkDone(sql, work, fleet, near);
  expect(proxy.silence()).toBe(1);
  await expectWorkDone(sql, work, fleet, near);
}, 180_000);

const pgbouncer = component("pgbouncer");
describe.skipIf(!pgbouncer.available)(`behind a transaction pooler${pgbouncer.reason}`, () => {
  let port: number;
  beforeAll(async () => {
    const pooler = await startTransactionPooler(postgres);
    ends.push(pooler.stop);
    port = pooler.port;
  });

  it("F17: masters start with a warning, told of it or not, and dispatch by sweeping", async () => {
    const sql = await postgres.database("pooled");
    const url = postgres.url("pooled", port);
    const told = await startMaster({ ...onDatabase(url), BOREAS_DATABASE_POOLER: "1" });
    const untold = await startMaster(onDatabase(url));
    expect(told.output()).toMatch(/WARN +behind a transaction pooler LISTEN cannot work/);
    expect(untold.output()).toMatch(/WARN +LISTEN does not work on this DATABASE_URL.*BOREAS_DATABASE_POOLER=1/);
    const work = await prepareWork(sql, told, { environments: 3, applications: 20 });
    for (const [url, through] of [[told.url, untold], [untold.url, told]] as const) {
      const fleet = await startFleet({ sql, url, environmentIds: work.environmentIds, count: 2 });
      await eventually(async () => fleet.connected() === 2, "the agents connected");
      await expectWorkDone(sql, work, fleet, through);
      await fleet.stop();
    }
    for (const master of [told, untold]) expect(master.output()).not.toMatch(/ERROR|prepared statement/);
  }, 400_000);
});

it.skipIf(!pgbouncer.available)(
  `behind a pooler of sessions tasks go without connections whose settings it refuses${pgbouncer.reason}`,
  async () => {
    await postgres.database("sessions");
    const pooler = await startTransactionPooler(postgres, "session");
    ends.push(pooler.stop);
    const said: string[] = [];
    expect(await openTaskClient(postgres.url("sessions", pooler.port), (words) => said.push(words))).toBeUndefined();
    expect(said).toEqual([expect.stringMatching(/planned anew each time.*unsupported startup parameter/)]);
    const direct = await openTaskClient(postgres.url("sessions"), (words) => said.push(words));
    const [row] = await direct!`select current_setting('plan_cache_mode') as mode`;
    expect([row!.mode, said.length]).toEqual(["force_generic_plan", 1]);
    await direct!.end({ timeout: 5 });
  },
  60_000,
);

/** A proxy that can fall silent for the connections that listen, and only for them; it never says that they ended. */
async function startListenSilencer(to: { host: string; port: number }) {
  const pairs = new Set<{ isListener: boolean; silent: boolean; sockets: net.Socket[] }>();
  const server = net.createServer((client) => {
    const upstream = net.connect(to);
    const pair = { isListener: false, silent: false, sockets: [client, upstream] };
    pairs.add(pair);
    client.on("data", (bytes: Uint8Array) => {
      if (/\0listen "boreas"\0/.test(new TextDecoder().decode(bytes))) pair.isListener = true;
      if (!pair.silent) upstream.write(bytes);
    });
    upstream.on("data", (bytes: Uint8Array) => void (pair.silent || client.write(bytes)));
    for (const socket of pair.sockets) {
      socket.on("error", () => {}); // `close` follows
      socket.on("close", () => {
        if (!pair.silent) { for (const each of pair.sockets) each.destroy(); }
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    /** @returns how many connections fell silent */
    silence() {
      const listeners = [...pairs].filter((pair) => pair.isListener && !pair.sockets[0]!.destroyed);
      for (const pair of listeners) pair.silent = true;
      return listeners.length;
    },
    close() {
      for (const pair of pairs) for (const socket of pair.sockets) socket.destroy();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}
