/** Clocks of agents and of the master that are wrong, fast, or jump: only the database's clock decides over leases. */
import { afterAll, describe, expect, it } from "vitest";
import { createGitRemote } from "../helpers/git_remote.ts";
import { ledgerPath, numberedLines, pushLedgerApp, readLedger } from "../helpers/ledger_app.ts";
import { component, findFaketime } from "../helpers/require_component.ts";
import { eventually, startAgent, startMaster } from "../helpers/start_product.ts";
import type { RunningAgent } from "../helpers/start_product.ts";
import { temporaryFolder } from "../helpers/temporary_folder.ts";
import { startFleet } from "./support/agent_fleet.ts";
import type { Fleet } from "./support/agent_fleet.ts";
import { expectSound, readHistory } from "./support/history.ts";
import { haveEnded, onDatabase, prepareWork, signIn } from "./support/masters.ts";
import { startOwnPostgres } from "./support/own_postgres.ts";
import { isThorough } from "./support/races.ts";

const faketime = component("faketime");
const preload = `env LD_PRELOAD=${findFaketime()}`;
/** The clock on the wall is wrong; what counts seconds is right. */
const wallClock = "FAKETIME_DONT_FAKE_MONOTONIC=1";
const CLOCKS = {
  ahead: `${preload} ${wallClock} FAKETIME=+1d`,
  behind: `${preload} ${wallClock} FAKETIME=-1d`,
  fast: `${preload} FAKETIME='+0 x1.5'`,
};
/** A machine that runs other tests as well lets an agent wait for its turn. */
const LOSSES = new Set(["task.lost", "task.retrying"]);
const LEASE_SECONDS = isThorough() ? 3 : 5;
/** What the master may need to see that a lease is over, and what a machine may need that runs other tests as well. */
const SWEEP_SECONDS = 1;
const LOADED_SECONDS = isThorough() ? 5 : 30;
const LINES = 60;

describe.skipIf(!faketime.available)(
  `agents whose clocks are a day ahead, a day behind, and half as fast again${faketime.reason}`,
  () => {
    it("F21: keep their leases to the end, and lose them in time when they die; their logs are in order", async () => {
      const master = await startMaster({ BOREAS_LEASE_SECONDS: String(LEASE_SECONDS) });
      const environment = await master.api("POST", "/environments", { name: "skewed", type: "pm" });
      const { token } = await master.api("POST", "/enrollment-tokens", { environments: [environment.id], uses: 3 });
      const agents: RunningAgent[] = [];
      for (const [name, wrap] of Object.entries(CLOCKS)) {
        agents.push(await startAgent({ url: master.url, token, name, wrap }));
      }
      const remote = await createGitRemote();
      await master.api("POST", "/repositories", {
        url: `file://${remote.url}`,
        provider: "generic",
        webhookSecret: "whsec_0123456789abcdef",
        pollSeconds: 1,
      });
      const release = async (lines: number, tag: string) => {
        const ledger = await ledgerPath();
        await pushLedgerApp(remote, { name: "clock", environment: "skewed", lines, secondsBetween: 0.1, ledger, tag });
        await eventually(
          async () => (await readLedger(ledger)).filter((l) => l.what === "start").length === 3,
          "all began",
        );
        const { items } = await master.api("GET", "/deployments?limit=1");
        const parts = () =>
          master.api("GET", `/deployments/${items[0].id}`).then(({ tasks }) =>
            tasks.filter((t: { parentId: string | null }) => t.parentId !== null)
          );
        return { id: items[0].id as string, ledger, parts };
      };

      // Longer than a lease.
      const first = await release(LINES, "first");
      await eventually(
        async () => (await first.parts()).every((t: { status: string }) => t.status === "success"),
        "all ended",
      );
      const history = await readHistory(master, [first.id]);
      expectSound({ ...history, ledger: await readLedger(first.ledger), exclusive: true });
      expect(history.events!.filter((e) => e.kind === "task.lost")).toEqual([]);
      const bearer = await signIn(master);
      for (const part of await first.parts()) {
        expect(part).toMatchObject({ attempt: 1, fence: 1 });
        const log = await master.raw("GET", `/api/v1/tasks/${part.id}/logs`, undefined, bearer);
        expect(log.text).toContain(numberedLines(LINES));
      }

      const second = await release(300, "second");
      for (const agent of agents) await agent.kill("SIGKILL");
      const killedAt = Date.now();
      const held = (await second.parts()) as { id: string; leaseExpiresAt: string | null }[];
      await eventually(
        async () => (await second.parts()).every((t: { status: string }) => t.status === "pending"),
        "all leases ended",
      );
      await master.api("POST", `/deployments/${second.id}/cancel`, {}); // nobody is there who could do it again
      const end = await readHistory(master, [second.id]);
      expectSound({ ...end, ledger: await readLedger(second.ledger), exclusive: true });
      for (const { id, leaseExpiresAt } of held) {
        const at = Date.parse(end.events!.findLast((e) => e.taskId === id && LOSSES.has(e.kind))!.at);
        if (leaseExpiresAt) {
          expect(at, "no sooner than the lease is over").toBeGreaterThanOrEqual(Date.parse(leaseExpiresAt));
        }
        expect((at - killedAt) / 1000).toBeLessThanOrEqual(LEASE_SECONDS + SWEEP_SECONDS + LOADED_SECONDS);
      }
    }, 180_000);
  },
);

describe.skipIf(!faketime.available)(`a master whose clock jumps${faketime.reason}`, () => {
  let fleet: Fleet | undefined;
  const gate = Promise.withResolvers<void>();
  afterAll(async () => {
    gate.resolve();
    await fleet?.stop();
  });

  it("F22: ten minutes ahead and back, under 50 leases: none ends by it", async () => {
    const postgres = await startOwnPostgres();
    const sql = await postgres.database("jumps");
    const offset = `${await temporaryFolder("clock")}/offset`;
    const jump = (seconds: string) => Deno.writeTextFile(offset, seconds);
    await jump("+0");
    const stepped = `${preload} ${wallClock} FAKETIME_NO_CACHE=1 FAKETIME_TIMESTAMP_FILE=${offset}`;
    // Who may run some programs only may not start any beside a preloaded library.
    const master = await startMaster(
      onDatabase(postgres.url("jumps")),
      (task) => `${stepped} ${task.replace(/--allow-run=\S+/, "--allow-run")}`,
    );
    /** What the master writes into the Date of its answers. */
    const clock = async () => Date.parse((await fetch(`${master.url}/v1/health`)).headers.get("date")!);
    const work = await prepareWork(sql, master, { environments: 2, applications: 25 });
    fleet = await startFleet({
      sql,
      url: master.url,
      environmentIds: work.environmentIds,
      count: 2,
      slots: 25,
      act: () => gate.promise,
    });
    const ids = await work.deploy();
    await eventually(async () => fleet!.ledger.length === 50, "50 tasks are under way");
    const renewals = async () =>
      (await sql<{ until: string }[]>`select min(lease_expires_at) as until from task where agent_id is not null`)[0]!
        .until;
    const steps = [["+600", 600], ["-600", -600], ["+0", 0]] as const;
    for (const [seconds, wanted] of isThorough() ? steps : steps.slice(0, 2)) {
      await jump(seconds);
      await eventually(async () => Math.abs(await clock() - Date.now() - wanted * 1000) < 60_000, "the clock jumped");
      // Longer than a lease, by the database's clock, in which each lease is renewed on and on.
      const from = Date.parse(await renewals());
      await eventually(
        async () => Date.parse(await renewals()) > from + (isThorough() ? 6000 : 3500),
        "all leases were renewed",
      );
    }
    gate.resolve();
    await eventually(() => haveEnded(sql, ids), "the deployments ended");
    const history = await readHistory(sql, ids);
    expectSound({ ...history, ledger: fleet.ledger, exclusive: true });
    expect(history.events!.filter((e) => e.kind === "task.lost")).toEqual([]);
    expect(history.tasks!.every((task) => task.attempt === 1)).toBe(true);
  }, 180_000);
});
