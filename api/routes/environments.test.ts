import { describe, expect, it } from "vitest";
import { createTestApi } from "../../tests/helpers/test_api.ts";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";
import { seedFinishedDeployment } from "../../tests/helpers/seed_finished_deployment.ts";

const db = await createTestDatabase();
const api = await createTestApi(db);
const make = async (name: string, more: Record<string, unknown> = {}) =>
  await api.request("POST", "/environments", { name, type: "pm", ...more });

describe("environments", () => {
  it("are added with config and policy, and listed by what they are", async () => {
    const policy = { branches: ["main"], approvals: { count: 2, notAuthor: true } };
    const { status, body } = await make("prod", { region: "eu", config: { appToNodes: { order: ["n1"] } }, policy });
    expect(status).toBe(201);
    expect(body).toMatchObject({ name: "prod", type: "pm", region: "eu", policy, status: "active" });
    await api.request("POST", "/environments", { name: "sandbox", type: "mock", status: "inactive" });
    const names = async (query: string) =>
      (await api.request("GET", `/environments?${query}`)).body.items.map((e: { name: string }) => e.name);
    expect(await names("")).toEqual(["sandbox", "prod"]);
    expect(await names("type=pm")).toEqual(["prod"]);
    expect(await names("status=inactive")).toEqual(["sandbox"]);
    expect(await names("name=prod")).toEqual(["prod"]);
  });

  it("refuse the address of an operator, and say why there is none", async () => {
    const { status, body } = await make("old", { config: { operatorApiUrl: "http://operator:8081" } });
    expect(status).toBe(400);
    expect(body.errors).toEqual([{
      path: "config.operatorApiUrl",
      message: "is gone: operators dial the master, so no address is needed",
    }]);
  });

  it("change in what is sent; config and policy are replaced whole", async () => {
    const { body } = await make("changing", { region: "eu", config: { env: { A: "1" } } });
    const changed = await api.request("PATCH", `/environments/${body.id}`, {
      config: { env: { B: 2 } },
      status: "inactive",
    });
    expect(changed.body).toMatchObject({ region: "eu", config: { env: { B: "2" } }, status: "inactive" });
    expect(changed.body.config.env.A).toBeUndefined();
    expect((await api.request("PATCH", `/environments/${db.newId()}`, {})).status).toBe(404);
  });

  it("show what runs in them", async () => {
    const { body } = await make("live");
    const app = (await api.request("POST", "/applications", { name: "order" })).body;
    expect((await api.request("GET", `/environments/${body.id}/status`)).body.items).toEqual([]);
    await seedFinishedDeployment(db, { applicationId: app.id, environmentId: body.id, name: "order" });
    const status = await api.request("GET", `/environments/${body.id}/status`, undefined, "viewer");
    expect(status.body.items).toMatchObject([{ application: "order", version: "v1", health: "healthy", target: "-" }]);
    expect((await api.request("GET", `/environments/${db.newId()}/status`)).status).toBe(404);
    const refused = await api.request("DELETE", `/environments/${body.id}`);
    expect([refused.status, refused.body.code]).toEqual([409, "environment.in_use"]);
    expect(refused.body.detail).toContain("set its status to inactive instead");
  });

  it("that nothing was deployed to can be deleted, with their secrets", async () => {
    const { body } = await make("brief");
    await api.request("PUT", "/secrets", { name: "KEY", value: "value", environmentId: body.id });
    expect((await api.request("DELETE", `/environments/${body.id}`)).status).toBe(204);
    expect((await db.sql`select 1 from secret where environment_id = ${body.id}`).length).toBe(0);
    expect((await api.request("GET", `/environments/${body.id}`)).status).toBe(404);
  });
});
