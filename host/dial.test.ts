import { createHash } from "node:crypto";
import http from "node:http";
import https from "node:https";
import net, { type AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { WebSocketServer } from "ws";
import { MAX_FRAME_BYTES, SUBPROTOCOL } from "../protocol/agent_messages.ts";
import { certificateFingerprint, createAuthority, issueCertificate } from "./certificate_authority.ts";
import { createDialer, createSocketLink } from "./dial.ts";
import { createBlobFetcher } from "./fetch_blob.ts";
import { postJson } from "./http_request.ts";
import { resolveMaster } from "./master_address.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

const limits = { subprotocol: SUBPROTOCOL, maxFrameBytes: MAX_FRAME_BYTES };
const BLOB = new TextEncoder().encode("a blob");
const SHA = createHash("sha256").update(BLOB).digest("hex");

async function listen(server: http.Server | https.Server | net.Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanups.push(() => new Promise((resolve) => server.close(resolve)));
  return (server.address() as AddressInfo).port;
}

/** A master with a CA of its own: shows it, enrols, hands out a blob, echoes frames. */
async function serveMaster(show = (own: string) => own) {
  const authority = await createAuthority("Test CA", new Date());
  const { cert, key } = await issueCertificate(authority, ["localhost", "127.0.0.1"], new Date());
  const seen: string[] = [];
  const server = https.createServer({ cert, key }, (request, response) => {
    seen.push(`${request.method} ${request.url} ${request.headers.authorization ?? ""}`.trim());
    if (request.url === "/api/v1/ca.pem") return response.end(show(authority.cert));
    if (request.url === `/api/v1/blobs/${SHA}`) return response.end(BLOB);
    if (request.url?.startsWith("/api/v1/blobs/")) return response.end("something else");
    if (request.url === "/api/v1/echo") return request.pipe(response);
    response.writeHead(404).end("no such page");
  });
  const sockets = new WebSocketServer({ server, handleProtocols: () => SUBPROTOCOL });
  sockets.on("connection", (socket) => {
    const link = createSocketLink(socket);
    link.onText((text) => link.send(`echo ${text}`));
    socket.ping();
  });
  cleanups.push(() => sockets.clients.forEach((socket) => socket.terminate()));
  const port = await listen(server);
  cleanups.push(() => server.closeAllConnections());
  return { port, seen, fingerprint: await certificateFingerprint(authority.cert), url: `https://localhost:${port}` };
}

/** A proxy that only knows CONNECT, and asks for a password. */
async function serveProxy() {
  const seen: string[] = [];
  const tunnels = new Set<net.Socket>();
  const server = http.createServer();
  server.on("connect", (request, socket: net.Socket) => {
    tunnels.add(socket);
    socket.once("close", () => tunnels.delete(socket));
    seen.push(`${request.url} ${request.headers["proxy-authorization"]}`);
    if (!request.headers["proxy-authorization"]) {
      return socket.end("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
    }
    const port = Number(request.url!.split(":")[1]);
    const onward = net.connect(port, "127.0.0.1", () => socket.write("HTTP/1.1 200 OK\r\n\r\n"));
    onward.pipe(socket).pipe(onward);
    for (const [one, other] of [[onward, socket], [socket, onward]] as const) {
      one.on("error", () => other.destroy());
      one.on("close", () => other.destroy());
    }
  });
  return { port: await listen(server), seen, tunnels };
}

async function echoOver(address: Awaited<ReturnType<typeof resolveMaster>>): Promise<string> {
  const link = await createDialer(address, limits).dial();
  const pinged = new Promise<void>((resolve) => link.onPing!(resolve));
  const text = new Promise<string>((resolve) => link.onText(resolve));
  link.send("hello");
  const answer = await text;
  await pinged;
  const closed = new Promise<number>((resolve) => link.onClose(resolve));
  link.close(1000, "done");
  expect(await closed).toBe(1000);
  link.send("after the end: dropped");
  return answer;
}

describe("dialling the master", () => {
  it("trusts the CA whose fingerprint was pinned, and only that one", async () => {
    const master = await serveMaster();
    const colons = master.fingerprint.toUpperCase().replace(/..(?=.)/g, "$&:");
    const address = await resolveMaster({ url: master.url, caFingerprint: colons });
    expect(await echoOver(address)).toBe("echo hello");
    await expect(resolveMaster({ url: master.url, caFingerprint: "ab".repeat(32) }))
      .rejects.toThrow("is not the one in BOREAS_CA_FINGERPRINT");
    const unpinned = await resolveMaster({ url: master.url });
    await expect(createDialer(unpinned, limits).dial()).rejects.toThrow(/certificate/i);
  });

  it("trusts nothing that stands behind the CA whose fingerprint was pinned", async () => {
    const genuine = await createAuthority("Genuine CA", new Date());
    const between = await serveMaster((own) => `${genuine.cert}\n${own}\n`);
    const caFingerprint = await certificateFingerprint(genuine.cert);
    const address = await resolveMaster({ url: between.url, caFingerprint });
    await expect(createDialer(address, limits).dial()).rejects.toThrow(/certificate/i);
  });

  it("goes through an HTTPS proxy, with its password, for everything", async () => {
    const master = await serveMaster();
    const proxy = await serveProxy();
    const url = `https://master.example:${master.port}`;
    const httpsProxy = `http://ann:p%40ss@127.0.0.1:${proxy.port}`;
    const address = await resolveMaster({ url, httpsProxy, caFingerprint: master.fingerprint });
    expect(address.ca).toContain("BEGIN CERTIFICATE");
    // The tunnel leads to a certificate of the right CA for another host.
    await expect(createDialer(address, limits).dial()).rejects.toThrow("does not match certificate");
    expect(proxy.seen[0]).toBe(`master.example:${master.port} Basic ${btoa("ann:p@ss")}`);
    const named = { ...address, url: new URL(master.url) };
    expect(await echoOver(named)).toBe("echo hello");
    expect(proxy.seen.at(-1)).toContain(`localhost:${master.port}`);
    await expect.poll(() => proxy.tunnels.size).toBe(0);
  });

  it("says what the proxy answered when it refuses", async () => {
    const proxy = await serveProxy();
    const url = "https://master.example";
    const address = await resolveMaster({ url, httpsProxy: `http://127.0.0.1:${proxy.port}` });
    await expect(createDialer(address, limits).dial()).rejects.toThrow("407");
  });

  it("uses no proxy for hosts in NO_PROXY and for this machine", async () => {
    const httpsProxy = "http://proxy:3128";
    const of = async (url: string, noProxy = "") => (await resolveMaster({ url, httpsProxy, noProxy })).proxy?.host;
    expect(await of("https://boreas.example.com")).toBe("proxy:3128");
    expect(await of("https://boreas.example.com", "other.com, .example.com")).toBeUndefined();
    expect(await of("https://localhost:8080")).toBeUndefined();
    expect(await of("https://x.org", "*")).toBeUndefined();
  });

  it("refuses plain http beyond this machine, and what is no address", async () => {
    await expect(resolveMaster({ url: "http://boreas.example.com" })).rejects.toThrow("must be https://");
    await expect(resolveMaster({ url: "http://127.0.0.1.example.com" })).rejects.toThrow("must be https://");
    await expect(resolveMaster({ url: "boreas" })).rejects.toThrow("no address");
    await expect(resolveMaster({ url: "ftp://boreas" })).rejects.toThrow("must begin with https://");
    expect((await resolveMaster({ url: "http://127.0.0.1:8080" })).proxy).toBeUndefined();
  });

  it("says so when something other than a socket answers, or nothing", async () => {
    const port = await listen(http.createServer((_request, response) => response.end("hi")));
    const url = `http://127.0.0.1:${port}`;
    await expect(createDialer(await resolveMaster({ url }), limits).dial()).rejects.toThrow();
    const closed = await resolveMaster({ url: "http://127.0.0.1:9" });
    await expect(createDialer(closed, limits).dial()).rejects.toThrow("ECONNREFUSED");
  });
});

describe("requests to the master", () => {
  it("posts JSON, and says so when it is no master that answers", async () => {
    const master = await serveMaster();
    const address = await resolveMaster({ url: master.url, caFingerprint: master.fingerprint });
    expect(await postJson(address, "/echo", { name: "ü" })).toEqual({ status: 200, body: { name: "ü" } });
    await expect(postJson(address, "/nothing", {})).rejects.toThrow("does not answer like a Boreas master (HTTP 404)");
  });

  it("fetches a blob once, with its ticket, and believes only the right bytes", async () => {
    const master = await serveMaster();
    const address = await resolveMaster({ url: master.url, caFingerprint: master.fingerprint });
    const folder = await Deno.makeTempDir();
    cleanups.push(() => Deno.remove(folder, { recursive: true }));
    const fetchBlob = createBlobFetcher(address, folder);
    const [path, same] = await Promise.all([fetchBlob(SHA, "ticket"), fetchBlob(SHA, "ticket")]);
    expect(same).toBe(path);
    expect(await Deno.readFile(path)).toEqual(BLOB);
    await fetchBlob(SHA, "ticket");
    expect(master.seen.filter((line) => line.includes("blobs"))).toEqual([`GET /api/v1/blobs/${SHA} Bearer ticket`]);
    await expect(fetchBlob("0".repeat(64), "ticket")).rejects.toThrow("arrived damaged");
    await expect(fetchBlob("../../etc/passwd", "ticket")).rejects.toThrow("is no SHA-256");
    expect([...Deno.readDirSync(folder)].map((entry) => entry.name)).toEqual([SHA]);
  });
});
