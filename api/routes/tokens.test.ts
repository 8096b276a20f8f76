import { describe, expect, it } from "vitest";
import { createTestApi, TEST_PASSWORD } from "../../tests/helpers/test_api.ts";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";

const db = await createTestDatabase();
const api = await createTestApi(db);
const signIn = async (username: string): Promise<string> =>
  (await api.request("POST", "/auth/login", { username, password: TEST_PASSWORD }, null)).body.accessToken;
const session = await signIn("deployer");
const me = async (token: string) => await api.request("GET", "/auth/me", undefined, token);

describe("API tokens", () => {
  it("show their secret once, work, and stop when they are revoked", async () => {
    const { status, body } = await api.request("POST", "/tokens", { name: "ci" }, session);
    expect(status).toBe(201);
    expect(body.token).toMatch(/^bor_[A-Za-z0-9_-]{43}$/);
    expect((await me(body.token)).body).toMatchObject({ username: "deployer", role: "deployer" });
    const read = await api.request("GET", `/tokens/${body.id}`, undefined, session);
    expect(read.body).toMatchObject({ name: "ci", username: "deployer", lastUsedAt: expect.any(String) });
    expect(JSON.stringify(read.body)).not.toContain(body.token);
    expect((await api.request("DELETE", `/tokens/${body.id}`, undefined, session)).status).toBe(204);
    expect((await me(body.token)).body.code).toBe("auth.token");
  });

  it("are never worth more than the one who makes them", async () => {
    const { status, body } = await api.request("POST", "/tokens", { name: "up", role: "admin" }, session);
    expect([status, body.code]).toEqual([403, "token.role"]);
    const lower = await api.request("POST", "/tokens", { name: "down", role: "viewer" }, session);
    expect((await me(lower.body.token)).body.role).toBe("viewer");
  });

  it("sink with their owner", async () => {
    const made = await api.request("POST", "/users", { username: "sam", password: TEST_PASSWORD, role: "admin" });
    const { body } = await api.request("POST", "/tokens", { name: "sam" }, await signIn("sam"));
    await api.request("PATCH", `/users/${made.body.id}`, { role: "viewer" });
    expect((await me(body.token)).body.role).toBe("viewer");
    await api.request("DELETE", `/users/${made.body.id}`);
    expect((await me(body.token)).status).toBe(401);
  });

  it("run out", async () => {
    const { body } = await api.request("POST", "/tokens", { name: "brief", expiresInSeconds: 60 }, session);
    expect((await me(body.token)).status).toBe(200);
    await db.sql`update api_token set expires_at = boreas_now() - interval '1 second' where id = ${body.id}`;
    expect((await me(body.token)).status).toBe(401);
  });

  it("cannot make further tokens", async () => {
    const { status, body } = await api.request("POST", "/tokens", { name: "child" }, "admin");
    expect([status, body.code]).toEqual([403, "token.from_token"]);
  });

  it("of others are out of reach, except for an admin", async () => {
    const [theirs] = await db.sql<{ id: string }[]>`select id from api_token where name = 'admin'`;
    expect((await api.request("GET", `/tokens/${theirs!.id}`, undefined, session)).status).toBe(404);
    expect((await api.request("DELETE", `/tokens/${theirs!.id}`, undefined, session)).status).toBe(404);
    const names = async (as: string) =>
      (await api.request("GET", "/tokens", undefined, as)).body.items.map((t: { username: string }) => t.username);
    expect(new Set(await names(session))).toEqual(new Set(["deployer"]));
    expect(await names("admin")).toContain("viewer");
  });

  it("that are not ours are refused alike", async () => {
    for (const token of ["bor_", `bor_${"A".repeat(43)}`, `bor_${"A".repeat(42)}'`, "Basic abc"]) {
      expect((await me(token)).status).toBe(401);
    }
  });
});
