import { describe, expect, it } from "vitest";
import { createTestApi, TEST_PASSWORD } from "../../tests/helpers/test_api.ts";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";

const db = await createTestDatabase();
const api = await createTestApi(db);
const admin = api.actors.admin.userId!;

describe("users", () => {
  it("are added, read, changed and removed, and the record says who did it", async () => {
    const made = await api.request("POST", "/users", { username: "mia", password: TEST_PASSWORD, role: "viewer" });
    expect(made.status).toBe(201);
    expect(JSON.stringify(made.body)).not.toMatch(/scrypt|password/i);
    const { id } = made.body;
    expect((await api.request("PATCH", `/users/${id}`, { role: "deployer" })).body.role).toBe("deployer");
    expect((await api.request("GET", `/users/${id}`)).body.username).toBe("mia");
    expect((await api.request("GET", "/users")).body.items.map((u: { username: string }) => u.username)).toEqual([
      "mia",
      "viewer",
      "deployer",
      "admin",
    ]);
    expect((await api.request("DELETE", `/users/${id}`)).status).toBe(204);
    expect((await api.request("GET", `/users/${id}`)).status).toBe(404);
    const { body } = await api.request("GET", `/audit?target=user:${id}`);
    expect(body.items.map((a: { action: string; actor: string }) => `${a.actor} ${a.action}`)).toEqual([
      "token:admin user.delete",
      "token:admin user.update",
      "token:admin user.create",
    ]);
  });

  it("keep the last admin: it can be neither removed nor lowered", async () => {
    expect((await api.request("DELETE", `/users/${admin}`)).body.code).toBe("user.last_admin");
    expect((await api.request("PATCH", `/users/${admin}`, { role: "viewer" })).body.code).toBe("user.last_admin");
  });

  it("keep one admin even when two take each other's role at once", async () => {
    const { body } = await api.request("POST", "/users", { username: "two", password: TEST_PASSWORD, role: "admin" });
    const answers = await Promise.all([
      api.request("PATCH", `/users/${body.id}`, { role: "viewer" }),
      api.request("PATCH", `/users/${admin}`, { role: "viewer" }),
    ]);
    expect(answers.some((a) => a.status === 200)).toBe(true);
    const admins = await db.sql`select user_id from member where role = 'admin'`;
    expect(admins.length).toBe(1);
    await db.sql`update member set role = 'admin' where user_id = ${admin}`;
  });

  it("have one name each", async () => {
    const again = { username: "viewer", password: TEST_PASSWORD, role: "viewer" };
    expect((await api.request("POST", "/users", again)).body.detail).toMatch(/^There is a user of this name already/);
  });

  it("answer 404 for an id that is nobody's and 400 for one that is no id", async () => {
    expect((await api.request("GET", `/users/${db.newId()}`)).status).toBe(404);
    expect((await api.request("PATCH", `/users/${db.newId()}`, { role: "viewer" })).status).toBe(404);
    expect((await api.request("DELETE", `/users/${db.newId()}`)).status).toBe(404);
    const { status, body } = await api.request("GET", "/users/42");
    expect([status, body.errors[0].path]).toEqual([400, "id"]);
  });

  it("need a password worth the name", async () => {
    const { body } = await api.request("POST", "/users", { username: "short", password: "x", role: "viewer" });
    expect(body.errors).toEqual([{ path: "password", message: "must be at least 10 characters" }]);
  });
});
