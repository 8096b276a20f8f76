import { describe, expect, it } from "vitest";
import { createTestApi } from "../../tests/helpers/test_api.ts";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";
import { createApp } from "../create_app.ts";
import { CALLER_BODY, STRANGER_BODY } from "../read_body.ts";

const db = await createTestDatabase();
const api = await createTestApi(db);
const post = async (body: string | ReadableStream<Uint8Array>, headers: Record<string, string> = {}) => {
  const response = await api.app.request("/api/v1/environments", {
    method: "POST",
    headers: { authorization: `Bearer ${api.tokens.admin}`, "content-type": "application/json", ...headers },
    body,
    duplex: "half",
  } as RequestInit);
  return { status: response.status, body: await response.json() };
};

describe("a body", () => {
  it("that is too large is refused by its length, before it is read", async () => {
    const { status, body } = await post("{}", { "content-length": String(60_000_000) });
    expect(status).toBe(413);
    expect(body.detail).toContain(String(CALLER_BODY.maxBytes));
  });

  it("that never says its length is read no further than the limit", async () => {
    let sent = 0;
    let cancelled = false;
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        sent += 65_536;
        controller.enqueue(new Uint8Array(65_536).fill(0x20));
      },
      cancel: () => void (cancelled = true),
    });
    expect((await post(endless)).status).toBe(413);
    expect(cancelled).toBe(true);
    expect(sent).toBeLessThan(2 * CALLER_BODY.maxBytes);
  });

  it("whose length lies is still cut at the limit", async () => {
    expect((await post(`"${"x".repeat(CALLER_BODY.maxBytes)}"`, { "content-length": "2" })).status).toBe(413);
  });

  it("that is packed is refused by name", async () => {
    const { status, body } = await post("{}", { "content-encoding": "gzip" });
    expect([status, body.code]).toEqual([415, "request.content_encoding"]);
  });

  it("that is no JSON is refused with a sentence", async () => {
    expect((await post("{name: x")).body.detail).toBe(
      "The body is not valid JSON; check its quotes, commas and brackets.",
    );
    expect((await post("a=b", { "content-type": "application/x-www-form-urlencoded" })).status).toBe(415);
  });

  it("that is nested without end is refused before it is parsed", async () => {
    const { status, body } = await post("[".repeat(100_000) + "]".repeat(100_000));
    expect([status, body.code]).toEqual([400, "request.depth"]);
    const brackets = JSON.stringify({ name: "fine", type: "mock", region: '[[[{"'.repeat(19) });
    expect((await post(brackets)).status).toBe(201);
  });

  it("that holds a key that is not known is refused by the key's name", async () => {
    for (const key of ["id", "projectId", "createdBy", "status2"]) {
      const { status, body } = await post(JSON.stringify({ name: "x", type: "mock", [key]: "y" }));
      expect(status).toBe(400);
      expect(body.errors).toEqual([{ path: key, message: "is not a known key; remove it or check its spelling" }]);
      expect(body.detail).toContain(key);
    }
    const proto = await post('{"name":"x","type":"mock","__proto__":{"status":"inactive"}}');
    expect([proto.status, proto.body.errors?.[0].path]).toEqual([400, "__proto__"]);
  });

  it("of a stranger may be long enough to sign in or to enrol, no more", async () => {
    const login = (username: string) => api.request("POST", "/auth/login", { username, password: "x" }, null);
    expect((await login("x".repeat(STRANGER_BODY.maxBytes))).status).toBe(413);
    expect((await login("nobody")).status).toBe(401);
  });

  it("that does not come in time is a 408 and lets go of its stream", async () => {
    const timers: (() => void)[] = [];
    const clock = { ...api.deps.clock, after: (_ms: number, call: () => void) => (timers.push(call), { cancel() {} }) };
    const slow = createApp({ ...api.deps, clock });
    let cancelled = false;
    const body = new ReadableStream({
      pull: () => queueMicrotask(() => timers.forEach((fire) => fire())),
      cancel: () => void (cancelled = true),
    }, { highWaterMark: 0 });
    const answer = await slow.request(
      "/api/v1/auth/login",
      { method: "POST", headers: { "content-type": "application/json" }, body, duplex: "half" } as RequestInit,
    );
    expect([answer.status, (await answer.json()).code, cancelled]).toEqual([408, "request.timeout", true]);
  });

  it("that is cut short is no mistake of ours in the log", async () => {
    const cut = new ReadableStream<Uint8Array>({ pull: (c) => c.error(new Error("aborted")) });
    expect((await post(cut)).body.code).toBe("request.cut");
    expect(api.logged.filter((entry) => entry.level === "ERROR")).toEqual([]);
  });

  it("with a NUL in a text is the sender's mistake, not ours", async () => {
    const { status, body } = await post(JSON.stringify({ name: "x", type: "mock", region: "a\u0000b" }));
    expect([status, body.code]).toEqual([400, "request.nul"]);
    const inJson = await post(
      JSON.stringify({ name: "x", type: "mock", config: { env: { A: "ok" }, operator: "\u0000" } }),
    );
    expect([inJson.status, inJson.body.code]).toEqual([400, "request.nul"]);
  });
});
