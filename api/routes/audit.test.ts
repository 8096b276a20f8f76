import { describe, expect, it } from "vitest";
import { createTestApi } from "../../tests/helpers/test_api.ts";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";

const db = await createTestDatabase();
const api = await createTestApi(db);
await api.request("POST", "/environments", { name: "prod", type: "mock" });
const app = (await api.request("POST", "/applications", { name: "order" }, "deployer")).body;
await api.request("PATCH", `/applications/${app.id}`, { description: "x" }, "deployer");
const read = async (query: string) =>
  (await api.request("GET", `/audit?${query}`)).body.items.map((a: { action: string }) => a.action);

describe("the audit", () => {
  it("tells who did what, newest first", async () => {
    const { body } = await api.request("GET", "/audit?limit=2");
    expect(body.items).toMatchObject([
      { actor: "token:deployer", action: "application.update", target: `application:${app.id}`, ip: "unknown" },
      { actor: "token:deployer", action: "application.create", detail: { name: "order" } },
    ]);
    const next = await api.request("GET", `/audit?limit=1&cursor=${body.nextCursor}`);
    expect(next.body.items[0].action).toBe("environment.create");
  });

  it("is narrowed by actor, by action or a kind of them, and by target", async () => {
    expect(await read("actor=token:admin")).toEqual(["environment.create"]);
    expect(await read("action=application.")).toEqual(["application.update", "application.create"]);
    expect(await read("action=application.create")).toEqual(["application.create"]);
    expect(await read("action=application")).toEqual([]);
    expect(await read(`target=application:${app.id}`)).toEqual(["application.update", "application.create"]);
  });

  it("is for admins", async () => {
    expect((await api.request("GET", "/audit", undefined, "deployer")).status).toBe(403);
  });
});
