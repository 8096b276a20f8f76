import { describe, expect, it } from "vitest";
import { createTestApi } from "../../tests/helpers/test_api.ts";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";
import { seedFinishedDeployment } from "../../tests/helpers/seed_finished_deployment.ts";

const db = await createTestDatabase();
const api = await createTestApi(db);
const make = async (name: string) => (await api.request("POST", "/applications", { name }, "deployer")).body;
const makeEnvironment = async (name: string) =>
  (await api.request("POST", "/environments", { name, type: "mock" })).body;

describe("applications", () => {
  it("need no more than a name", async () => {
    const { status, body } = await api.request("POST", "/applications", { name: "order" }, "deployer");
    expect(status).toBe(201);
    expect(body).toMatchObject({
      name: "order",
      description: "",
      repository: null,
      repositoryId: null,
      type: "microservice",
      config: {},
      environments: [],
    });
    expect((await api.request("GET", `/applications/${body.id}`, undefined, "viewer")).body).toEqual(body);
  });

  it("change in what is sent and in nothing else", async () => {
    const { id } = await make("change-me");
    await api.request("PATCH", `/applications/${id}`, { config: { needs: ["order"] } }, "deployer");
    const { body } = await api.request("PATCH", `/applications/${id}`, { description: "new" }, "deployer");
    expect(body).toMatchObject({ description: "new", config: { needs: ["order"] }, type: "microservice" });
    const renamed = await api.request("PATCH", `/applications/${id}`, { name: "other" }, "deployer");
    expect(renamed.body.errors[0]).toEqual({
      path: "name",
      message: "is not a known key; remove it or check its spelling",
    });
  });

  it("refuse the one name that every plain object has already", async () => {
    const { status, body } = await api.request("POST", "/applications", { name: "constructor" });
    expect([status, body.errors]).toEqual([400, [{ path: "name", message: "another name; this one is reserved" }]]);
  });

  it("refuse a config that is not a file's, by the place that is wrong", async () => {
    const config = { runtime: { binary: { artifact: "bin", exec: [] } }, healthh: [] };
    const { status, body } = await api.request("POST", "/applications", { name: "wrong", config });
    expect(status).toBe(400);
    expect(body.errors.map((e: { path: string }) => e.path).sort()).toEqual([
      "config.healthh",
      "config.runtime.binary.exec",
    ]);
  });

  it("belong to their repository when its address is registered", async () => {
    const id = db.newId();
    await db.sql`insert into repository (id, project_id, url, provider, branch, config_paths, webhook_secret,
      poll_seconds, reason, created_by) select ${id}, id, 'https://git.example/shop.git', 'generic', 'main',
      '{boreas.yaml}', '\\x00', 0, '{}', 'test' from project`;
    const input = { name: "owned", repository: "https://git.example/shop.git" };
    expect((await api.request("POST", "/applications", input)).body.repositoryId).toBe(id);
    const { body } = await api.request("GET", `/applications?repositoryId=${id}`);
    expect(body.items.map((a: { name: string }) => a.name)).toEqual(["owned"]);
  });

  it("refuse an address with a password in it, which everybody would see", async () => {
    const input = { name: "leaky", repository: "https://me:canary@git.example/shop.git" };
    const { status, body } = await api.request("POST", "/applications", input);
    expect([status, body.errors[0].path]).toEqual([400, "repository"]);
    expect(JSON.stringify(body)).not.toContain("canary");
  });

  it("are bound to environments, with what is overlaid there", async () => {
    const app = await make("bound");
    const env = await makeEnvironment("staging");
    const path = `/applications/${app.id}/environments/${env.id}`;
    expect((await api.request("GET", path)).body.code).toBe("binding.unknown");
    const config = { config: { env: { LOG_LEVEL: "debug" } } };
    expect((await api.request("PUT", path, { config }, "deployer")).body).toEqual({
      environmentId: env.id,
      environment: "staging",
      removedAt: null,
      config,
    });
    await api.request("PUT", path, {}, "deployer");
    expect((await api.request("GET", `/applications/${app.id}/environments`)).body.items).toEqual([
      { environmentId: env.id, environment: "staging", config: {}, removedAt: null },
    ]);
    expect((await api.request("GET", `/applications/${app.id}`)).body.environments).toEqual([
      { id: env.id, name: "staging" },
    ]);
    const { body } = await api.request("GET", `/applications?environmentId=${env.id}`);
    expect(body.items.length).toBe(1);
    const nowhere = await api.request("PUT", `/applications/${app.id}/environments/${db.newId()}`, {}, "deployer");
    expect([nowhere.status, nowhere.body.code]).toEqual([404, "environment.unknown"]);
  });

  it("show what runs of them and how their deployments ended", async () => {
    const app = await make("running");
    const env = await makeEnvironment("prod");
    const empty = await api.request("GET", `/applications/${app.id}/environments/${env.id}/resources`);
    expect(empty.status).toBe(404);
    const seed = await seedFinishedDeployment(db, { applicationId: app.id, environmentId: env.id, name: "running" });
    const resources = await api.request("GET", `/applications/${app.id}/environments/${env.id}/resources`);
    expect(resources.body.items).toMatchObject([{ version: "v1", health: "healthy", details: { pid: 42 } }]);
    const { body } = await api.request("GET", `/applications/${app.id}/history`, undefined, "viewer");
    expect(body.items).toMatchObject([{
      deploymentId: seed.deploymentId,
      taskId: seed.taskId,
      version: "v1",
      environment: "prod",
      status: "success",
    }]);
  });

  it("that versions know or machines run are not deleted", async () => {
    const app = await make("kept");
    const env = await makeEnvironment("kept-env");
    const { versionId } = await seedFinishedDeployment(db, {
      applicationId: app.id,
      environmentId: env.id,
      name: "kept",
      version: "v2",
    });
    const running = await api.request("DELETE", `/applications/${app.id}`);
    expect([running.status, running.body.code]).toEqual([409, "application.running"]);
    await db.sql`delete from app_state where application_id = ${app.id}`;
    const known = await api.request("DELETE", `/applications/${app.id}`);
    expect([known.status, known.body.code]).toEqual([409, "application.in_use"]);
    expect((await db.sql`select 1 from version_app where version_id = ${versionId}`).length).toBe(1);
  });

  it("that nothing knows go with their bindings and secrets", async () => {
    const app = await make("unused");
    const env = await makeEnvironment("unused-env");
    await api.request("PUT", `/applications/${app.id}/environments/${env.id}`, {});
    await api.request("PUT", "/secrets", { name: "KEY", value: "value", applicationId: app.id });
    expect((await api.request("DELETE", `/applications/${app.id}`)).status).toBe(204);
    expect((await db.sql`select 1 from secret where application_id = ${app.id}`).length).toBe(0);
    expect((await api.request("DELETE", `/applications/${app.id}`)).status).toBe(404);
  });

  it("leave an event of every change, for pages that are open", async () => {
    const heard: string[] = [];
    const end = api.deps.hints.on("events", () => void heard.push("events"));
    const { id } = await make("eventful");
    await api.request("PATCH", `/applications/${id}`, { description: "x" });
    await api.request("DELETE", `/applications/${id}`);
    end();
    const events = await db.sql`select kind from event where subject_id = ${id} order by id`;
    expect(events.map((e) => e.kind)).toEqual(["application.created", "application.changed", "application.deleted"]);
    expect(heard.length).toBe(3);
  });
});
