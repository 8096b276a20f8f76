/**
 * Blue-green on the agents of two machines, with hooks: the old programs run behind the new ones for as long as they are
 * held, an agent's death included; the way back is a switch to the very programs that ran; a hook that fails before the
 * switch costs nobody anything. What runs where is read from the machines' own files.
 */
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import type { AppRecord } from "../../operators/pm/app_record.ts";
import { startRack } from "../faults/support/rack.ts";
import type { Rack } from "../faults/support/rack.ts";
import { eventually } from "../helpers/start_product.ts";
import type { RunningAgent } from "../helpers/start_product.ts";
import { temporaryFolder } from "../helpers/temporary_folder.ts";

interface TaskView {
  id: string;
  name: string;
  type: string;
  status: string;
  reason: { code: string; text: string };
}
interface DeploymentView {
  status: string;
  reason: { text: string };
  tasks: TaskView[];
}

const NAMES = ["m1", "m2"];
let rack: Rack;
let ledger: string;
const agents = new Map<string, RunningAgent & { stateDir: string }>();

async function push(version: string, strategy: string, failsOn = "nowhere"): Promise<string> {
  const program = `#!/bin/sh\necho ${version} > here.txt\nwhile [ -e here.txt ]; do sleep 0.5; done\n`;
  const hook = `echo "$BOREAS_HOOK $BOREAS_NODE ${version}" >> ${ledger}\n[ "$BOREAS_NODE" != ${failsOn} ] || exit 9\n`;
  const config = `apiVersion: boreas/v1
kind: Application
name: order
artifacts: { program: { path: dist } }
bundle: [ops/**]
runtime: { binary: { artifact: program, exec: ["sh", "run.sh"], stop: { grace: 2s } } }
healthy: { minTime: 300ms, deadline: 60s }
hooks: { preSwitch: { run: ops/look.sh, on: each } }
strategy: ${strategy}
environments: { rack: {} }
`;
  const commit = await rack.remote.push({ "dist/run.sh": program, "ops/look.sh": hook, "boreas.yaml": config });
  const { items } = await rack.master.api("GET", "/repositories");
  await rack.master.api("POST", `/repositories/${items[0].id}/sync`, {});
  const found = await eventually(async () => {
    const { items } = await rack.master.api<{ items: { id: string; gitCommit: string }[] }>("GET", "/versions?limit=5");
    return items.find((one) => one.gitCommit === commit);
  }, `the version of ${version}`);
  return found.id;
}
const BLUE_GREEN = "{ type: blueGreen, hold: 1h, onFailure: { action: rollback } }";
const read = (id: string) => rack.master.api<DeploymentView>("GET", `/deployments/${id}`);
async function start(versionId: string): Promise<string> {
  const { id } = await rack.master.api("POST", "/deployments", { versionId, environmentId: rack.environmentId });
  await rack.master.api("POST", `/deployments/${id}/start`, {});
  return id;
}
const is = (id: string, status: string) =>
  eventually(
    async () => {
      const found = await read(id);
      return found.status === status && found;
    },
    `deployment ${status}`,
    90,
  );
/** Requests go to the new release, and the deployment waits with the old one behind it. */
const held = (id: string) =>
  eventually(
    async () => {
      const { tasks } = await read(id);
      return tasks.find(({ type, reason }) => type === "pause" && reason.code === "task.paused");
    },
    "the hold",
    90,
  );

async function records(): Promise<AppRecord[]> {
  const texts = NAMES.map((name) =>
    Deno.readTextFile(join(agents.get(name)!.stateDir, "apps", "rack", "order", "release.json"))
  );
  return (await Promise.all(texts)).map((text) => JSON.parse(text) as AppRecord);
}
/** What serves, and what runs beside it, on every machine; the file goes with the program's last turn. */
const running = async () =>
  (await records()).map(({ current, beside }) =>
    [current && versionIn(current), beside && `${beside.role} ${versionIn(beside.release)}`].join(" ").trim()
  );
const tags = new Map<string, string>();
const versionIn = ({ versionId }: { versionId: string }) => tags.get(versionId) ?? versionId;
const startedBy = async () => (await records()).map(({ current }) => current!.taskId);
async function release(version: string, strategy: string, failsOn?: string): Promise<string> {
  const id = await push(version, strategy, failsOn);
  tags.set(id, version);
  return await start(id);
}
const dial = async (name: string) => {
  agents.set(name, await rack.agent({ name, stateDir: agents.get(name)?.stateDir }));
  await eventually(async () => {
    const { items } = await rack.master.api("GET", "/agents");
    return items.some((one: { name: string; status: string }) => one.name === name && one.status === "connected");
  }, `${name} connected`);
};

beforeAll(async () => {
  rack = await startRack({ type: "pm" });
  ledger = join(await temporaryFolder("hooks"), "ledger");
  for (const name of NAMES) await dial(name);
}, 300_000);

describe("blue-green on two machines", () => {
  let first: string[];

  it(
    "holds the old programs behind the new ones, also when an agent dies, and goes back to those very programs",
    async () => {
      await is(await release("v1", "{ type: all }"), "completed");
      first = await startedBy();
      const id = await release("v2", BLUE_GREEN);
      await held(id);
      expect(await running()).toEqual(["v2 held v1", "v2 held v1"]);
      expect((await Deno.readTextFile(ledger)).split("\n").filter((line) => line.endsWith("v2")).sort()).toEqual([
        "preSwitch m1 v2",
        "preSwitch m2 v2",
      ]);

      await agents.get("m1")!.kill("SIGKILL");
      await dial("m1");
      expect(await running()).toEqual(["v2 held v1", "v2 held v1"]);
      await rack.master.api("POST", `/deployments/${id}/rollback`, { note: "the numbers are odd" });
      await is(id, "rolled_back");
      expect([await running(), await startedBy()]).toEqual([["v1", "v1"], first]);
    },
    200_000,
  );

  it("goes back before anything was switched when a hook fails on one machine, and nothing waits beside", async () => {
    const id = await release("v3", BLUE_GREEN, "m2");
    const { reason } = await is(id, "rolled_back");
    expect(reason.text).toContain("ended with code 9 on m2");
    expect([await running(), await startedBy()]).toEqual([["v1", "v1"], first]);
  }, 200_000);

  it("ends the old programs when its hold is over", async () => {
    const id = await release("v4", BLUE_GREEN);
    const pause = await held(id);
    await rack.master.api("POST", `/tasks/${pause.id}/skip`, { note: "it is good" });
    await is(id, "completed");
    expect(await running()).toEqual(["v4", "v4"]);
  }, 200_000);

  it("ends what a cancelled deployment had only prepared, also on a machine that was away meanwhile", async () => {
    const asks = "{ type: blueGreen, steps: [ { approve: { count: 1 } } ], onFailure: { action: rollback } }";
    const id = await release("v5", asks);
    await eventually(
      async () => (await read(id)).tasks.some(({ reason }) => reason.code === "task.approval_given"),
      "the approval",
      90,
    );
    expect(await running()).toEqual(["v4 prepared v5", "v4 prepared v5"]);
    await agents.get("m2")!.kill("SIGTERM");
    await eventually(async () => {
      const { items } = await rack.master.api("GET", "/agents");
      return items.some((one: { name: string; status: string }) => one.name === "m2" && one.status === "disconnected");
    }, "m2 gone");
    await rack.master.api("POST", `/deployments/${id}/cancel`, { note: "not today" });
    const { reason } = await is(id, "cancelled");
    expect(reason.text).toContain("order on m1, order on m2");
    await eventually(async () => (await running())[0] === "v4", "m1 is clean", 90);
    const waiting = (await read(id)).tasks.find(({ name }) => name === "order: clean up m2");
    expect([waiting?.status, waiting?.reason.code]).toEqual(["pending", "task.clean_up_waiting"]);
    await dial("m2");
    await eventually(async () => (await running())[1] === "v4", "m2 is clean", 90);
  }, 200_000);

  it("is removed from both when somebody asks, and a sync does not bring it back", async () => {
    const pids = (await records()).map(({ current }) => current!.taskId);
    expect(pids).toHaveLength(2);
    const { id } = await rack.master.api("POST", "/deployments/removals", {
      environmentId: rack.environmentId,
      applications: ["order"],
      start: true,
      note: "nobody needs it",
    });
    const { reason } = await is(id, "completed");
    expect(reason.text).toContain("order was removed from");
    expect((await records()).map(({ current, beside }) => [current, beside])).toEqual([[null, null], [null, null]]);
    const folders = NAMES.map((name) => join(agents.get(name)!.stateDir, "apps", "rack", "order"));
    for (const folder of folders) {
      const left = [...Deno.readDirSync(folder)].map(({ name }) => name);
      expect(left).not.toContain("releases");
    }
    const states = await rack.master.api<{ items: unknown[] }>("GET", `/environments/${rack.environmentId}/status`);
    expect(states.items).toEqual([]);

    const versionId = await push("v6", "{ type: all }");
    const { items } = await rack.master.api<{ items: { environmentId: string; versionId: string }[] }>(
      "GET",
      `/deployments?versionId=${versionId}`,
    );
    expect(items).toEqual([]);
    const { deployments } = await rack.master.api<{ deployments: unknown[] }>("GET", `/versions/${versionId}/status`);
    expect(deployments).toEqual([]);
  }, 200_000);
});
