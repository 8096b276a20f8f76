import { SignJWT, UnsecuredJWT } from "jose";
import { describe, expect, it } from "vitest";
import { createTestApi, TEST_PASSWORD } from "../../tests/helpers/test_api.ts";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";
import { createMemoryLimiter } from "../middleware/rate_limit.ts";

const db = await createTestDatabase();
const api = await createTestApi(db);
// Each sign-in from the same address counts, so every test begins with a fresh count.
const login = async (username = "deployer", password = TEST_PASSWORD, headers = {}) => {
  api.deps.limiter = createMemoryLimiter(api.deps.clock);
  return await api.request("POST", "/auth/login", { username, password }, null, headers);
};
const me = async (token: string) => await api.request("GET", "/auth/me", undefined, token);
const refresh = async (refreshToken: string) => await api.request("POST", "/auth/refresh", { refreshToken }, null);
/** Moves the last use of every refresh token out of the grace for a second tab. */
const letTimePass = async () => await db.sql`update refresh_token set used_at = used_at - interval '1 minute'`;

describe("sign in", () => {
  it("gives a pair of tokens, and the access token works", async () => {
    const { status, body } = await login();
    expect(status).toBe(200);
    expect(body).toMatchObject({ expiresIn: 900, user: { username: "deployer", role: "deployer" } });
    expect((await me(body.accessToken)).body.username).toBe("deployer");
    expect(JSON.stringify(await db.sql`select * from refresh_token`)).not.toContain(body.refreshToken);
  });

  it("says the same for a wrong password and for an unknown user", async () => {
    const wrong = await login("deployer", "not the password");
    const unknown = await login("nobody", "not the password");
    expect(wrong.status).toBe(401);
    expect(unknown.body).toEqual(wrong.body);
  });

  it("sets cookies that script cannot read and other sites cannot send", async () => {
    const { headers } = await login();
    const [access, spare] = headers.getSetCookie();
    expect(access).toMatch(/^boreas=[^;]+; Max-Age=900; Path=\/; HttpOnly; SameSite=Strict$/);
    expect(spare).toMatch(/^boreas-refresh=[^;]+; Max-Age=\d+; Path=\/api\/v1\/auth; HttpOnly; SameSite=Strict$/);
  });

  it("refuses after too many attempts on one name, from wherever they come, and says how long", async () => {
    await login();
    // Nine more, without the work of nine hashes.
    for (let i = 0; i < 9; i++) expect(await api.deps.limiter.hit("login:name:deployer", 10, 60)).toBe(0);
    const late = await api.request("POST", "/auth/login", { username: "Deployer", password: TEST_PASSWORD }, null);
    expect(late.status).toBe(429);
    expect(Number(late.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(late.body.code).toBe("request.limited");
  });

  it("does not believe a forwarding header about where an attempt comes from", async () => {
    await login();
    for (let i = 0; i < 19; i++) expect(await api.deps.limiter.hit("login:address:unknown", 20, 60)).toBe(0);
    const late = await api.request("POST", "/auth/login", { username: "somebody", password: "x" }, null, {
      "x-forwarded-for": "203.0.113.9",
      "x-real-ip": "203.0.113.9",
      forwarded: "for=203.0.113.9",
    });
    expect(late.status).toBe(429);
  });
});

describe("access tokens", () => {
  const claims = async () => {
    const { body } = await login();
    return JSON.parse(atob(body.accessToken.split(".")[1]));
  };
  const forge = async (payload: Record<string, unknown>, key = api.deps.keys.jwt) =>
    await new SignJWT(payload).setProtectedHeader({ alg: "HS256" }).sign(key);

  it("are refused in every forged or outdated form, each with a 401", async () => {
    const good = await claims();
    const { exp: _exp, ...endless } = good;
    const { body: session } = await login();
    const forged: Record<string, string> = {
      none: new UnsecuredJWT(good).encode(),
      otherKey: await forge(good, new Uint8Array(32)),
      otherAlgorithm: await new SignJWT(good).setProtectedHeader({ alg: "HS512" }).sign(new Uint8Array(64)),
      wrongAudience: await forge({ ...good, aud: "boreas.blob" }),
      wrongIssuer: await forge({ ...good, iss: "someone" }),
      endless: await forge(endless),
      early: await forge({ ...good, nbf: good.exp }),
      truncated: session.accessToken.slice(0, -4),
      noParts: "abc",
      long: "a".repeat(10_000),
    };
    for (const [name, token] of Object.entries(forged)) expect([name, (await me(token)).status]).toEqual([name, 401]);
    const expired = await me(await forge({ ...good, exp: 1000 }));
    expect(expired.body.code).toBe("auth.expired");
    expect((await me(await forge(good))).status).toBe(200);
  });

  it("stop at once when the session ends", async () => {
    const { body } = await login();
    expect((await api.request("POST", "/auth/logout", undefined, body.accessToken)).status).toBe(204);
    expect((await me(body.accessToken)).body.code).toBe("auth.ended");
    expect((await refresh(body.refreshToken)).status).toBe(401);
  });

  it("stop when the password changes, while API tokens go on", async () => {
    const { body } = await login("viewer");
    await api.request("PATCH", `/users/${body.user.id}`, { password: "another long password" });
    expect((await me(body.accessToken)).status).toBe(401);
    expect((await refresh(body.refreshToken)).status).toBe(401);
    expect((await me(api.tokens.viewer)).status).toBe(200);
    expect((await login("viewer", "another long password")).status).toBe(200);
  });

  it("are worth the role their user has now", async () => {
    const created = await api.request("POST", "/users", { username: "eve", password: TEST_PASSWORD, role: "admin" });
    const { body } = await login("eve");
    expect((await api.request("GET", "/users", undefined, body.accessToken)).status).toBe(200);
    await api.request("PATCH", `/users/${created.body.id}`, { role: "viewer" });
    expect((await api.request("GET", "/users", undefined, body.accessToken)).status).toBe(403);
  });

  it("count only in the header: one in the address is not looked at", async () => {
    const { body } = await login();
    for (const name of ["token", "access_token", "jwt"]) {
      expect((await api.request("GET", `/auth/me?${name}=${body.accessToken}`, undefined, null)).status).toBe(401);
    }
  });
});

describe("refresh", () => {
  it("trades a refresh token for a new pair once", async () => {
    const first = (await login()).body;
    const second = await refresh(first.refreshToken);
    expect(second.status).toBe(200);
    expect(second.body.refreshToken).not.toBe(first.refreshToken);
    expect((await me(second.body.accessToken)).status).toBe(200);
  });

  it("ends the whole session when a spent token is used again", async () => {
    const first = (await login()).body;
    const second = (await refresh(first.refreshToken)).body;
    await letTimePass();
    expect((await refresh(first.refreshToken)).status).toBe(401);
    expect((await refresh(second.refreshToken)).status).toBe(401);
    expect((await me(second.accessToken)).status).toBe(401);
    const [audit] = await db.sql`select action from audit order by sequence desc limit 1`;
    expect(audit!.action).toBe("auth.refresh_reused");
  });

  it("gives a second tab of the same moment nothing, and ends nothing", async () => {
    const first = (await login()).body;
    const both = await Promise.all([refresh(first.refreshToken), refresh(first.refreshToken)]);
    expect(both.map((answer) => answer.status).sort()).toEqual([200, 409]);
    const winner = both.find((answer) => answer.status === 200)!;
    expect((await refresh(winner.body.refreshToken)).status).toBe(200);
  });

  it("takes the cookie from our own page only", async () => {
    const cookie = (await login()).headers.getSetCookie().map((c) => c.split(";")[0]).join("; ");
    const post = async (headers: Record<string, string>) =>
      await api.request("POST", "/auth/refresh", undefined, null, { cookie, ...headers });
    expect((await post({ "sec-fetch-site": "cross-site" })).status).toBe(403);
    expect((await post({ "sec-fetch-site": "same-site", origin: "http://localhost:41000" })).status).toBe(403);
    expect((await post({})).status).toBe(403);
    expect((await post({ "sec-fetch-site": "same-origin" })).status).toBe(200);
  });

  it("refuses one that has run out", async () => {
    const { body } = await login();
    await db.sql`update refresh_token set expires_at = boreas_now() - interval '1 second'`;
    expect((await refresh(body.refreshToken)).status).toBe(401);
  });
});
