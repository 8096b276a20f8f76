/**
 * The story of a careful team, on real processes: a master, the agents of four machines, a Git remote whose host sends
 * signed webhooks, and something that answers as Prometheus does. A release that fails its gate on the first machine goes
 * back by itself and is not taken again; the mended one passes, is approved by somebody else than its author, goes
 * everywhere in batches, and from there, after its soak, to the next environment.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createGitRemote } from "../helpers/git_remote.ts";
import type { GitRemoteFixture } from "../helpers/git_remote.ts";
import { eventually, startAgent, startMaster } from "../helpers/start_product.ts";
import type { Master } from "../helpers/start_product.ts";
import { temporaryFolder } from "../helpers/temporary_folder.ts";
import { standardHeaders } from "../helpers/webhook_samples.ts";
import { readRunning } from "./support/machines_say.ts";
import { startMetricsSource } from "./support/metrics_source.ts";
import type { MetricsSource } from "./support/metrics_source.ts";

const NAMES = ["m1", "m2", "m3", "m4"];
const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const PASSWORD = "a password for the story";
const SOAK_SECONDS = 5;

interface Reason {
  code: string;
  text: string;
}
interface Task {
  id: string;
  parentId: string | null;
  name: string;
  type: string;
  status: string;
  reason: Reason;
  startedAt: string | null;
  completedAt: string | null;
}
interface Deployment {
  id: string;
  version: string;
  environment: string;
  status: string;
  reason: Reason;
  completedAt: string | null;
  tasks: Task[];
}
interface Run {
  trigger: string;
  outcome: string;
  reason: Reason;
  version: string | null;
  deploymentId: string | null;
  causeDeploymentId: string | null;
}

/** Share of requests that fail, by version. */
const errors = new Map<string, number>();
const stateDirs = new Map<string, string>();
let master: Master;
let metrics: MetricsSource;
let remote: GitRemoteFixture;
let repository: { id: string; webhookPath: string };
/** The good release that runs before the story begins, the one that fails, and the mended one. */
const versions = { good: "", bad: "", mended: "" };
let badCommit = "";
let rolledBack: Deployment;

/** What each machine's own record says runs there. */
async function running(environment: string): Promise<Map<string, string>> {
  const found = await readRunning(stateDirs, environment, "order");
  return new Map([...found].map(([name, { version }]) => [name, version]));
}
const everywhere = (version: string) => new Map(NAMES.map((name) => [name, version]));

const CANARY = () => `
  type: canary
  steps:
    - { target: 1 }
    - { gate: { prometheus: 'error_share{version="\${version}"}', server: "${metrics.address}", max: 0.05, every: 1s, for: 2s } }
    - { approve: { count: 1, notAuthor: true, expires: 1h } }
    - { target: 100%, batch: 2 }
  onFailure: { action: rollback }`;

/** Commits and pushes; nobody has told the master yet. @returns the commit */
const commit = (said: string, strategy: string) =>
  remote.push({
    "dist/run.sh": `#!/bin/sh\necho "${said}"\nwhile :; do sleep 1; done\n`,
    "boreas.yaml": `apiVersion: boreas/v1
kind: Application
name: order
artifacts: { program: { path: dist } }
runtime: { binary: { artifact: program, exec: ["sh", "run.sh"], stop: { grace: 2s } } }
healthy: { minTime: 300ms, deadline: 60s }
strategy: ${strategy}
environments:
  staging: {}
  prod: { strategy: { type: rolling, batch: 2 } }
---
apiVersion: boreas/v1
kind: Plan
triggers:
  - { name: to-staging, on: push, branch: main, environment: staging, start: auto }
  - { name: to-prod, on: deployment, of: staging, after: ${SOAK_SECONDS}s, environment: prod, start: auto }
`,
  }, { message: said });
const versionOf = (sha: string) => `main-${sha.slice(0, 12)}`;

/** As the Git host does it after a push. @returns the delivery, worked off */
async function tell(sha: string): Promise<{ status: string; reason: Reason; versionId: string }> {
  const id = crypto.randomUUID();
  const body = JSON.stringify({ ref: "refs/heads/main", commit: sha });
  const headers = standardHeaders(body, SECRET, id, new Date());
  const { status } = await master.raw("POST", repository.webhookPath, body, headers);
  expect(status).toBe(202);
  return await eventually(async () => {
    const { items } = await master.api("GET", `/repositories/${repository.id}/deliveries`);
    const found = items.find((one: { deliveryKey: string }) => one.deliveryKey.includes(id));
    return ["processed", "ignored", "failed"].includes(found?.status) && found;
  }, "the end of the delivery");
}

async function tellNew(sha: string): Promise<void> {
  const { status, reason: { text } } = await tell(sha);
  expect([status, text]).toEqual(["processed", `Recorded version ${versionOf(sha)}.`]);
}

const read = (id: string) => master.api<Deployment>("GET", `/deployments/${id}`);
const list = async (version: string, environment: string) =>
  (await master.api<{ items: Deployment[] }>("GET", "/deployments?limit=100")).items
    .filter((one) => one.version === version && one.environment === environment);
async function deploymentOf(version: string, environment: string): Promise<string> {
  return (await eventually(async () => (await list(version, environment))[0], `${version} to ${environment}`, 90)).id;
}
const described = ({ status, reason, tasks }: Deployment) =>
  [`${status}: ${reason.text}`, ...tasks.map((t) => `${t.type} ${t.name} ${t.status}: ${t.reason.text}`)].join("\n");
async function until(id: string, holds: (found: Deployment) => boolean, what: string): Promise<Deployment> {
  let last: Deployment | undefined;
  try {
    return await eventually(async () => (last = await read(id), holds(last) && last), what, 90);
  } catch (error: unknown) {
    throw new Error(`${(error as Error).message}:\n${last && described(last)}`, { cause: error });
  }
}
const is = (id: string, status: string) => until(id, (found) => found.status === status, `deployment ${status}`);
const one = (tasks: Task[], name: string, type = "apply") => {
  const found = tasks.filter((task) => task.name === name && task.type === type);
  expect([name, type, found.length]).toEqual([name, type, 1]);
  return found[0]!;
};
const partsOf = (tasks: Task[], type: string) => tasks.filter((task) => task.type === type);
/** What triggers said of a version. */
async function runsOf(version: string, trigger: string): Promise<Run[]> {
  const { items } = await master.api<{ items: { id: string; name: string }[] }>("GET", "/triggers");
  const { id } = items.find((item) => item.name === trigger)!;
  return (await master.api<{ items: Run[] }>("GET", `/triggers/${id}/runs?limit=50`)).items
    .filter((run) => run.version === version);
}
async function as(
  username: string,
): Promise<(method: string, path: string, body?: unknown) => ReturnType<Master["raw"]>> {
  const { text } = await master.raw("POST", "/api/v1/auth/login", { username, password: PASSWORD });
  const authorization = `Bearer ${JSON.parse(text).accessToken}`;
  return (method, path, body) => master.raw(method, `/api/v1${path}`, body, { authorization });
}

describe("the story", () => {
  /** In order, each on what the one before has left. */
  const chapters: [string, () => Promise<void>][] = [];
  const chapter = (what: string, happens: () => Promise<void>) => void chapters.push([what, happens]);

  beforeAll(async () => {
    metrics = startMetricsSource(async () =>
      [...await running("staging")].map(([node, version]) => ({ node, version, value: errors.get(version) ?? 0 }))
    );
    master = await startMaster({ BOREAS_ALLOW_NETWORKS: "127.0.0.1/32" });
    const environments: string[] = [];
    for (const name of ["staging", "prod"]) {
      environments.push((await master.api("POST", "/environments", { name, type: "pm" })).id);
    }
    // Known by the address in her commits, which are Ada's.
    for (const [username, email] of [["ada.l", "ada@example.com"], ["lee", null]]) {
      await master.api("POST", "/users", { username, email, password: PASSWORD, role: "deployer" });
    }
    remote = await createGitRemote();
    repository = await master.api("POST", "/repositories", {
      url: `file://${remote.url}`,
      provider: "generic",
      webhookSecret: SECRET,
      pollSeconds: 0,
    });
    const { token } = await master.api("POST", "/enrollment-tokens", { environments, uses: NAMES.length });
    for (const name of NAMES) stateDirs.set(name, await temporaryFolder(name));
    await Promise.all(
      NAMES.map((name) => startAgent({ url: master.url, token, name, stateDir: stateDirs.get(name)! })),
    );
    await eventually(async () => {
      const { items } = await master.api("GET", "/agents");
      return NAMES.every((name) =>
        items.some((agent: { name: string; status: string }) => agent.name === name && agent.status === "connected")
      );
    }, "four agents connected");
  }, 200_000);
  afterAll(() => metrics?.close());

  chapter(
    "begins with a good release, which goes everywhere and, after its soak, to the next environment",
    async () => {
      const sha = await commit("good", "{ type: all }");
      versions.good = versionOf(sha);
      await tellNew(sha);
      const id = await deploymentOf(versions.good, "staging");
      const done = await is(id, "completed");
      expect(done.reason.text).toBe(`1 of 1 applications run version ${versions.good}.`);
      expect(await running("staging")).toEqual(everywhere(versions.good));
      await is(await deploymentOf(versions.good, "prod"), "completed");
      expect(await running("prod")).toEqual(everywhere(versions.good));
    },
  );

  chapter("tries the next release on one machine of four; its gate fails, and it goes back by itself", async () => {
    badCommit = await commit("bad", CANARY());
    versions.bad = versionOf(badCommit);
    errors.set(versions.bad, 0.31);
    await tellNew(badCommit);
    const id = await deploymentOf(versions.bad, "staging");
    rolledBack = await is(id, "rolled_back");
    const forward = rolledBack.tasks.filter((task) =>
      task.parentId === rolledBack.tasks.find((t) => t.type === "deploy")!.id
    );

    expect(one(forward, "m1")).toMatchObject({ status: "success" });
    const [gate] = partsOf(forward, "gate");
    expect(gate).toMatchObject({ status: "failed" });
    expect(gate!.reason.text).toBe("Measured 0.31; wanted: at most 0.05.");
    expect(partsOf(forward, "approval")[0]).toMatchObject({ status: "skipped" });
    for (const name of NAMES.slice(1)) expect(one(forward, name)).toMatchObject({ status: "skipped", startedAt: null });
    expect(rolledBack.reason.text).toMatch(
      /^What ran before runs again, because .*Measured 0\.31; wanted: at most 0\.05\./,
    );

    expect(metrics.asked.at(-1)).toBe(`error_share{version="${versions.bad}"}`);
    expect(await running("staging")).toEqual(everywhere(versions.good));
    const { items } = await master.api("GET", "/versions?limit=10");
    const version = items.find((item: { version: string }) => item.version === versions.bad);
    expect(version.status).toBe("revert");
    expect(version.reason.text).toMatch(/^Marked as reverted because .* failed: .*Measured 0\.31/);
    const measured = await master.api("GET", `/tasks/${gate!.id}`);
    expect(measured.measurements).toMatchObject([{ number: 1, value: 0.31, verdict: "fail" }]);
  });

  chapter("is not deployed again when the same commit is pushed again, and everybody says why", async () => {
    const why = `${badCommit.slice(0, 12)} is version ${versions.bad}, which is marked as reverted.`;
    const delivery = await tell(badCommit);
    expect(delivery).toMatchObject({ status: "processed", reason: { code: "delivery.reverted_version" } });
    expect(delivery.reason.text).toContain(`Nothing is deployed: commit ${why}`);
    const runs = await runsOf(versions.bad, "to-staging");
    expect(runs.map(({ outcome }) => outcome).sort()).toEqual(["fired", "not_fired"]);
    expect(runs.find(({ outcome }) => outcome === "not_fired")!.reason.text).toContain(why);
    expect((await list(versions.bad, "staging")).map(({ id }) => id)).toEqual([rolledBack.id]);

    const { items } = await master.api("GET", "/environments");
    const environmentId = items.find((item: { name: string }) => item.name === "staging").id;
    const asked = { versionId: delivery.versionId, environmentId };
    const refused = await master.raw("POST", "/api/v1/deployments", asked, master.bearer());
    expect([refused.status, JSON.parse(refused.text).code]).toEqual([409, "version.reverted"]);

    // Nor did it go on to the next environment.
    const [next] = await eventually(async () => {
      const found = await runsOf(versions.bad, "to-prod");
      return found.length > 0 && found;
    }, "what the promotion says of it");
    expect(next).toMatchObject({ outcome: "not_fired", causeDeploymentId: rolledBack.id });
    expect(next!.reason.text).toBe(`The deployment of ${versions.bad} to staging ended as rolled back.`);
    expect(await list(versions.bad, "prod")).toEqual([]);
  });

  chapter(
    "passes the gate once it is mended, waits for somebody else than its author, and goes everywhere in batches",
    async () => {
      const sha = await commit("mended", CANARY());
      versions.mended = versionOf(sha);
      errors.set(versions.mended, 0.01);
      await tellNew(sha);
      const id = await deploymentOf(versions.mended, "staging");
      const [lee, ada] = [await as("lee"), await as("ada.l")];
      const asked = async (person: typeof lee, all = "") => {
        const { text } = await person("GET", `/approvals?deploymentId=${id}${all}`);
        return (JSON.parse(text).items as { taskId: string; mayVote: boolean; why: string; version: string }[])[0];
      };
      const request = await eventually(() => asked(lee), "the question", 90);
      expect(request).toMatchObject({ version: versions.mended, mayVote: true, why: "", missing: 1, notAuthor: true });
      const waiting = await read(id);
      const [gate] = partsOf(waiting.tasks, "gate");
      expect(gate).toMatchObject({ status: "success" });
      expect(gate!.reason.text).toBe("Measured 0.01; wanted: at most 0.05. 3 of 3 measurements passed.");
      expect(await running("staging")).toEqual(everywhere(versions.good).set("m1", versions.mended));
      const [approval] = partsOf(waiting.tasks, "approval");

      expect(approval!.id).toBe(request.taskId);
      expect(approval!.reason.text).toMatch(/^Waiting for .*approval/);

      // She wrote the commit: it is not hers to approve.
      const why = "The one who made a deployment, or wrote its commit, does not approve it here; ask somebody else.";
      expect(await asked(ada)).toBeUndefined();
      expect(await asked(ada, "&all=true")).toMatchObject({ mayVote: false, why });
      const own = await ada("POST", `/tasks/${request.taskId}/approve`, { note: "mine" });
      expect([own.status, JSON.parse(own.text)]).toMatchObject([403, { code: "approval.own", detail: why }]);
      expect(await running("staging")).toEqual(everywhere(versions.good).set("m1", versions.mended));
      const other = await lee("POST", `/tasks/${request.taskId}/approve`, { note: "looks good" });
      expect([other.status, other.text]).toEqual([200, other.text]);

      const done = await is(id, "completed");
      expect(partsOf(done.tasks, "approval")[0]).toMatchObject({
        status: "success",
        reason: { text: "Approved by lee." },
      });
      expect(done.reason.text).toBe(`1 of 1 applications run version ${versions.mended}.`);
      expect(await running("staging")).toEqual(everywhere(versions.mended));
      // One, then two, then the last one: nobody of a batch begins before the batch before has ended.
      const batches = [["m1"], ["m2", "m3"], ["m4"]].map((names) => names.map((name) => one(done.tasks, name)));
      for (const [at, batch] of batches.entries()) {
        for (const task of batch) {
          for (const before of batches[at - 1] ?? []) {
            expect(Date.parse(task.startedAt!)).toBeGreaterThanOrEqual(Date.parse(before.completedAt!));
          }
        }
      }
    },
  );

  chapter("is promoted to the next environment after its soak", async () => {
    const staged = (await list(versions.mended, "staging"))[0]!;
    const id = await deploymentOf(versions.mended, "prod");
    const done = await is(id, "completed");
    expect(await running("prod")).toEqual(everywhere(versions.mended));
    const [run] = await runsOf(versions.mended, "to-prod");
    expect(run).toMatchObject({ outcome: "fired", deploymentId: id, causeDeploymentId: staged.id });
    expect(run!.reason.text).toBe(`Made a deployment of ${versions.mended} to prod.`);
    const first = Math.min(...done.tasks.flatMap(({ startedAt }) => startedAt === null ? [] : [Date.parse(startedAt)]));
    expect(first - Date.parse(staged.completedAt!)).toBeGreaterThanOrEqual(SOAK_SECONDS * 1000);
  });

  it("of a careful team", async () => {
    for (const [what, happens] of chapters) {
      try {
        await happens();
      } catch (error: unknown) {
        throw new Error(`${what}: ${(error as Error).message}`, { cause: error });
      }
    }
  }, 300_000);
});
