/**
 * S7: bodies that mean harm, against a started master. Every answer is a 4xx (or a 503 that asks to send again), the
 * process grows by no more than 100 MB, and `/v1/health` goes on answering.
 */
import { createHmac } from "node:crypto";
import { gzipSync } from "node:zlib";
import { beforeAll, describe, expect, it } from "vitest";
import { isThorough } from "../faults/support/races.ts";
import { chunked, post, sendRaw } from "../helpers/raw_http.ts";
import type { RawAnswer, RawRequest } from "../helpers/raw_http.ts";
import { ADMIN_PASSWORD, startMaster } from "../helpers/start_product.ts";
import type { Master } from "../helpers/start_product.ts";
import { watchDuring } from "../helpers/watch_process.ts";
import type { Watched } from "../helpers/watch_process.ts";

const MB = 1024 * 1024;
const SECRET = "a secret of the hook, long enough";
const JSON_TYPE = { "Content-Type": "application/json" };
const LOGIN = "/api/v1/auth/login";
let master: Master;
let port: number;
let hook: string;
let bearer: Record<string, string>;

beforeAll(async () => {
  master = await startMaster({ BOREAS_LOG_LEVEL: "WARN" });
  port = Number(new URL(master.url).port);
  const { webhookPath } = await master.api("POST", "/repositories", {
    url: "/nowhere/shop.git",
    provider: "github",
    webhookSecret: SECRET,
    pollSeconds: 0,
  });
  hook = webhookPath;
  const { text } = await master.raw("POST", LOGIN, { username: "admin", password: ADMIN_PASSWORD });
  bearer = { Authorization: `Bearer ${JSON.parse(text).accessToken}` };
  // Warm, so that what grows afterwards is the attack's doing.
  for (let n = 0; n < 50; n++) await send(hook, { "Content-Length": 2 }, ["{}"]);
});

const send = (path: string, headers: Record<string, string | number>, body: RawRequest["body"] = []) =>
  sendRaw(port, { head: post(path, { ...JSON_TYPE, ...headers }), body });

async function attack(requests: () => Promise<RawAnswer>[], expected: number[]): Promise<Watched> {
  let answers: RawAnswer[] = [];
  const watched = await watchDuring({ pid: master.pid(), port }, async () => {
    answers = await Promise.all(requests());
  });
  const statuses = [...new Set(answers.map((a) => a.status))];
  expect(statuses.filter((status) => !expected.includes(status))).toEqual([]);
  for (const { text, status } of answers) {
    // A 408 may come from the HTTP server itself, before there is a request to answer.
    if (status >= 400 && status !== 408) expect(text).toContain("application/problem+json");
  }
  expect(watched.grownBytes).toBeLessThanOrEqual(100 * MB);
  // Of few answers the slowest says how busy the test's own machine was.
  expect(watched.asked < 100 ? watched.slowestMs / 4 : watched.p99Ms).toBeLessThan(isThorough() ? 500 : 10_000);
  expect(master.output()).not.toMatch(/ERROR/);
  return watched;
}
const times = (n: number, make: () => Promise<RawAnswer>) => () => Array.from({ length: n }, make);
function* zeros(bytes: number): Iterable<Uint8Array> {
  const piece = new Uint8Array(256 * 1024).fill(0x20);
  for (let sent = 0; sent < bytes; sent += piece.length) yield piece;
}

describe("S7", () => {
  it("a body of 60 MB is refused by its length, wherever it is sent", async () => {
    for (const path of [hook, LOGIN, "/api/v1/enroll"]) {
      await attack(times(4, () => send(path, { "Content-Length": 60 * MB }, zeros(60 * MB))), [413]);
    }
    await attack(
      times(4, () => send("/api/v1/environments", { ...bearer, "Content-Length": 60 * MB }, zeros(60 * MB))),
      [413],
    );
  });

  it("a chunked body that never says its length is cut at the limit, also when many come at once", async () => {
    const piece = new Uint8Array(64 * 1024).fill(0x20);
    const endless = (path: string, headers = {}) =>
      send(path, { ...headers, "Transfer-Encoding": "chunked" }, chunked(piece, 60 * MB / piece.length));
    await attack(times(1, () => endless(hook)), [413]);
    await attack(times(6, () => endless(hook)), [413, 503]);
    await attack(times(12, () => endless(LOGIN)), [413]);
    await attack(times(12, () => endless("/api/v1/environments", bearer)), [413]);
  });

  it("brackets nested a hundred thousand deep are refused, signed or not", async () => {
    const deep = (levels: number) => "[".repeat(levels) + "]".repeat(levels);
    const sendText = (path: string, text: string, headers: Record<string, string> = {}) =>
      send(path, { ...headers, "Content-Length": text.length }, [text]);
    await attack(times(5, () => sendText(LOGIN, deep(30_000))), [400]);
    await attack(times(5, () => sendText(LOGIN, deep(100_000))), [413]);
    await attack(times(5, () => sendText("/api/v1/environments", deep(100_000), bearer)), [400]);
    await attack(times(5, () => sendText(hook, deep(100_000))), [401]);
    const body = deep(100_000);
    const signature = `sha256=${createHmac("sha256", SECRET).update(body).digest("hex")}`;
    const signed = await sendText(hook, body, { "X-Hub-Signature-256": signature, "X-GitHub-Event": "push" });
    expect(signed.status).toBe(202);
    expect(signed.text).toContain('"ignored"');
  });

  it("a gzip bomb is refused unopened", async () => {
    const bomb = gzipSync(new Uint8Array(200 * MB));
    const packed = (path: string, headers = {}) =>
      send(path, { ...headers, "Content-Encoding": "gzip", "Content-Length": bomb.length }, [bomb]);
    for (const path of [hook, LOGIN]) await attack(times(5, () => packed(path)), [415]);
    await attack(times(5, () => packed("/api/v1/environments", bearer)), [415]);
  });

  it("five hundred bodies that never end are let go of after ten seconds, and the signed ones beside them get in", async () => {
    const part = new Uint8Array(60 * 1024).fill(0x20);
    const slow = (path: string) => send(path, { "Content-Length": 62 * 1024 }, [part]);
    await attack(() => [...times(250, () => slow(hook))(), ...times(250, () => slow(LOGIN))(), honest()], [
      202,
      408,
      503,
    ]);
    async function honest(): Promise<RawAnswer> {
      const body = JSON.stringify({ zen: "Keep it logically awesome." });
      const headers = {
        "X-Hub-Signature-256": `sha256=${createHmac("sha256", SECRET).update(body).digest("hex")}`,
        "X-GitHub-Event": "ping",
        "Content-Length": body.length,
      };
      const answer = await send(hook, headers, [body]);
      expect(answer.status).toBe(202);
      return answer;
    }
  });
});
