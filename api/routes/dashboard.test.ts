import { describe, expect, it } from "vitest";
import { createTestApi } from "../../tests/helpers/test_api.ts";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";

const db = await createTestDatabase();
const files: Record<string, { bytes: Uint8Array<ArrayBuffer>; contentType: string }> = {
  "/index.html": { bytes: new TextEncoder().encode("<!doctype html>page"), contentType: "text/html" },
  "/assets/app-1a2b.js": { bytes: new TextEncoder().encode("1"), contentType: "text/javascript" },
};
const asked: string[] = [];
const api = await createTestApi(db, {
  webFile: (path) => {
    asked.push(path);
    return Promise.resolve(files[path]);
  },
  caCertificate: "-----BEGIN CERTIFICATE-----\n",
});
const get = async (path: string) => await api.request("GET", `http://localhost${path}`, undefined, null);

describe("the dashboard", () => {
  it("answers every address of a page with the page", async () => {
    for (const path of ["/", "/login", "/deployments", `/deployments/${db.newId()}`, "/applications/x", "/settings"]) {
      const { status, headers, body } = await get(path);
      expect([path, status, body]).toEqual([path, 200, "<!doctype html>page"]);
      expect(headers.get("cache-control")).toBe("no-cache");
    }
  });

  it("answers so for every page that there is, as whoever loads it anew finds out", async () => {
    const source = await Deno.readTextFile(new URL("../../web/Pages.tsx", import.meta.url));
    const pages = [...source.matchAll(/^ {2}\["(\/[^"]*)", /gm)].map(([, pattern]) =>
      pattern!.replace(":id", db.newId())
    );
    expect(pages.length).toBeGreaterThan(10);
    for (const path of pages) expect([path, (await get(path)).status]).toEqual([path, 200]);
  });

  it("lets a browser keep what carries its content in its name", async () => {
    const { headers } = await get("/assets/app-1a2b.js");
    expect(headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
    expect(headers.get("content-type")).toBe("text/javascript");
  });

  it("never answers for a file that is missing, a call that is unknown or an address outside", async () => {
    for (const path of ["/assets/old.js", "/nowhere", "/api/v1/nowhere", "/api/nowhere", "/webhook/github"]) {
      const { status, headers } = await get(path);
      expect([path, status, headers.get("content-type")]).toEqual([path, 404, "application/problem+json"]);
    }
    await get("/..%2f..%2fetc/passwd");
    await get("/.env");
    await get("/assets/%2e%2e/%2e%2e/secret.key");
    expect(asked.some((path) => path.includes("..") || path.includes("%") || path.includes(".env"))).toBe(false);
  });

  it("says what to do when it is not built", async () => {
    const index = files["/index.html"]!;
    delete files["/index.html"];
    const { status, body } = await get("/");
    expect(status).toBe(503);
    expect(body).toContain("deno task start");
    files["/index.html"] = index;
  });
});

describe("what Boreas says about itself", () => {
  it("is a document of OpenAPI 3.1 in two places, with the role of each call", async () => {
    const { body } = await get("/openapi.json");
    expect(body.openapi).toBe("3.1.0");
    expect((await get("/api/v1/openapi.json")).body).toEqual(body);
    expect(body.paths["/api/v1/users"].post).toMatchObject({ "x-boreas-role": "admin" });
    expect(body.paths["/api/v1/auth/login"].post.security).toEqual([]);
    expect(body.components.schemas.Problem).toBeDefined();
  });

  it("is a page without anything inline", async () => {
    const { body } = await get("/docs");
    expect(body).not.toMatch(/<script(?! src)|style=| on\w+=/);
    expect((await get("/docs/docs.js")).headers.get("content-type")).toContain("javascript");
    expect((await get("/docs/docs.css")).headers.get("content-type")).toContain("css");
  });

  it("holds the schema of boreas.yaml", async () => {
    const { body } = await get("/schema/boreas.json");
    expect(JSON.stringify(body)).toContain("mustInOrder");
  });

  it("gives the certificate to pin, where there is one", async () => {
    expect((await get("/api/v1/ca.pem")).body).toContain("BEGIN CERTIFICATE");
    delete api.deps.caCertificate;
    expect((await get("/api/v1/ca.pem")).status).toBe(404);
  });
});

describe("health", () => {
  it("is always well while the process runs; ready says no with 503 and why", async () => {
    expect((await get("/v1/health")).body).toEqual({ status: "ok", version: "0.0.0-test" });
    expect((await get("/v1/ready")).status).toBe(200);
    const state = await api.deps.ready();
    api.deps.ready = () =>
      Promise.resolve({ ...state, ready: false, database: { ...state.database, ok: false, detail: "away" } });
    const { status, body } = await get("/v1/ready");
    expect([status, body.database.detail]).toEqual([503, "away"]);
    expect((await get("/metrics")).body).toBe("boreas_up 1\n");
  });
});
