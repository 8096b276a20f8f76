import { describe, expect, it } from "vitest";
import { createTestApi } from "../tests/helpers/test_api.ts";
import { createTestDatabase } from "../tests/helpers/test_database.ts";
import { SECURITY_HEADERS } from "./middleware/request_context.ts";
import { isAllowed, PERMISSIONS, RANKED_ROLES } from "./permissions.ts";

const db = await createTestDatabase();
const api = await createTestApi(db);
const NOBODY = "00000000-0000-7000-8000-00000000dead";

/** `METHOD /path/:id` of everything that is mounted; middlewares are registered for all methods. */
const mounted = new Set(api.app.routes.filter((r) => r.method !== "ALL").map((r) => `${r.method} ${r.path}`));

describe("the table of permissions", () => {
  it("names every route and no other", () => {
    expect([...mounted].filter((key) => !(key in PERMISSIONS))).toEqual([]);
    expect(Object.keys(PERMISSIONS).filter((key) => !mounted.has(key))).toEqual([]);
  });

  it("covers every call of the OpenAPI document", async () => {
    const { body } = await api.request("GET", "/openapi.json", undefined, null);
    const calls = Object.entries(body.paths as Record<string, object>).flatMap(([path, item]) =>
      Object.keys(item).map((method) => `${method.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ":$1")}`)
    );
    expect(calls.length).toBeGreaterThan(30);
    expect(calls.filter((key) => !(key in PERMISSIONS))).toEqual([]);
  });

  const guarded = Object.entries(PERMISSIONS).filter(([key, p]) => mounted.has(key) && p !== "public" && p !== "agent");
  const call = async (key: string, as: string | null) => {
    const [method, path] = key.split(" ") as [string, string];
    const address = `http://localhost${path.replace(/:\w+/g, NOBODY)}`;
    const body = ["POST", "PUT", "PATCH"].includes(method) ? { surely: "unknown" } : undefined;
    return await api.request(method, address, body, as);
  };

  it("asks everybody to sign in where it must", async () => {
    for (const [key] of guarded) {
      const { status, body } = await call(key, null);
      expect([key, status, body.code]).toEqual([key, 401, "auth.required"]);
    }
  });

  it("lets each role into exactly what the table says", async () => {
    for (const [key, permission] of guarded) {
      for (const role of RANKED_ROLES) {
        // An open stream would keep the test; that it answers at all is for its own tests.
        if (key === "GET /api/v1/live" && isAllowed(permission, role)) continue;
        const { status, body } = await call(key, role);
        const refused = status === 403 && body.code === "auth.role";
        expect([key, role, refused]).toEqual([key, role, !isAllowed(permission, role)]);
      }
    }
  });

  it("counts a role of a team's own as a viewer", () => {
    expect(isAllowed("viewer", "incident")).toBe(true);
    expect(isAllowed("deployer", "incident")).toBe(false);
  });
});

describe("every answer", () => {
  const answers: [string, string, unknown, string | null, number][] = [
    ["GET", "http://localhost/v1/health", undefined, null, 200],
    ["GET", "http://localhost/", undefined, null, 503],
    ["GET", "http://localhost/docs", undefined, null, 200],
    ["GET", "http://localhost/nowhere", undefined, null, 404],
    ["GET", "/nowhere", undefined, "admin", 404],
    ["GET", "/users", undefined, null, 401],
    ["GET", "/users", undefined, "viewer", 403],
    ["POST", "/environments", { name: "A B" }, "admin", 400],
    ["POST", "/environments", "{", "admin", 400],
  ];
  it("carries the security headers, errors too", async () => {
    for (const [method, path, body, as, status] of answers) {
      const answer = await api.request(method, path, body, as);
      expect([path, answer.status]).toEqual([path, status]);
      for (const [name, value] of Object.entries(SECURITY_HEADERS)) expect(answer.headers.get(name)).toBe(value);
      expect(answer.headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
    }
    expect(SECURITY_HEADERS["Content-Security-Policy"]).not.toMatch(/unsafe-(inline|eval)/);
  });

  it("is a problem with a sentence when it is an error", async () => {
    const { headers, body } = await api.request("GET", "/nowhere");
    expect(headers.get("content-type")).toBe("application/problem+json");
    expect(body).toEqual({
      type: "about:blank",
      title: "Not found",
      status: 404,
      code: "route.unknown",
      detail: "There is no GET /api/v1/nowhere; see /docs for what there is.",
    });
  });

  it("is logged with its path alone, so a token in a query is never written down", async () => {
    await api.request("GET", "/auth/me?token=bor_canary&access_token=canary", undefined, null);
    expect(JSON.stringify(api.logged)).not.toContain("canary");
    expect(api.logged.at(-1)).toMatchObject({ message: "request", context: { path: "/api/v1/auth/me", status: 401 } });
  });
});

describe("errors", () => {
  it("are explained without giving anything away when they are our own", async () => {
    api.deps.ready = () => Promise.reject(new Error("secret detail"));
    const { status, body } = await api.request("GET", "http://localhost/v1/ready", undefined, null);
    expect(status).toBe(500);
    expect(JSON.stringify(body)).not.toContain("secret detail");
    const line = api.logged.find((l) => l.message === "request failed unexpectedly")!;
    expect(body.detail).toContain(line.context.requestId);
    expect(line.context.error).toContain("secret detail");
  });
});
