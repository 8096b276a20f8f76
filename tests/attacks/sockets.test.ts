/** S17, S18 and S25: the socket that agents dial, against a started master. */
import { beforeAll, describe, expect, it } from "vitest";
import WebSocket from "ws";
import type { Identity } from "../../agents/identity.ts";
import { CLOSE, HELLO_SECONDS, SUBPROTOCOL } from "../../protocol/agent_messages.ts";
import { boundMs } from "../faults/support/races.ts";
import { dialMaster, enrollAt, helloOf, signedHelloOf } from "../helpers/agent_socket.ts";
import { sendRaw } from "../helpers/raw_http.ts";
import { ADMIN_PASSWORD, startMaster } from "../helpers/start_product.ts";
import type { Master } from "../helpers/start_product.ts";
import { watchDuring } from "../helpers/watch_process.ts";

const CONNECT = "/api/v1/connect";
let master: Master;
let port: number;
let cookie: string;

beforeAll(async () => {
  master = await startMaster({ BOREAS_LOG_LEVEL: "WARN" });
  port = Number(new URL(master.url).port);
  const signedIn = await fetch(`${master.url}/api/v1/auth/login`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ username: "admin", password: ADMIN_PASSWORD }),
  });
  await signedIn.body?.cancel();
  cookie = signedIn.headers.getSetCookie().map((one) => one.split(";")[0]).join("; ");
});

const upgrade = async (path: string, headers: Record<string, string> = {}) =>
  (await sendRaw(port, {
    head: [
      `GET ${path} HTTP/1.1`,
      "Host: 127.0.0.1",
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Version: 13",
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
      ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    ],
  })).status;

const dial = () => dialMaster(port);
const enrolled = (name: string) => enrollAt(master, name);
const hello = (agentId: string, signature: string) => JSON.stringify(helloOf(agentId, signature));
const signed = async (identity: Identity, challenge: { nonce: string; masterId: string }) =>
  JSON.stringify(await signedHelloOf(identity, challenge));

describe("S17", () => {
  it("an upgrade with an Origin is refused before it is one, whatever the Origin says and whoever is signed in", async () => {
    const ours = { "Sec-WebSocket-Protocol": SUBPROTOCOL };
    for (const origin of ["https://evil.example", "null", "", `https://127.0.0.1.evil.example`, master.url]) {
      expect(await upgrade(CONNECT, { ...ours, Origin: origin, Cookie: cookie })).toBe(403);
    }
    expect(await upgrade(CONNECT, ours)).toBe(101);
  });

  it("an upgrade without our subprotocol, or to any other path, is none", async () => {
    expect(await upgrade(CONNECT)).toBe(400);
    expect(await upgrade(CONNECT, { "Sec-WebSocket-Protocol": "graphql-ws, boreas.v0" })).toBe(400);
    for (const path of ["/", "/api/v1/live", "/api/v1/connect/", "/webhook/github", `${CONNECT}/../live`]) {
      expect(await upgrade(path, { "Sec-WebSocket-Protocol": SUBPROTOCOL, Cookie: cookie })).toBe(404);
    }
  });
});

describe("S18", () => {
  it("sockets that prove nothing are closed within five seconds, and hundreds of them do not stop an agent", async () => {
    const identity = await enrolled("among-strangers");
    const watched = await watchDuring({ pid: master.pid(), port }, async () => {
      const silent = await Promise.all(Array.from({ length: 300 }, dial));
      const real = await dial();
      real.socket.send(await signed(identity, real.challenge));
      expect((await real.next).type).toBe("agent.welcome");
      for (const { code, afterMs } of await Promise.all(silent.map((one) => one.closed))) {
        expect(code).toBe(CLOSE.helloTimeout);
        expect(afterMs).toBeLessThan(boundMs(HELLO_SECONDS + 3));
      }
      expect(real.socket.readyState).toBe(WebSocket.OPEN);
      real.socket.close();
    });
    expect(watched.grownBytes).toBeLessThanOrEqual(100 * 1024 * 1024);
  });

  it("nothing but a hello is read from a stranger", async () => {
    const identity = await enrolled("hasty");
    const first = await dial();
    first.socket.send(JSON.stringify({ type: "slots.update", slots: 5 }));
    expect((await first.closed).code).toBe(CLOSE.unauthenticated);
    const hasty = await dial();
    const renew = JSON.stringify({ type: "lease.renew", leases: [] });
    hasty.socket.send(`[${await signed(identity, hasty.challenge)},${renew}]`);
    expect((await hasty.closed).code).toBe(CLOSE.unauthenticated);
    const wordy = await dial();
    wordy.socket.send("{".repeat(100_000));
    expect((await wordy.closed).code).toBe(CLOSE.badMessage);
    const huge = await dial();
    huge.socket.send("x".repeat(2 * 1024 * 1024));
    expect((await huge.closed).code).toBe(CLOSE.tooBig);
  });

  it("an unknown agent, another's signature and no signature at all are told the same", async () => {
    const [one, other] = [await enrolled("one"), await enrolled("other")];
    const attempts: ((challenge: { nonce: string; masterId: string }) => Promise<string>)[] = [
      async (c) => hello(crypto.randomUUID(), await one.sign(c.nonce, c.masterId)),
      async (c) => hello(other.agentId, await one.sign(c.nonce, c.masterId)),
      (_c) => Promise.resolve(hello(one.agentId, "")),
      (_c) => Promise.resolve(hello(one.agentId, "A")),
      (_c) => Promise.resolve(hello("1 or 1=1", "A".repeat(86))),
    ];
    for (const attempt of attempts) {
      const dialled = await dial();
      dialled.socket.send(await attempt(dialled.challenge));
      expect((await dialled.closed).code).toBe(CLOSE.unauthenticated);
    }
    expect(master.output()).not.toMatch(/ERROR/);
  });
});

describe("S25", () => {
  it("a recorded hello opens no second connection, and one made for another master none here", async () => {
    const identity = await enrolled("recorded");
    const first = await dial();
    const recording = await signed(identity, first.challenge);
    first.socket.send(recording);
    expect((await first.next).type).toBe("agent.welcome");
    const replayed = await dial();
    replayed.socket.send(recording);
    expect((await replayed.closed).code).toBe(CLOSE.unauthenticated);
    const relayed = await dial();
    relayed.socket.send(await signed(identity, { ...relayed.challenge, masterId: crypto.randomUUID() }));
    expect((await relayed.closed).code).toBe(CLOSE.unauthenticated);
    expect(first.socket.readyState).toBe(WebSocket.OPEN);
    first.socket.close();
  });

  it("a revoked agent is closed at once and does not come back", async () => {
    const identity = await enrolled("revoked");
    const first = await dial();
    first.socket.send(await signed(identity, first.challenge));
    expect((await first.next).type).toBe("agent.welcome");
    const began = performance.now();
    await master.api("DELETE", `/agents/${identity.agentId}`);
    await first.closed;
    expect(performance.now() - began).toBeLessThan(boundMs(5));
    const again = await dial();
    again.socket.send(await signed(identity, again.challenge));
    expect((await again.closed).code).toBe(CLOSE.revoked);
  });
});
