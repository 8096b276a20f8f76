/**
 * F1, F3 and their kin on real processes: a master and an agent in its own network namespace, killed in mid-task.
 * What holds is read from outside: the ledger the application writes, the stored log, the task's own numbers.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createGitRemote } from "../helpers/git_remote.ts";
import type { GitRemoteFixture } from "../helpers/git_remote.ts";
import { ledgerPath, numberedLines, pushLedgerApp, readLedger } from "../helpers/ledger_app.ts";
import { createNamespace } from "../helpers/network_namespace.ts";
import type { Namespace } from "../helpers/network_namespace.ts";
import { component } from "../helpers/require_component.ts";
import { eventually, startAgent, startMaster } from "../helpers/start_product.ts";
import type { Master, RunningAgent } from "../helpers/start_product.ts";
import { temporaryFolder } from "../helpers/temporary_folder.ts";

const netns = component("netns");
const SECRET = "whsec_0123456789abcdef";

interface TaskView {
  id: string;
  status: string;
  attempt: number;
  fence: number;
  reason: { code: string; text: string };
  name: string;
}

describe.skipIf(!netns.available)(`an agent in a namespace that nothing can dial into${netns.reason}`, () => {
  let namespace: Namespace;
  let master: Master;
  let agent: RunningAgent;
  let stateDir: string;
  let token: string;
  let remote: GitRemoteFixture;
  let environmentId: string;

  const dial = () =>
    startAgent({
      url: `https://${namespace.hostAddress}:${new URL(master.url).port}`,
      fingerprint: master.fingerprint!,
      stateDir,
      token,
      name: "rack-1",
      namespace: namespace.name,
    });
  const tasks = async (): Promise<TaskView[]> => (await master.api("GET", "/tasks?limit=1")).items;
  const running = (ledger: string) =>
    eventually(async () => (await readLedger(ledger)).length > 0, "the application started");
  const finalTask = (id: string, status: string) =>
    eventually(async () => {
      const task = await master.api<TaskView>("GET", `/tasks/${id}`);
      return task.status === status && task;
    }, `task ${status}`);
  const logOf = async (id: string, attempt: number) =>
    (await master.raw("GET", `/api/v1/tasks/${id}/logs?attempt=${attempt}`, undefined, await bearer())).text;
  const bearer = async () => {
    const { text } = await master.raw("POST", "/api/v1/auth/login", {
      username: "admin",
      password: "correct-horse-battery",
    });
    return { authorization: `Bearer ${JSON.parse(text).accessToken}` };
  };
  const release = async (lines: number, tag: string) => {
    const ledger = await ledgerPath();
    await pushLedgerApp(remote, { name: "ledger", environment: "rack", lines, secondsBetween: 0.1, ledger, tag });
    await running(ledger);
    const [task] = await tasks();
    return { ledger, task: task! };
  };

  beforeAll(async () => {
    namespace = await createNamespace();
    master = await startMaster({ BOREAS_PUBLIC_URL: `https://${namespace.hostAddress}:PORT` });
    environmentId = (await master.api("POST", "/environments", { name: "rack", type: "pm" })).id;
    token =
      (await master.api("POST", "/enrollment-tokens", { environments: [environmentId], labels: { rack: "1" } })).token;
    stateDir = await temporaryFolder("rack");
    agent = await dial();
    remote = await createGitRemote();
    await master.api("POST", "/repositories", {
      url: `file://${remote.url}`,
      provider: "generic",
      webhookSecret: SECRET,
      pollSeconds: 1,
    });
  });
  afterAll(() => namespace?.remove());

  it("enrols with a token, takes a task, and listens on nothing", async () => {
    const { task, ledger } = await release(3, "first");
    await finalTask(task.id, "success");
    expect(await logOf(task.id, 1)).toContain(numberedLines(3));
    expect((await readLedger(ledger)).map((l) => l.what)).toEqual(["start", "end"]);
    expect(await namespace.listening()).toEqual([]);
  });

  it("killed in mid-task, hands the task back: next fence, correct end, no two attempts at once (F1)", async () => {
    const { task, ledger } = await release(30, "kill the agent");
    await agent.kill("SIGKILL");
    await eventually(
      async () => (await master.api<TaskView>("GET", `/tasks/${task.id}`)).status === "pending",
      "the lease ended",
    );
    agent = await dial();
    const ended = await finalTask(task.id, "success");
    expect(ended).toMatchObject({ attempt: 2, fence: 2 });
    const lines = await readLedger(ledger);
    const second = lines.filter((l) => l.attempt === 2);
    expect(second.map((l) => l.what)).toEqual(["start", "end"]);
    expect(lines.filter((l) => l.what === "start").length).toBe(2);
    // The first attempt ended (killed, or by itself) before the second began.
    const firstEnd = lines.find((l) => l.attempt === 1 && l.what === "end");
    if (firstEnd) expect(firstEnd.at < second[0]!.at).toBe(true);
    expect(await logOf(task.id, 2)).toContain(numberedLines(30));
  });

  it("killed and back within the lease, adopts the program that still runs: one start, no gap in the log (F5)", async () => {
    const { task, ledger } = await release(40, "restart the agent");
    await agent.kill("SIGKILL");
    agent = await dial();
    const ended = await finalTask(task.id, "success");
    expect(ended).toMatchObject({ attempt: 1, fence: 1 });
    expect((await readLedger(ledger)).map((l) => l.what)).toEqual(["start", "end"]);
    expect(await logOf(task.id, 1)).toContain(numberedLines(40));
  });

  it("keeps attempt 1, one start and a whole log when the master is killed in mid-task and comes back (F3)", async () => {
    const { task, ledger } = await release(50, "kill the master");
    await master.kill("SIGKILL");
    await master.restart();
    const ended = await finalTask(task.id, "success");
    expect(ended).toMatchObject({ attempt: 1, fence: 1 });
    expect((await readLedger(ledger)).map((l) => l.what)).toEqual(["start", "end"]);
    const log = await logOf(task.id, 1);
    expect(log).toContain(numberedLines(50));
    expect(log.match(/line 25\n/g)?.length).toBe(1);
  });

  it("revoked, is cut off at once and cannot come back", async () => {
    const { id } = (await master.api("GET", "/agents")).items.find((a: { name: string }) => a.name === "rack-1");
    await master.api("DELETE", `/agents/${id}`);
    await eventually(async () => /revoked/i.test(agent.output()), "the agent heard of it", 10);
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
