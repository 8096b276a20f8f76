import { beforeAll, describe, expect, it } from "vitest";
import { DEFAULT_PROJECT } from "../../db/database.ts";
import { planStages } from "../../domain/strategy.ts";
import { createGitRemote } from "../../tests/helpers/git_remote.ts";
import { recordDeliveries } from "../../db/repositories/record_deliveries.ts";
import { createGitopsWorld, until } from "../../tests/helpers/gitops_world.ts";
import { createTestApi } from "../../tests/helpers/test_api.ts";
import type { TestApi } from "../../tests/helpers/test_api.ts";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";
import type { TestDatabase } from "../../tests/helpers/test_database.ts";

let db: TestDatabase;
let api: TestApi;
const apps = ["user", "order"].map((name) => `${name}-service`);
let environmentId: string;
beforeAll(async () => {
  db = await createTestDatabase();
  api = await createTestApi(db, { planners: { mock: planStages } });
  for (const name of apps) await api.request("POST", "/applications", { name });
  environmentId = (await api.request("POST", "/environments", { name: "test", type: "mock" })).body.id;
});
const SHA = "a".repeat(64);
let count = 0;
const fresh = () => `v${++count}`;
const post = (body: Record<string, unknown>, as = "deployer") => api.request("POST", "/versions", body, as);
const build = (name: string, more: Record<string, unknown> = {}) => ({
  [name]: { image: `reg.example.com/x@sha256:${SHA}`, ...more },
});

describe("POST /versions", () => {
  it("records a version with what CI built, ready when everything is pinned", async () => {
    const { status, body } = await post({ version: fresh(), gitCommit: "c0ffee1", appBuilds: build(apps[0]!) });
    expect(status).toBe(201);
    expect(body).toMatchObject({
      status: "normal",
      builds: "ready",
      repository: null,
      applications: [{ name: apps[0], changed: true, builds: "ready" }],
    });
    expect((await api.request("GET", `/versions/${body.id}`, undefined, "viewer")).body).toEqual(body);
  });

  it("again at the same commit adds what is missing, says the same for what is there, and 409 for another build", async () => {
    const version = fresh();
    const first = await post({ version, gitCommit: "c0ffee1", appBuilds: build(apps[0]!) });
    const added = await post({ version, gitCommit: "c0ffee1", appBuilds: { ...build(apps[0]!), ...build(apps[1]!) } });
    expect([added.status, added.body.id, added.body.applications.length]).toEqual([200, first.body.id, 2]);
    const other = await post({ version, appBuilds: build(apps[0]!, { env: { A: "1" } }) });
    expect([other.status, other.body.code]).toEqual([409, "version.other_build"]);
    const elsewhere = await post({ version, gitCommit: "deadbeef" });
    expect([elsewhere.status, elsewhere.body.code]).toEqual([409, "version.other_commit"]);
  });

  it("adds nothing once a deployment of it has started", async () => {
    const version = fresh();
    const { body } = await post({ version, appBuilds: build(apps[0]!) });
    const deployment = await api.request("POST", "/deployments", { versionId: body.id, environmentId });
    expect(deployment.status).toBe(201);
    expect((await post({ version, appBuilds: build(apps[1]!) })).status).toBe(200);
    await api.request("POST", `/deployments/${deployment.body.id}/start`, {});
    const late = await post({ version, appBuilds: { third: { image: "x" } } });
    expect([late.status, late.body.code]).toEqual([409, "version.locked"]);
    expect((await post({ version, appBuilds: build(apps[0]!) })).status).toBe(200); // nothing new in it
  });

  it("waits for an image that is named by tag, where something runs it", async () => {
    const image = { image: "reg.example.com/x:1.2" };
    expect((await post({ version: fresh(), appBuilds: { [apps[0]!]: image } })).body.builds).toBe("ready");
    const name = `runs-${fresh()}`;
    await api.request("POST", "/applications", { name, config: { runtime: { docker: { image: "image" } } } });
    const { body } = await post({ version: fresh(), appBuilds: { [name]: image } });
    expect([body.builds, body.buildsReason.text]).toEqual([
      "waiting",
      expect.stringContaining("reg.example.com/x:1.2 in the registry"),
    ]);
  });

  it("refuses an application that nobody declared, by name, and keeps nothing of it", async () => {
    const version = fresh();
    const { status, body } = await post({ version, appBuilds: build("ghost") });
    expect([status, body.errors[0].path]).toEqual([400, "appBuilds.ghost"]);
    expect((await api.request("GET", `/versions?version=${version}`)).body.items).toEqual([]);
  });

  it("twice at the same time is one version", async () => {
    const version = fresh();
    const answers = await Promise.all(Array.from({ length: 5 }, () => post({ version, appBuilds: build(apps[0]!) })));
    expect(answers.map((a) => a.status).sort()).toEqual([200, 200, 200, 200, 201]);
    expect(new Set(answers.map((a) => a.body.id)).size).toBe(1);
  });

  it("before its push arrives is completed by the push, and CI's word stays", async () => {
    const remote = await createGitRemote();
    const world = await createGitopsWorld(db);
    const url = remote.url;
    const name = `early-${world.projectId.slice(-6)}`;
    await api.request("POST", "/applications", { name });
    const { body: repository } = await api.request("POST", "/repositories", {
      url,
      provider: "generic",
      webhookSecret: "a secret of sixteen and more",
      pollSeconds: 0,
    });
    const commit = await remote.push({
      "boreas.yaml":
        `apiVersion: boreas/v1\nkind: Application\nname: ${name}\nartifacts: { image: { ref: reg.example.com/x }, code: { path: src } }\n`,
      "src/a": "1",
    });
    const version = `main-${commit.slice(0, 12)}`;
    const posted = await post({ version, gitCommit: commit, repository: `file://${url}`, appBuilds: build(name) });
    expect(posted.body.repositoryId).toBe(repository.id);
    await recordDeliveries(world.deps, { id: repository.id, projectId: DEFAULT_PROJECT }, "webhook", [
      { deliveryKey: "k", event: "push", ref: "refs/heads/main", commit },
    ]);
    await until(world.deps.hints, async () => (await world.deliveries(repository.id))[0]!.status === "processed");
    const [row] = await db.sql`select artifacts from version_app where version_id = ${posted.body.id}`;
    expect(row!.artifacts).toEqual({
      image: { kind: "image", ref: "reg.example.com/x", digest: `sha256:${SHA}` },
      code: expect.objectContaining({ kind: "blob" }),
    });
    expect((await api.request("GET", `/versions/${posted.body.id}`)).body).toMatchObject({
      builds: "ready",
      gitCommit: commit,
    });
  });
});

describe("a version", () => {
  it("is marked as reverted and cleared, each with a reason, each once", async () => {
    const { body } = await post({ version: fresh() });
    const path = `/versions/${body.id}`;
    expect((await api.request("POST", `${path}/revert`, {})).status).toBe(400);
    const reverted = await api.request("POST", `${path}/revert`, { reason: "it loses orders" });
    expect(reverted.body).toMatchObject({
      status: "revert",
      reason: { text: "Marked as reverted by token:admin: it loses orders" },
    });
    expect((await api.request("POST", `${path}/revert`, { reason: "again" })).status).toBe(409);
    const cleared = await api.request("POST", `${path}/unrevert`, { reason: "was the network" });
    expect(cleared.body).toMatchObject({ status: "normal", reason: { code: "version.unreverted" } });
    expect((await api.request("POST", `${path}/revert`, { reason: "x" }, "viewer")).status).toBe(403);
    const acts = await db.sql`select action from audit where target = ${`version:${body.id}`} order by sequence`;
    expect(acts.map((a) => a.action)).toEqual(["version.create", "version.revert", "version.unrevert"]);
  });

  it("is deleted while nothing needs it, and kept with a sentence while something does", async () => {
    const { body: idle } = await post({ version: fresh() });
    expect((await api.request("DELETE", `/versions/${idle.id}`)).status).toBe(204);
    expect((await api.request("DELETE", `/versions/${idle.id}`)).status).toBe(404);
    const { body } = await post({ version: fresh(), appBuilds: build(apps[0]!) });
    await api.request("POST", "/deployments", { versionId: body.id, environmentId });
    expect((await api.request("DELETE", `/versions/${body.id}`)).body.code).toBe("version.in_history");
    await db.sql`insert into app_state (environment_id, application_id, target, project_id, version_id, health, sync)
      select ${environmentId}, application_id, '-', project_id, version_id, 'healthy', 'synced' from version_app
      where version_id = ${body.id}`;
    const refused = await api.request("DELETE", `/versions/${body.id}`);
    expect([refused.status, refused.body.detail]).toEqual([409, expect.stringContaining("runs in test")]);
    const status = await api.request("GET", `/versions/${body.id}/status`);
    expect(status.body).toMatchObject({
      versionId: body.id,
      deployments: [{ environment: "test" }],
      running: [{ target: "-" }],
    });
  });

  it("is found by name, commit, application and state, page by page", async () => {
    const version = fresh();
    const { body } = await post({ version, gitCommit: "abcdef1234", appBuilds: build(apps[1]!) });
    for (
      const query of [
        `version=${version}`,
        "commit=abcdef1234",
        `application=${apps[1]}&limit=1&status=normal&builds=ready`,
      ]
    ) {
      expect((await api.request("GET", `/versions?${query}`)).body.items[0].id).toBe(body.id);
    }
    const first = await api.request("GET", "/versions?limit=1");
    const second = await api.request("GET", `/versions?limit=1&cursor=${first.body.nextCursor}`);
    expect(second.body.items[0].id < first.body.items[0].id).toBe(true);
    expect((await api.request("GET", `/versions/${db.newId()}`)).status).toBe(404);
  });
});
