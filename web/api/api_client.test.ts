import { describe, expect, it } from "vitest";
import { ApiProblem, createApi, withQuery } from "./api_client.ts";

type Refreshed = "ok" | "denied" | "unreachable";

function world(answers: (Response | Error)[], refreshed: Refreshed = "ok") {
  const asked: { address: string; init: RequestInit | undefined }[] = [];
  let refreshes = 0;
  let signedOut = 0;
  const api = createApi({
    fetch: (address, init) => {
      asked.push({ address: String(address), init });
      const answer = answers.shift()!;
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
    },
    refresh: () => {
      refreshes++;
      return Promise.resolve(refreshed);
    },
    onSignedOut: () => void signedOut++,
  });
  return { api, asked, counts: () => ({ refreshes, signedOut }) };
}
const problem = (status: number, more = {}) =>
  Response.json({ type: "", title: "", status, code: "x.y", detail: "Do this.", ...more }, { status });

describe("a request", () => {
  it("is repeated once after the session was renewed, with the same idempotency key", async () => {
    const w = world([problem(401), Response.json({ ok: true })]);
    expect(await w.api.send("POST", "/versions", { a: 1 })).toEqual({ ok: true });
    const keys = w.asked.map(({ init }) => new Headers(init!.headers).get("idempotency-key"));
    expect(keys[0]).toMatch(/^[0-9a-f]{32}$/);
    expect(keys[1]).toBe(keys[0]);
    expect(w.counts()).toEqual({ refreshes: 1, signedOut: 0 });
  });

  it("signs out when the session cannot be renewed, not when the master is away", async () => {
    const ended = world([problem(401)], "denied");
    await expect(ended.api.get("/overview")).rejects.toBeInstanceOf(ApiProblem);
    expect(ended.counts()).toEqual({ refreshes: 1, signedOut: 1 });
    const away = world([problem(401)], "unreachable");
    await expect(away.api.get("/overview")).rejects.toBeInstanceOf(ApiProblem);
    expect(away.counts()).toEqual({ refreshes: 1, signedOut: 0 });
  });

  it("does not renew anything for a wrong password", async () => {
    const w = world([problem(401)]);
    await expect(w.api.send("POST", "/auth/login", {})).rejects.toThrow("Do this.");
    expect(w.counts()).toEqual({ refreshes: 0, signedOut: 0 });
  });

  it("fails with the master's sentence and its fields", async () => {
    const w = world([problem(400, { errors: [{ path: "url", message: "is not an address" }] })]);
    await expect(w.api.get("/x")).rejects.toMatchObject({
      status: 400,
      code: "x.y",
      message: "Do this.",
      errors: [{ path: "url", message: "is not an address" }],
    });
  });

  it("fails with a problem also when a proxy answers, or nobody", async () => {
    await expect(world([new Response("<h1>Bad gateway", { status: 502 })]).api.get("/x"))
      .rejects.toMatchObject({ status: 502, code: "unreadable" });
    await expect(world([new TypeError("Failed to fetch")]).api.get("/x")).rejects.toMatchObject({
      status: 0,
      code: "network",
    });
  });

  it("gives nothing for an empty answer, and raw bytes with their end", async () => {
    expect(await world([new Response(null, { status: 204 })]).api.send("DELETE", "/x")).toBeUndefined();
    const w = world([new Response("abc", { headers: { "x-next-offset": "13" } })]);
    expect(await w.api.bytes("/tasks/1/logs")).toEqual({ bytes: new TextEncoder().encode("abc"), nextOffset: 13 });
  });

  it("leaves out what is not asked", () => {
    expect(withQuery("/x", { a: undefined, b: "", c: "d e", n: 0 })).toBe("/x?c=d+e&n=0");
    expect(withQuery("/x", {})).toBe("/x");
  });
});
