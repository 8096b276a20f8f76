import { describe, expect, it } from "vitest";
import { createTestApi, TEST_PASSWORD } from "../../tests/helpers/test_api.ts";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";

const db = await createTestDatabase();
const api = await createTestApi(db);
const { headers } = await api.request("POST", "/auth/login", { username: "admin", password: TEST_PASSWORD }, null);
const cookie = headers.getSetCookie()[0]!.split(";")[0]!;
const own = { cookie, origin: "http://localhost:8080", "sec-fetch-site": "same-origin" };
const name = () => `e-${crypto.randomUUID().slice(0, 8)}`;

describe("the dashboard's cookie", () => {
  it("reads and writes from our own page", async () => {
    expect((await api.request("GET", "/auth/me", undefined, null, { cookie })).status).toBe(200);
    expect((await api.request("POST", "/environments", { name: name(), type: "mock" }, null, own)).status).toBe(201);
  });

  it("does nothing for another site, in whatever form the body is sent", async () => {
    const foreign = { cookie, origin: "https://evil.example", "sec-fetch-site": "cross-site" };
    for (const type of ["application/json", "text/plain", "application/x-www-form-urlencoded"]) {
      const { status, body } = await api.request("POST", "/environments", { name: name(), type: "mock" }, null, {
        ...foreign,
        "content-type": type,
      });
      expect([type, status, body.code]).toEqual([type, 403, "request.cross_site"]);
    }
  });

  it("does nothing for another port of this machine, where a deployed application may sit", async () => {
    const neighbour = { cookie, origin: "http://localhost:41000", "sec-fetch-site": "same-site" };
    expect((await api.request("DELETE", `/users/${db.newId()}`, undefined, null, neighbour)).status).toBe(403);
    expect((await api.request("DELETE", `/users/${db.newId()}`, undefined, null, { cookie, origin: "null" })).status)
      .toBe(403);
  });

  it("does nothing when a writer does not say where it comes from", async () => {
    expect((await api.request("POST", "/environments", { name: name(), type: "mock" }, null, { cookie })).status)
      .toBe(403);
  });

  it("does not stand in the way of a bearer token", async () => {
    const { status } = await api.request("POST", "/environments", { name: name(), type: "mock" }, "admin", {
      origin: "https://ci.example",
      "sec-fetch-site": "cross-site",
    });
    expect(status).toBe(201);
  });
});

describe("behind https", () => {
  it("the cookies are bound to this host and to https", async () => {
    api.deps.secureCookies = true;
    const answer = await api.request("POST", "/auth/login", { username: "admin", password: TEST_PASSWORD }, null);
    const [access, refresh] = answer.headers.getSetCookie();
    expect(access).toMatch(/^__Host-boreas=.*; Path=\/; HttpOnly; Secure; SameSite=Strict$/);
    expect(refresh).toMatch(/^__Secure-boreas-refresh=.*; Path=\/api\/v1\/auth; HttpOnly; Secure; SameSite=Strict$/);
    expect(answer.headers.get("strict-transport-security")).toMatch(/max-age/);
    const set = await api.request("GET", "/auth/me", undefined, null, { cookie: access!.split(";")[0]! });
    expect(set.status).toBe(200);
    // The name without the prefix could have been planted over plain http.
    expect((await api.request("GET", "/auth/me", undefined, null, { cookie })).status).toBe(401);
  });
});
