/**
 * F1, F3, F5, F9 and their kin on real processes: a master and an agent in its own network namespace, killed in mid-task.
 * What holds is read from outside: the ledger the application writes, the stored log, the task's own numbers.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { numberedLines } from "../helpers/ledger_app.ts";
import { createNamespace } from "../helpers/network_namespace.ts";
import type { Namespace } from "../helpers/network_namespace.ts";
import { component } from "../helpers/require_component.ts";
import { eventually, startMaster } from "../helpers/start_product.ts";
import type { Master, RunningAgent } from "../helpers/start_product.ts";
import { expectSound } from "./support/history.ts";
import type { TaskView } from "./support/history.ts";
import { openGate } from "./support/ledger_apps.ts";
import { startRack, starts } from "./support/rack.ts";
import type { Rack, Release } from "./support/rack.ts";
import { startProxy } from "./support/tcp_proxy.ts";
import type { TcpProxy } from "./support/tcp_proxy.ts";

const netns = component("netns");
const LINES = 20;
/** Long enough for an agent to start within it on a loaded machine. */
const LEASE_SECONDS = 10;

describe.skipIf(!netns.available)(`an agent in a namespace that nothing can dial into${netns.reason}`, () => {
  let namespace: Namespace;
  let rack: Rack;
  let master: Master;
  let proxy: TcpProxy;
  let agent: RunningAgent & { stateDir: string };

  const dial = (stateDir?: string) =>
    rack.agent({
      name: "rack-1",
      url: `https://${namespace.hostAddress}:${proxy.port}`,
      namespace: namespace.name,
      ...(stateDir ? { stateDir } : {}),
    });
  /** Runs until its gate is opened. */
  const begin = async (options: { exitCode?: number } = {}) => {
    const release = await rack.push({ names: ["ledger"], lines: LINES, secondsBetween: 0.1, gates: "yes", ...options });
    const { id, leaves } = await rack.deploy(release);
    await rack.ledger(release, (lines) => starts(lines, 1).length === 1, "the application runs");
    return { release, deploymentId: id, taskId: leaves[0]!.id };
  };
  const finish = async (release: Release, taskId: string, status = "success") => {
    await openGate(release.gates, "all");
    return await rack.taskIs(taskId, status);
  };
  /** Everything holds, and the log of this attempt is whole. */
  const judge = async (release: Release, deploymentId: string, taskId: string, attempt: number) => {
    await rack.ended(deploymentId);
    const stored = await rack.storedLog(taskId, attempt);
    const logs = [{ task: taskId, attempt, emitted: numberedLines(LINES), stored }];
    const history = await rack.history(release, [deploymentId], { exclusive: true, logs });
    expectSound(history);
    return history.ledger!.filter((line) => line.what !== "beat").map((line) => `${line.what} ${line.attempt}`);
  };

  beforeAll(async () => {
    namespace = await createNamespace();
    rack = await startRack({
      type: "pm",
      env: {
        BOREAS_PUBLIC_URL: `https://${namespace.hostAddress}:PORT`,
        BOREAS_LEASE_SECONDS: String(LEASE_SECONDS),
      },
    });
    master = rack.master;
    proxy = await startProxy({
      to: { host: "127.0.0.1", port: Number(new URL(master.url).port) },
      host: namespace.hostAddress,
    });
    agent = await dial();
  }, 180_000);
  afterAll(async () => {
    await proxy?.close();
    await namespace?.remove();
  });

  it("enrols with a token, takes a task, and listens on nothing", async () => {
    const { release, deploymentId, taskId } = await begin();
    await finish(release, taskId);
    expect(await judge(release, deploymentId, taskId, 1)).toEqual(["start 1", "end 1"]);
    expect(await namespace.listening()).toEqual([]);
  });

  it("F1: killed in mid-task, it hands the task back: next fence, correct end, no two attempts at once", async () => {
    const { release, deploymentId, taskId } = await begin();
    await agent.kill("SIGKILL");
    await rack.taskIs(taskId, "pending");
    agent = await dial(agent.stateDir);
    await rack.ledger(release, (lines) => starts(lines, 2).length === 1, "the second attempt runs");
    expect(await finish(release, taskId)).toMatchObject({ attempt: 2, fence: 2 });
    // The first attempt was ended before the second began.
    expect(await judge(release, deploymentId, taskId, 2)).toEqual(["start 1", "start 2", "end 2"]);
  }, 180_000);

  it(
    "F5: killed and back within the lease, adopts the program that still runs: one start, no gap in the log",
    async () => {
      const { release, deploymentId, taskId } = await begin();
      await agent.kill("SIGKILL");
      agent = await dial(agent.stateDir);
      expect(await finish(release, taskId)).toMatchObject({ attempt: 1, fence: 1 });
      expect(await judge(release, deploymentId, taskId, 1)).toEqual(["start 1", "end 1"]);
    },
    180_000,
  );

  it("F5: reports the real exit code of a program that ended while the agent was gone", async () => {
    const { release, deploymentId, taskId } = await begin({ exitCode: 7 });
    await agent.kill("SIGKILL");
    await openGate(release.gates, "all");
    await rack.ledger(release, (lines) => lines.some((line) => line.what === "end"), "the program has ended");
    agent = await dial(agent.stateDir);
    const task = await finish(release, taskId, "failed");
    expect(task).toMatchObject({ attempt: 1, fence: 1 });
    expect(task.reason.text).toContain("ended with code 7");
    expect(await judge(release, deploymentId, taskId, 1)).toEqual(["start 1", "end 1"]);
  }, 180_000);

  it(
    "F3: keeps attempt 1, one start and a whole log when the master is killed in mid-task and comes back",
    async () => {
      const { release, deploymentId, taskId } = await begin();
      await master.kill("SIGKILL");
      await master.restart();
      expect(await finish(release, taskId)).toMatchObject({ attempt: 1, fence: 1 });
      expect(await judge(release, deploymentId, taskId, 1)).toEqual(["start 1", "end 1"]);
    },
    180_000,
  );

  it("F9: its new connection takes the place of one that is dead and looks alive", async () => {
    const { release, deploymentId, taskId } = await begin();
    const from = master.output().length;
    // From here the master hears nothing of this connection any more, not even its end.
    proxy.strand();
    await agent.kill("SIGKILL");
    agent = await dial(agent.stateDir);
    const said = () => master.output().slice(from);
    await eventually(
      () => Promise.resolve(/agent connected[^]*agent disconnected/.test(said())),
      "the new connection is let in, and then the old one ended",
    );
    expect(agent.output()).not.toMatch(/already|does not accept|Another process/);
    const { items } = await master.api("GET", "/agents");
    expect(items.find((one: { name: string }) => one.name === "rack-1").status).toBe("connected");
    expect(await finish(release, taskId)).toMatchObject({ attempt: 1, fence: 1 });
    expect(await judge(release, deploymentId, taskId, 1)).toEqual(["start 1", "end 1"]);
  }, 180_000);

  it("revoked, is cut off at once and cannot come back", async () => {
    await master.api("DELETE", `/agents/${await rack.agentId("rack-1")}`);
    await eventually(async () => /revoked/i.test(agent.output()), "the agent heard of it");
  });
});

it("starts an embedded task again under the next fence when the master is killed, and says why", async () => {
  const master = await startMaster();
  const environment = await master.api("POST", "/environments", { name: "play", type: "mock" });
  await master.api("POST", "/applications", {
    name: "slow",
    config: { mock: { steps: [{ log: ["begun"], duration: "4s" }, { log: ["done"] }] } },
  });
  const version = await master.api("POST", "/versions", { version: "v1", appBuilds: { slow: {} } });
  const deployment = await master.api("POST", "/deployments", { versionId: version.id, environmentId: environment.id });
  await master.api("POST", `/deployments/${deployment.id}/start`, {});
  const read = () => master.api<TaskView>("GET", `/tasks/${deployment.tasks[0].id}`);
  await eventually(async () => (await read()).status === "running", "the task runs");
  await master.kill("SIGKILL");
  await master.restart();
  const again = await eventually(async () => {
    const task = await read();
    return task.attempt === 2 && task;
  }, "attempt 2");
  expect(again.fence).toBe(2);
  const ended = await eventually(async () => {
    const task = await read();
    return task.status === "success" && task;
  }, "a correct end");
  expect(ended.attempt).toBe(2);
  const { items } = await master.api<{ items: { reason: { code: string; text: string } }[] }>(
    "GET",
    `/deployments/${deployment.id}/timeline`,
  );
  expect(items.map((e) => e.reason.text)).toContain("The master restarted during attempt 1; starting attempt 2.");
});

it("refuses a second master on the same folder with a sentence, and keeps what was acknowledged through kill -9 of all", async () => {
  const master = await startMaster();
  await master.api("POST", "/environments", { name: "kept", type: "mock" });
  await expect(startMaster({ BOREAS_DATA_DIR: master.dataDir })).rejects.toThrow(
    /Another Boreas already runs on the data folder/,
  );
  await master.kill("SIGKILL");
  const postmaster = Number((await Deno.readTextFile(`${master.dataDir}/postgres/postmaster.pid`)).split("\n")[0]);
  Deno.kill(postmaster, "SIGKILL");
  await master.restart();
  const { items } = await master.api("GET", "/environments");
  expect(items.map((e: { name: string }) => e.name)).toEqual(["kept"]);
});
