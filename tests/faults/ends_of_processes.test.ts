/**
 * F18, F19, F31, F32, F33 on real processes: a master and an agent that are told to end, tasks that are cancelled while their
 * agent is away, and a program that does its best to survive. Nothing is left behind, and nothing is done twice.
 */
import { beforeAll, describe, expect, it } from "vitest";
import { numberedLines } from "../helpers/ledger_app.ts";
import { eventually } from "../helpers/start_product.ts";
import type { RunningAgent } from "../helpers/start_product.ts";
import { waitingForLocks } from "../helpers/waiting_for_locks.ts";
import { expectSound, readHistory } from "./support/history.ts";
import type { Sql } from "../../db/client.ts";
import { onDatabase } from "./support/masters.ts";
import { startOwnPostgres } from "./support/own_postgres.ts";
import { followLive } from "./support/follow_live.ts";
import { groupMembers, processesOf } from "./support/process_tree.ts";
import { isThorough, race } from "./support/races.ts";
import { startRack } from "./support/start_rack.ts";
import type { Rack, RackTask } from "./support/start_rack.ts";

/** What the master gives a task to end in order, and some for the ending itself and a machine under load. */
const GRACE_SECONDS = 10;
const MARGIN_SECONDS = isThorough() ? 15 : 60;

describe("told to end", () => {
  let rack: Rack;
  let agent: RunningAgent;
  let sql: Sql;
  beforeAll(async () => {
    const postgres = await startOwnPostgres();
    sql = await postgres.database("rack");
    // A lease that no test here outlasts: what happens is the doing of signals and words alone.
    const lease = { BOREAS_LEASE_SECONDS: "20", BOREAS_RESTART_GRACE_SECONDS: "40" };
    rack = await startRack({ ...onDatabase(postgres.url("rack")), ...lease });
    agent = rack.agent;
  });
  const sound = async (...tasks: RackTask[]) =>
    expectSound({
      ...await readHistory(rack.master, [...new Set(tasks.map((task) => task.deploymentId))]),
      ledger: (await rack.ledger()).filter((line) => tasks.some((task) => task.id === line.task)),
      logs: [],
      exclusive: true,
    });
  const gone = (task: RackTask, seconds: number) =>
    eventually(async () => (await processesOf(task.id)).length === 0, `no process of ${task.name} is left`, seconds);

  const forked = (task: RackTask) =>
    eventually(async () => {
      const found = await processesOf(task.id);
      return new Set(found.map((p) => p.group)).size > 1 && found;
    }, "the fork has left the group");

  /** Keepers write down how it ended, and are gone a moment later. */
  const groupsGone = (tree: { group: number }[]) =>
    eventually(
      async () => (await Promise.all(tree.map(({ group }) => groupMembers(group)))).flat().length === 0,
      "no member of its groups is left",
      MARGIN_SECONDS,
    );

  it("F18: a master lets go with 1012 and 0, and after its return every task goes on as the same attempt", async () => {
    const tasks = await rack.deploy(["long", "short", "next"], ["short", "next"]);
    const [long] = tasks as [RackTask];
    await rack.begun(long);
    const at = performance.now();
    expect(await rack.master.kill("SIGTERM")).toBe(0);
    expect((performance.now() - at) / 1000).toBeLessThan(isThorough() ? 10 : 60); // the bound of the case, not a measurement
    await eventually(
      () => Promise.resolve(/The connection ended \((1012|1001)/.test(agent.output())),
      "the agent heard",
    );
    expect((await processesOf(long.id)).length).toBeGreaterThan(0); // what runs is not touched
    await rack.master.restart();
    for (const task of tasks) expect(await rack.ended(task, "success")).toMatchObject({ attempt: 1, fence: 1 });
    expect(await rack.log(long, 1)).toContain(numberedLines(25));
    await sound(...tasks);
  });

  it("F18: what becomes ready while a master takes long to end is leased by the next one", async () => {
    const tasks = await rack.deploy(["gated", "next"], ["gated", "next"]);
    const [gated, next] = tasks as [RackTask, RackTask];
    await rack.begun(gated);
    const stateOf = async ({ id }: RackTask) =>
      (await sql<{ state: string; attempt: number }[]>`select state, attempt from task where id = ${id}`)[0]!;
    let isOver = false;
    await sql.begin(async (tx) => {
      // The end of the master's reaper waits for this row, and with it the end of the master.
      await tx`select from setting where key = 'sweep' for update`;
      await eventually(async () => await waitingForLocks({ sql }) > 0, "a sweep waits");
      const ended = rack.master.kill("SIGTERM").finally(() => isOver = true);
      await eventually(
        () => Promise.resolve(/stopping: no new leases/.test(rack.master.output())),
        "it begins to stop",
      );
      await rack.openGate();
      // It leaves as it is after 20 s: then the result was not taken, and there was nothing to lease.
      await eventually(async () => isOver || (await stateOf(gated)).state === "success", "it takes the result");
      return { ended };
    }).then(({ ended }) => ended);
    expect(await stateOf(next)).toMatchObject({ attempt: 0 });
    await rack.master.restart();
    for (const task of tasks) expect(await rack.ended(task, "success")).toMatchObject({ attempt: 1, fence: 1 });
    await sound(...tasks);
  });

  it("F19: an agent ends with its last task, takes nothing new meanwhile, and leaves nothing running", async () => {
    const [long] = await rack.deploy(["long"]) as [RackTask];
    await rack.begun(long);
    agent.signal("SIGTERM");
    await eventually(() => Promise.resolve(/agent stopping/.test(agent.output())), "the agent heard the signal");
    const [short] = await rack.deploy(["short"]) as [RackTask];
    expect(await agent.ended()).toBe(0);
    expect(await rack.ended(long, "success")).toMatchObject({ attempt: 1 });
    expect(await rack.log(long, 1)).toContain(numberedLines(25));
    expect(await rack.read(short.id)).toMatchObject({ status: "pending", attempt: 0 });
    await gone(long, MARGIN_SECONDS);
    agent = await rack.dial();
    await rack.ended(short, "success");
    await sound(long, short);
  });

  it("F19: told a second time it stops its tasks, whatever they do to survive, and the work goes to the next", async () => {
    const [stubborn] = await rack.deploy(["stubborn"]) as [RackTask];
    await rack.begun(stubborn);
    const tree = await forked(stubborn);
    agent.signal("SIGTERM");
    await eventually(() => Promise.resolve(/agent stopping/.test(agent.output())), "the agent heard the signal");
    agent.signal("SIGTERM");
    expect(await agent.ended()).toBe(0);
    expect(await processesOf(stubborn.id)).toEqual([]);
    await groupsGone(tree);
    expect(await rack.read(stubborn.id)).toMatchObject({ status: "pending", attempt: 1 });

    await rack.master.api("POST", `/tasks/${stubborn.id}/cancel`, {}); // nobody holds it
    expect(await rack.read(stubborn.id)).toMatchObject({ status: "cancelled", attempt: 1 });
    agent = await rack.dial();
    await sound(stubborn);
  });

  it("F33: a cancelled program that ignores TERM and forks away is gone within the grace, with all its children", async () => {
    const [stubborn] = await rack.deploy(["stubborn"]) as [RackTask];
    await rack.begun(stubborn);
    const tree = await forked(stubborn);
    await rack.master.api("POST", `/deployments/${stubborn.deploymentId}/cancel`, {});
    await gone(stubborn, GRACE_SECONDS + MARGIN_SECONDS);
    await groupsGone(tree);
    await rack.ended(stubborn, "cancelled");
    await sound(stubborn);
  });

  it("F32: a cancel while the agent is away waits for it; the tree dies on its return, and only then it is cancelled", async () => {
    const tasks = await rack.deploy(isThorough() ? ["long", "stubborn"] : ["long"]);
    for (const task of tasks) await rack.begun(task);
    await agent.kill("SIGKILL");
    await rack.master.api("POST", `/deployments/${tasks[0]!.deploymentId}/cancel`, {});
    for (const task of tasks) {
      expect((await rack.read(task.id)).status).toBe("cancelling");
      expect((await processesOf(task.id)).length).toBeGreaterThan(0);
    }
    agent = await rack.dial();
    for (const task of tasks) {
      const ended = await rack.ended(task, "cancelled", "success", "failed");
      expect(ended, task.name).toMatchObject({ status: "cancelled", attempt: 1 });
      // By the time that anybody is told, nothing of it runs.
      expect(await processesOf(task.id), task.name).toEqual([]);
    }
    await sound(...tasks);
  });

  race(
    "F31: a cancel that meets the end of its task has one outcome, the same wherever one looks",
    20,
    async (_, random) => {
      const [short] = await rack.deploy(["short"]) as [RackTask];
      const live = await followLive(rack.master, [`deployment:${short.deploymentId}`]);
      if (random() < 0.5) await rack.begun(short);
      await new Promise((resolve) => setTimeout(resolve, 300 * random())); // the moment of the cancel is chance
      const { status } = await rack.master.raw("POST", `/api/v1/tasks/${short.id}/cancel`, {}, rack.master.bearer());
      expect([200, 202, 204, 409]).toContain(status);
      const ended = await rack.ended(short, "success", "failed", "cancelled");
      if (status === 409) expect(ended.status).toBe("success");
      const final = (kinds: string[]) =>
        kinds.filter((kind) => /^task\.(success|failed|cancelled|skipped)$/.test(kind));
      const heard = () =>
        final(live.events.flatMap((e) => (e.type === "timeline" && e.taskId === short.id ? [e.kind] : [])));
      await eventually(() => Promise.resolve(heard().length > 0), "the page heard of the end");
      expect(heard()).toEqual([`task.${ended.status}`]);
      live.end();
      const deployment = await rack.master.api("GET", `/deployments/${short.deploymentId}`);
      expect(deployment.status).toBe(ended.status === "success" ? "completed" : "cancelled");
      const { items: audit } = await rack.master.api<{ items: { action: string; target: string }[] }>(
        "GET",
        "/audit?limit=50",
      );
      const cancels = audit.filter((row) => row.target === `task:${short.id}` && row.action === "task.cancel");
      expect(cancels.length).toBe(status === 409 ? 0 : 1);
      expect(await processesOf(short.id)).toEqual([]);
      await sound(short);
    },
    { quick: 2 },
  );
}, 240_000);
