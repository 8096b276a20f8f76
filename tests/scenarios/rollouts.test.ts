/**
 * Rollouts over five real machines' agents, and over the mock: batches, a machine that is away, one that fails, a release
 * that turns bad after everybody has it. What runs where is read from the machines' own files.
 */
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { startRack } from "../faults/support/rack.ts";
import type { Rack } from "../faults/support/rack.ts";
import { eventually } from "../helpers/start_product.ts";
import type { RunningAgent } from "../helpers/start_product.ts";
import { temporaryFolder } from "../helpers/temporary_folder.ts";

interface TaskView {
  id: string;
  parentId: string | null;
  name: string;
  type: string;
  status: string;
  startedAt: string | null;
  completedAt: string | null;
  reason: { code: string; text: string };
}
interface DeploymentView {
  id: string;
  versionId: string;
  status: string;
  createdBy: string;
  reason: { code: string; text: string };
  tasks: TaskView[];
}

const NAMES = ["m1", "m2", "m3", "m4", "m5"];
let rack: Rack;
const agents = new Map<string, RunningAgent & { stateDir: string }>();

/** A program that runs until it is stopped or its folder is gone, unless `trouble` says otherwise; it knows BOREAS_NODE. */
async function push(version: string, trouble = ""): Promise<string> {
  const program = `#!/bin/sh\necho ${version} > here.txt\n${trouble}\nwhile [ -e here.txt ]; do sleep 1; done\n`;
  const config = `apiVersion: boreas/v1
kind: Application
name: order
artifacts: { program: { path: dist } }
runtime: { binary: { artifact: program, exec: ["sh", "run.sh"], restart: { policy: on-failure, max: 2/10m }, stop: { grace: 2s } } }
healthy: { minTime: 500ms, deadline: 60s, watchAfter: 60s }
strategy: { type: rolling, batch: 2, onFailure: { action: rollback } }
environments: { rack: {} }
`;
  const commit = await rack.remote.push({ "dist/run.sh": program, "boreas.yaml": config });
  const { items } = await rack.master.api("GET", "/repositories");
  await rack.master.api("POST", `/repositories/${items[0].id}/sync`, {});
  const found = await eventually(async () => {
    const { items } = await rack.master.api<{ items: { id: string; gitCommit: string }[] }>("GET", "/versions?limit=5");
    return items.find((one) => one.gitCommit === commit);
  }, `the version of ${version}`);
  return found.id;
}
const read = (id: string) => rack.master.api<DeploymentView>("GET", `/deployments/${id}`);
async function start(versionId: string, environmentId = rack.environmentId): Promise<string> {
  const { id } = await rack.master.api("POST", "/deployments", { versionId, environmentId });
  await rack.master.api("POST", `/deployments/${id}/start`, {});
  return id;
}
const is = (id: string, status: string) =>
  eventually(async () => {
    const found = await read(id);
    return found.status === status && found;
  }, `deployment ${status}`);
const watched = (id: string) =>
  eventually(async () => {
    const found = await read(id);
    return found.tasks.find((task) => task.reason.code === "task.watching");
  }, "the watch");
/** What the machine's own record says should run there; undefined: nothing. */
async function versionOn(name: string): Promise<string | undefined> {
  try {
    const folder = join(agents.get(name)!.stateDir, "apps", "rack", "order");
    const record = JSON.parse(await Deno.readTextFile(join(folder, "release.json")));
    return (await Deno.readTextFile(join(folder, "releases", record.current.name, "here.txt"))).trim();
  } catch (error: unknown) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
const everywhere = () => Promise.all(NAMES.map(versionOn));
const dial = async (name: string) => {
  agents.set(name, await rack.agent({ name, stateDir: agents.get(name)?.stateDir }));
  await eventually(async () => {
    const { items } = await rack.master.api("GET", "/agents");
    return items.some((one: { name: string; status: string }) => one.name === name && one.status === "connected");
  }, `${name} connected`);
};

beforeAll(async () => {
  rack = await startRack({ type: "pm" });
  for (const name of NAMES) await dial(name);
}, 300_000);

it(
  "a release that is healthy at first and then fails while it is watched goes back on all machines, and is not taken again",
  async () => {
    const good = await push("v1");
    const first = await start(good);
    const watch = await watched(first);
    expect(watch.reason.text).toMatch(/^Watching order until .*Z: a release that turns bad is taken back\.$/);
    expect((await read(first)).status).toBe("running");
    expect(await everywhere()).toEqual(NAMES.map(() => "v1"));
    await rack.master.api("POST", `/tasks/${watch.id}/skip`, { note: "seen enough" });
    await is(first, "completed");

    const signal = join(await temporaryFolder("signal"), "break");
    const badVersion = await push(
      "v2",
      `[ "$BOREAS_NODE" = m2 ] && { while [ ! -e ${signal} ] && [ -e here.txt ]; do sleep 0.2; done; exit 3; }`,
    );
    const second = await start(badVersion);
    await watched(second);
    await Deno.writeTextFile(signal, "");
    const end = await is(second, "rolled_back");
    expect(end.reason.text).toMatch(/m2 turned bad \d+ s after the switch: it ended and was started again/);
    await eventually(async () => (await everywhere()).every((one) => one === "v1"), "v1 everywhere");
    expect((await rack.master.api("GET", `/versions/${badVersion}`)).status).toBe("revert");
    const refused = await rack.master.raw(
      "POST",
      "/api/v1/deployments",
      { versionId: badVersion, environmentId: rack.environmentId },
      rack.master.bearer(),
    );
    expect([refused.status, JSON.parse(refused.text).code]).toEqual([409, "version.reverted"]);
  },
  200_000,
);

describe("with a machine that is away", () => {
  it("a machine that is skipped gets the release by itself when it is back", async () => {
    await rack.master.api("PATCH", `/environments/${rack.environmentId}`, {
      config: { offline: { action: "skip", deadline: "3s" } },
    });
    await agents.get("m5")!.kill("SIGKILL");
    const version = await push("v3");
    const id = await start(version);
    await eventually(
      async () =>
        (await read(id)).tasks.some((t) => t.name === "m5" && t.reason.code === "task.waiting_for_machine_or_skip"),
      "it says whom it waits for",
    );
    await watched(id);
    await rack.master.api("POST", `/deployments/${id}/skip`, {});
    const end = await is(id, "completed");
    expect(end.reason.text).toContain("left out: m5");
    expect(end.tasks.find((task) => task.name === "m5")!.reason.text).toMatch(/^Left out: m5 was offline since/);

    await dial("m5");
    const small = await eventually(async () => {
      const { items } = await rack.master.api<{ items: DeploymentView[] }>("GET", "/deployments?limit=10");
      return items.find((one) => one.createdBy === "catching up of m5");
    }, "a deployment of its own");
    await watched(small.id);
    expect(await everywhere()).toEqual(NAMES.map(() => "v3"));
    await rack.master.api("POST", `/deployments/${small.id}/skip`, {});
    await is(small.id, "completed");
    const timeline = await rack.master.api<{ items: { reason: { text: string } }[] }>(
      "GET",
      `/deployments/${small.id}/timeline`,
    );
    expect(timeline.items[0]!.reason.text).toMatch(/^m5 is back; it gets version .* of order, which it missed\.$/);
  }, 200_000);

  it("and one that fails, every machine that already switched goes back", async () => {
    await agents.get("m5")!.kill("SIGKILL");
    const version = await push("v4", '[ "$BOREAS_NODE" = m3 ] && exit 7');
    const id = await start(version);
    const end = await is(id, "rolled_back");
    expect(end.tasks.filter((task) => task.type === "apply").map((task) => [task.name, task.status])).toEqual([
      ...[["m1", "success"], ["m2", "success"], ["m3", "failed"]],
      ["m4", expect.stringMatching(/success|cancelled|skipped/)],
      ["m5", "skipped"],
    ]);
    expect(await everywhere()).toEqual(NAMES.map(() => "v3"));
    await dial("m5");
  }, 200_000);
});

it("the batch size is changed while it runs, and what has not begun goes by the new one", async () => {
  const version = await push("v5");
  const { id } = await rack.master.api("POST", "/deployments", {
    versionId: version,
    environmentId: rack.environmentId,
    strategy: { type: "rolling", batch: 1, wait: "30m" },
  });
  await rack.master.api("POST", `/deployments/${id}/start`, {});
  const pause = await eventually(
    async () => (await read(id)).tasks.find((task) => task.type === "pause" && task.reason.code === "task.paused"),
    "the first wait",
  );
  const edited = await rack.master.api<DeploymentView>("PATCH", `/deployments/${id}`, { strategy: { batch: 4 } });
  expect(edited.tasks.slice(1).map((task) => task.name)).toEqual([
    "m1",
    "wait 1800 s",
    "m2",
    "m3",
    "m4",
    "m5",
    "watch 60 s",
  ]);
  await rack.master.api("POST", `/tasks/${pause.id}/skip`, {});
  await watched(id);
  expect(await everywhere()).toEqual(NAMES.map(() => "v5"));
  await rack.master.api("POST", `/deployments/${id}/skip`, {});
  await is(id, "completed");
}, 200_000);

it("a watch outlives the master: what turns bad after its return goes back", async () => {
  const signal = join(await temporaryFolder("signal"), "break");
  const version = await push("v6", `while [ ! -e ${signal} ] && [ -e here.txt ]; do sleep 0.2; done; exit 5`);
  const id = await start(version);
  await watched(id);
  await rack.master.kill("SIGKILL");
  await rack.master.restart();
  expect((await watched(id)).status).toBe("pending");
  await Deno.writeTextFile(signal, "");
  const end = await is(id, "rolled_back");
  expect(end.reason.text).toMatch(/m\d turned bad \d+ s after the switch: it ended and was started again/);
  await eventually(async () => (await everywhere()).every((one) => one === "v5"), "v5 everywhere");
}, 200_000);

it("a mock that turns bad while it is watched goes back, too", async () => {
  const { master } = rack;
  const environmentId = (await master.api("POST", "/environments", { name: "play", type: "mock" })).id;
  const app = await master.api("POST", "/applications", { name: "toy", config: { healthy: { watchAfter: "60s" } } });
  const version = async (name: string) =>
    (await master.api("POST", "/versions", { version: name, appBuilds: { toy: {} } })).id;
  const first = await start(await version("t1"), environmentId);
  await watched(first);
  await master.api("POST", `/deployments/${first}/skip`, {});
  await is(first, "completed");
  await master.api("PATCH", `/applications/${app.id}`, {
    config: { healthy: { watchAfter: "60s" }, mock: { unhealthyAfter: "2s" } },
  });
  const second = await start(await version("t2"), environmentId);
  const end = await is(second, "rolled_back");
  expect(end.reason.text).toMatch(/toy turned bad \d+ s after the switch: it turned bad, as its script says/);
  const status = await master.api("GET", `/environments/${environmentId}/status`);
  expect(JSON.stringify(status)).toContain('"t1"');
}, 120_000);
