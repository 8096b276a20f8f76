/**
 * A site's relay: a machine whose only way out is the relay enrols, fetches and works through it, encrypted from end to
 * end; without the relay for a while its work goes on.
 */
import net from "node:net";
import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import { type Relay, type RelayLimits, startRelay } from "../../host/connect_relay.ts";
import { resolveMaster } from "../../host/master_address.ts";
import { freePorts } from "../helpers/free_ports.ts";
import { createNamespace } from "../helpers/network_namespace.ts";
import type { Namespace } from "../helpers/network_namespace.ts";
import { component } from "../helpers/require_component.ts";
import { openGate } from "./support/ledger_apps.ts";
import { startRack } from "./support/rack.ts";

const eventually = <T>(look: () => T | Promise<T>) => vi.waitFor(look, { timeout: 60_000, interval: 100 });
const undo: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

describe("the relay", () => {
  /** A master that says what it hears, in capitals. */
  async function startSite(limits: Partial<RelayLimits> = {}) {
    const master = net.createServer((socket) => {
      socket.on("error", () => {});
      socket.on("data", (bytes: Uint8Array) => socket.write(new TextDecoder().decode(bytes).toUpperCase()));
    });
    await new Promise<void>((resolve) => master.listen(0, "127.0.0.1", resolve));
    const { port } = master.address() as net.AddressInfo;
    const relay = await startRelay({
      host: "127.0.0.1",
      port: 0,
      master: { url: new URL(`https://127.0.0.1:${port}`), ca: undefined, proxy: undefined },
      limits,
    });
    undo.push(relay.stop, () => new Promise<void>((resolve) => master.close(() => resolve())));
    return { relay, port };
  }
  /** Everything that comes back until the relay ends the connection, or `enough` of it. */
  function talk(relay: Relay, text: string, enough?: RegExp): Promise<string> {
    const socket = net.connect({ host: "127.0.0.1", port: Number(relay.address.split(":")[1]) });
    undo.push(() => void socket.destroy());
    socket.setEncoding("latin1");
    socket.write(text);
    return new Promise((resolve) => {
      let heard = "";
      socket.on("error", () => {});
      socket.on("data", (part) => {
        heard += String(part);
        if (enough?.test(heard)) resolve(heard);
      });
      socket.on("close", () => resolve(heard));
    });
  }

  it("hands bytes on in both directions once it is connected to the master, also those sent at once", async () => {
    const { relay, port } = await startSite();
    const heard = await talk(relay, `CONNECT 127.0.0.1:${port} HTTP/1.1\r\nHost: x\r\n\r\nhello`, /HELLO$/);
    expect(heard).toBe("HTTP/1.1 200 Connection established\r\n\r\nHELLO");
    expect(relay.stats()).toMatchObject({ open: 1, relayed: 1, refused: 0 });
  });

  it("refuses every other place and every other method, and says what it is for", async () => {
    const { relay, port } = await startSite();
    for (
      const line of [
        `CONNECT 127.0.0.1:${port + 1} HTTP/1.1`,
        `CONNECT example.com:${port} HTTP/1.1`,
        `CONNECT 127.0.0.1.:${port}@example.com:443 HTTP/1.1`,
        `GET http://127.0.0.1:${port}/ HTTP/1.1`,
        `POST / HTTP/1.1`,
        `\u0000\u0001`,
      ]
    ) {
      expect(await talk(relay, `${line}\r\nHost: 127.0.0.1:${port}\r\n\r\n`), line).toMatch(/^HTTP\/1.1 403 Forbidden/);
    }
    expect(relay.stats()).toMatchObject({ relayed: 0, refused: 6 });
    expect(await talk(relay, "GET /health HTTP/1.1\r\n\r\n")).toMatch(/^HTTP\/1.1 200 [^]*"refused":6/);
  });

  it("bounds the head, the time it may take, silence, and how many come from one address", async () => {
    const { relay, port } = await startSite({ headBytes: 500, handshakeMs: 2000, idleMs: 200, perAddress: 3 });
    const connect = `CONNECT 127.0.0.1:${port} HTTP/1.1\r\n`;
    expect(await talk(relay, `${connect}X: ${"x".repeat(600)}\r\n\r\n`)).toMatch(/^HTTP\/1.1 431/);
    expect(await talk(relay, connect)).toMatch(/^HTTP\/1.1 408/);
    expect(await talk(relay, `${connect}\r\n`)).toBe("HTTP/1.1 200 Connection established\r\n\r\n");
    await eventually(() => expect(relay.stats().open).toBe(0));
    const answers = await Promise.all([1, 2, 3, 4].map(() => talk(relay, connect)));
    expect(answers.map((a) => a.slice(9, 12)).sort()).toEqual(["408", "408", "408", "503"]);
  });

  it("says that the master cannot be reached", async () => {
    const { relay } = await startSite();
    await relay.stop();
    const lost = await startRelay({
      host: "127.0.0.1",
      port: 0,
      master: { url: new URL("https://127.0.0.1:1"), ca: undefined, proxy: undefined },
    });
    undo.push(lost.stop);
    expect(await talk(lost, "CONNECT 127.0.0.1:1 HTTP/1.1\r\n\r\n")).toMatch(/^HTTP\/1.1 502/);
  });
});

const netns = component("netns");
describe.skipIf(!netns.available)(`a machine behind a relay${netns.reason}`, () => {
  const namespaces: Namespace[] = [];
  afterAll(async () => {
    for (const namespace of namespaces) await namespace.remove();
  });

  it("enrols, fetches and works through it alone, and goes on with its task while the relay is gone", async () => {
    const site = await createNamespace();
    namespaces.push(site);
    const rack = await startRack({
      type: "pm",
      env: { BOREAS_PUBLIC_URL: `https://${site.hostAddress}:PORT`, BOREAS_LEASE_SECONDS: "30" },
    });
    const url = `https://${site.hostAddress}:${new URL(rack.master.url).port}`;
    const master = await resolveMaster({ url, caFingerprint: rack.master.fingerprint! });
    let relay = await startRelay({ host: site.hostAddress, port: freePorts(1)[0]!, master });
    undo.push(() => relay.stop());
    const port = Number(relay.address.split(":")[1]);
    const onlyRelay = `add rule inet cut o oifname != lo tcp dport != ${port} drop`;
    await new Deno.Command("ip", { args: ["netns", "exec", site.name, "nft", onlyRelay] }).output();
    const more = { HTTPS_PROXY: `http://${relay.address}` };
    const agent = await rack.agent({ name: "far", namespace: site.name, url, more });
    const { names: [name], ...release } = await rack.push({
      names: ["behind"],
      lines: 3,
      secondsBetween: 0.05,
      gates: "yes",
    });
    const { id, leaves: [leaf] } = await rack.deploy({ names: [name!], ...release });
    await rack.taskIs(leaf!.id, "running");
    await eventually(async () => expect(await Deno.readTextFile(release.ledger)).toContain("start"));
    const relayed = relay.stats();
    expect(relayed.relayed).toBeGreaterThan(2); // its authority, its enrolment, its socket, the bundle
    await relay.stop();
    await openGate(release.gates, name!);
    await eventually(() => expect(agent.output()).toContain("The master cannot be reached"));
    relay = await startRelay({ host: site.hostAddress, port, master });
    const { status } = await rack.ended(id);
    const { attempt } = await rack.task(leaf!.id);
    expect([status, attempt]).toEqual(["completed", 1]);
    expect(relay.stats().relayed).toBeGreaterThan(0);
  });
});
