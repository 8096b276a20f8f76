/** The app behind the HTTP server it runs on: what only a real socket shows. */
import { request } from "node:http";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { afterAll, describe, expect, it } from "vitest";
import { createTestApi, TEST_PASSWORD } from "../tests/helpers/test_api.ts";
import { createTestDatabase } from "../tests/helpers/test_database.ts";
import { CALLER_BODY } from "./read_body.ts";

const db = await createTestDatabase();
const api = await createTestApi(db);
const server = createServer(getRequestListener(api.app.fetch, { overrideGlobalObjects: false }));
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
const { port } = server.address() as AddressInfo;
const base = `http://127.0.0.1:${port}`;
afterAll(() => new Promise<void>((resolve) => (server.closeAllConnections(), server.close(() => resolve()))));

const bearer = { authorization: `Bearer ${api.tokens.admin}`, "content-type": "application/json" };

describe("over a socket", () => {
  it("writes work, and the record has the socket's own address whatever a header claims", async () => {
    const answer = await fetch(`${base}/api/v1/environments`, {
      method: "POST",
      headers: { ...bearer, "x-forwarded-for": "203.0.113.9", "idempotency-key": "one" },
      body: JSON.stringify({ name: "prod", type: "mock" }),
    });
    expect(answer.status).toBe(201);
    await answer.body?.cancel();
    const [row] = await db.sql`select ip from audit where action = 'environment.create'`;
    expect(row!.ip).toBe("127.0.0.1");
  });

  it("a chunked body without a length is cut at the limit", async () => {
    const status = await new Promise<number>((resolve, reject) => {
      const sending = request(`${base}/api/v1/environments`, { method: "POST", headers: bearer }, (answer) => {
        answer.resume();
        resolve(answer.statusCode!);
      });
      // The server may hang up while we still write: that is what it should do, once it has answered.
      sending.on("error", reject);
      const chunk = new Uint8Array(128 * 1024).fill(0x20);
      for (let sent = 0; sent <= CALLER_BODY.maxBytes; sent += chunk.length) sending.write(chunk);
      sending.end();
    });
    expect(status).toBe(413);
  });

  it("a page signs in, reads and writes with nothing but its cookie", async () => {
    const signedIn = await fetch(`${base}/api/v1/auth/login`, {
      method: "POST",
      headers: { "content-type": "application/json", origin: base, "sec-fetch-site": "same-origin" },
      body: JSON.stringify({ username: "admin", password: TEST_PASSWORD }),
    });
    await signedIn.body?.cancel();
    const cookie = signedIn.headers.getSetCookie().map((c) => c.split(";")[0]).join("; ");
    const written = await fetch(`${base}/api/v1/applications`, {
      method: "POST",
      headers: { cookie, origin: base, "sec-fetch-site": "same-origin", "content-type": "application/json" },
      body: JSON.stringify({ name: "order" }),
    });
    expect(written.status).toBe(201);
    await written.body?.cancel();
  });

  it("HEAD answers like GET, without a body", async () => {
    const answer = await fetch(`${base}/api/v1/applications`, { method: "HEAD", headers: bearer });
    expect(answer.status).toBe(200);
    expect(await answer.text()).toBe("");
    const refused = await fetch(`${base}/api/v1/applications`, { method: "HEAD" });
    expect(refused.status).toBe(401);
  });

  it("strange paths and headers are answered, never with a 500", async () => {
    const paths = [
      "/api/v1/%zz",
      "/api/v1/users/%00",
      "/api/v1/users/%2e%2e%2f",
      "/%ff",
      "//evil.example/",
      "/api/v1//users",
    ];
    for (const path of paths) {
      const status = await new Promise<number>((resolve, reject) => {
        request({ host: "127.0.0.1", port, path, headers: bearer }, (answer) => {
          answer.resume();
          resolve(answer.statusCode!);
        }).on("error", reject).end();
      });
      expect([path, status >= 400 && status < 500]).toEqual([path, true]);
    }
  });
});
