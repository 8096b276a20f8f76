import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createServer as createTcpServer } from "node:net";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { proxyCommand } from "../../compose/proxy.ts";
import { freePorts } from "../../tests/helpers/free_ports.ts";
import { startLoad } from "../../tests/helpers/request_load.ts";
import { createTestProxy } from "../../tests/helpers/test_proxy.ts";
import type { TestProxy } from "../../tests/helpers/test_proxy.ts";
import { adoptProcess } from "../process.ts";
import { passedOn } from "./headers.ts";

const MAIN = new URL("../../main.ts", import.meta.url).href;
let proxy: TestProxy;
const servers: Server[] = [];
beforeEach(async () => void (proxy = await createTestProxy()));
afterEach(async () => {
  await proxy.close();
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

async function backend(handle: (request: IncomingMessage, response: ServerResponse) => void) {
  const server = createServer(handle);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, at: { host: "127.0.0.1", port: (server.address() as { port: number }).port } };
}
const says = (text: string) => backend((_request, response) => response.end(text));
const routeOf = (listen: number, over: Partial<{ app: string; host: string | null }> = {}) => ({
  app: "order",
  environment: "prod",
  listen,
  host: null,
  ...over,
});
const ask = async (port: number, init: RequestInit = {}) => await fetch(`http://127.0.0.1:${port}/`, init);

describe("the proxy of public ports", () => {
  it("sends requests to the backend that serves, says who asked, and passes answers on as they are", async () => {
    const [port] = freePorts(1) as [number];
    const echo = await backend((request, response) => {
      response.writeHead(201, [["Set-Cookie", "a=1"], ["Set-Cookie", "b=2"], ["X-Own", "yes"]].flat());
      response.end(JSON.stringify({ url: request.url, method: request.method, headers: request.headers }));
    });
    await proxy.client.switchTo(routeOf(port), echo.at);
    const answer = await fetch(`http://127.0.0.1:${port}/a/b?c=%20d`, {
      method: "PUT",
      body: "x".repeat(1000),
      headers: {
        "x-forwarded-for": "203.0.113.9",
        "x-forwarded-proto": "https",
        "connection": "x-gone",
        "x-gone": "1",
      },
    });
    expect([answer.status, answer.statusText, answer.headers.getSetCookie(), answer.headers.get("x-own")]).toEqual(
      [201, "Created", ["a=1", "b=2"], "yes"],
    );
    const seen = await answer.json();
    expect(seen).toMatchObject({
      url: "/a/b?c=%20d",
      method: "PUT",
      headers: {
        "host": `127.0.0.1:${port}`,
        "content-length": "1000",
        "x-forwarded-for": "203.0.113.9, 127.0.0.1",
        "x-forwarded-proto": "https",
        "x-forwarded-host": `127.0.0.1:${port}`,
      },
    });
  });

  it("drops what a client names of one connection, and never what makes the message what it is", () => {
    const raw = ["Host", "a", "Connection", "close, x-own, Host, content-length", "X-Own", "1", "Content-Length", "2"];
    expect(passedOn(raw)).toEqual({ "Host": "a", "Content-Length": "2" });
  });

  it("tells applications on one port apart by their host", async () => {
    const [port] = freePorts(1) as [number];
    const [order, user, rest] = [await says("order"), await says("user"), await says("rest")];
    await proxy.client.switchTo(routeOf(port, { app: "order", host: "order.example.com" }), order.at);
    await proxy.client.switchTo(routeOf(port, { app: "user", host: "User.example.com" }), user.at);
    const asked = async (host: string) => await proxy.getWithHost(port, host);
    expect(await asked("order.example.com")).toEqual([200, "order"]);
    expect(await asked("user.EXAMPLE.com:80")).toEqual([200, "user"]);
    expect((await asked("other.example.com"))[0]).toBe(404);
    await proxy.client.switchTo(routeOf(port, { app: "rest" }), rest.at);
    expect(await asked("other.example.com")).toEqual([200, "rest"]);
    await proxy.client.remove(routeOf(port, { app: "rest" }));
    expect((await asked("other.example.com"))[0]).toBe(404);
    expect(await proxy.client.switchTo(routeOf(port, { app: "thief", host: "order.example.com" }), rest.at)).toEqual({
      ok: false,
      code: "route.taken",
      message: `port ${port} for this host belongs to order in prod`,
    });
  });

  it("streams bodies both ways while they come", async () => {
    const [port] = freePorts(1) as [number];
    const echo = await backend((request, response) => {
      response.writeHead(200);
      response.flushHeaders();
      request.pipe(response);
    });
    await proxy.client.switchTo(routeOf(port), echo.at);
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    const writer = writable.getWriter();
    const answering = ask(port, { method: "POST", body: readable, duplex: "half" } as RequestInit);
    await writer.write(new TextEncoder().encode("one"));
    const reader = (await answering).body!.pipeThrough(new TextDecoderStream()).getReader();
    expect((await reader.read()).value).toBe("one");
    await writer.write(new TextEncoder().encode("two"));
    expect((await reader.read()).value).toBe("two");
    await writer.close();
    expect((await reader.read()).done).toBe(true);
  });

  it("carries WebSockets, counts them as open, and drains when they are closed", async () => {
    const [port] = freePorts(1) as [number];
    const { server, at } = await says("plain");
    const sockets = new WebSocketServer({ server });
    sockets.on("connection", (socket) => socket.on("message", (data) => socket.send(`echo ${data}`)));
    await proxy.client.switchTo(routeOf(port), at);
    const socket = new WebSocket(`ws://127.0.0.1:${port}/live`);
    const heard = new Promise((resolve) => socket.on("message", (data) => resolve(String(data))));
    await new Promise((resolve) => socket.on("open", resolve));
    socket.send("hello");
    expect(await heard).toBe("echo hello");
    expect(await proxy.client.drain(at, 0.05)).toBe(1);
    const drained = proxy.client.drain(at, 60);
    socket.close();
    expect(await drained).toBe(0);
  });

  it("breaks an answer off when the backend does, so that half of it never looks whole", async () => {
    const [port] = freePorts(1) as [number];
    const { at } = await backend((_request, response) => {
      response.write("half");
      setTimeout(() => response.destroy(), 20);
    });
    await proxy.client.switchTo(routeOf(port), at);
    const answer = await ask(port);
    await expect(answer.text()).rejects.toThrow();
    const [nobody] = freePorts(1) as [number];
    await proxy.client.switchTo(routeOf(port), { host: "127.0.0.1", port: nobody });
    expect((await ask(port)).status).toBe(502);
  });

  it("answers 502 for a head that nobody may pass on, and goes on serving", async () => {
    const [port] = freePorts(1) as [number];
    let head = "";
    const server = createTcpServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", () => socket.end(`${head}\r\nContent-Length: 2\r\n\r\nhi`, "latin1"));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    await proxy.client.switchTo(routeOf(port), { host: "127.0.0.1", port: (server.address() as AddressInfo).port });
    const { pid } = (await proxy.client.status())!;
    const heads = ["HTTP/1.1 000 ok", "HTTP/1.1 200 o\x01k", "HTTP/1.1 101 x\r\nConnection: upgrade\r\nUpgrade: x"];
    for (head of heads) expect([head, (await ask(port)).status]).toEqual([head, 502]);
    head = "HTTP/1.1 200 ok";
    expect(await (await ask(port)).text()).toBe("hi");
    expect((await proxy.client.status())!.pid).toBe(pid);
    server.close();
  });

  it("asks again when a kept connection breaks under a request, and never when the request changes something", async () => {
    const [port] = freePorts(1) as [number];
    const seen = new Map<unknown, number>();
    const methods: string[] = [];
    const { server, at } = await backend((request, response) => {
      methods.push(request.method!);
      const before = seen.get(request.socket) ?? 0;
      seen.set(request.socket, before + 1);
      if (before > 0) request.socket.destroy();
      else response.end("fine");
    });
    server.keepAliveTimeout = 60_000;
    await proxy.client.switchTo(routeOf(port), at);
    for (let turn = 0; turn < 5; turn++) expect(await (await ask(port)).text()).toBe("fine");
    for (let turn = 0; turn < 5; turn++) expect((await ask(port, { method: "POST", body: "pay" })).status).toBe(200);
    expect(methods.filter((method) => method === "POST")).toHaveLength(5);
    expect(methods.length).toBeGreaterThan(10); // so kept connections did break
  });

  it("lets an old backend finish what it is answering, and gives new requests to the new one", async () => {
    const [port] = freePorts(1) as [number];
    const finish = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    const old = await backend(async (_request, response) => {
      begun.resolve();
      await finish.promise;
      response.end("old");
    });
    const fresh = await says("new");
    await proxy.client.switchTo(routeOf(port), old.at);
    const slow = ask(port);
    await begun.promise;
    await proxy.client.switchTo(routeOf(port), fresh.at);
    expect(await (await ask(port)).text()).toBe("new");
    expect(await proxy.client.drain(old.at, 0.05)).toBe(1);
    const drained = proxy.client.drain(old.at, 60);
    finish.resolve();
    expect(await (await slow).text()).toBe("old");
    expect(await drained).toBe(0);
    expect(await proxy.client.serving(routeOf(port))).toEqual(fresh.at);
  });

  it("refuses a port that another program holds, and says which program", async () => {
    const listener = Deno.listen({ hostname: "0.0.0.0", port: 0 });
    const { port } = listener.addr as Deno.NetAddr;
    const { at } = await says("x");
    const refused = await proxy.client.switchTo(routeOf(port), at);
    listener.close();
    expect(refused).toMatchObject({ ok: false, code: "port.taken" });
    expect((refused as { message: string }).message).toMatch(
      new RegExp(`^port ${port} is taken by (.* \\(pid ${Deno.pid}\\)|another program)$`),
    );
    expect(await proxy.client.serving(routeOf(port))).toBeUndefined();
    expect(await proxy.client.switchTo(routeOf(port), at)).toEqual({ ok: true });
  });

  it("goes on without its agent, takes its routes up again after a crash, and lets a port go with its last route", async () => {
    const [port] = freePorts(1) as [number];
    const { at } = await says("here");
    await proxy.client.switchTo(routeOf(port), at);
    const { pid } = (await proxy.client.status())!;
    proxy.client.close();
    expect(await (await ask(port)).text()).toBe("here");
    const next = proxy.createClient();
    await next.start();
    expect((await next.status())!.pid).toBe(pid); // adopted
    Deno.kill(pid, "SIGKILL");
    await expect.poll(async () => (await next.status())?.pid ?? pid).not.toBe(pid);
    expect(await (await ask(port)).text()).toBe("here");
    await next.remove(routeOf(port));
    await expect(ask(port)).rejects.toThrow();
    Deno.listen({ port }).close();
    expect((await Deno.stat(`${proxy.folder}/control.sock`)).mode! & 0o777).toBe(0o600);
    expect((await Deno.stat(proxy.folder)).mode! & 0o777).toBe(0o700);
  });
});

describe("a new proxy in the place of an old one", () => {
  it("loses no request, new connections and kept ones alike, and leaves the old one's answers to it", async () => {
    const [port] = freePorts(1) as [number];
    const finish = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    const { at } = await backend(async (request, response) => {
      if (request.url === "/slow") {
        begun.resolve();
        await finish.promise;
      }
      response.end("fine");
    });
    await proxy.client.switchTo(routeOf(port), at);
    const { pid } = (await proxy.client.status())!;
    const slow = fetch(`http://127.0.0.1:${port}/slow`);
    await begun.promise;
    proxy.client.close();
    const load = startLoad(port);
    await load.reach(50);
    const next = proxy.createClient({ version: "0.1.1" });
    await next.start();
    const status = (await next.status())!;
    expect(status.version).toBe("0.1.1");
    expect(status.pid).not.toBe(pid);
    await load.reach(200);
    expect((await load.end()).failed).toEqual([]);
    const drained = next.drain(at, 60); // the old proxy's request counts
    finish.resolve();
    expect(await (await slow).text()).toBe("fine");
    expect(await drained).toBe(0);
  });

  it("takes the run of the one before the last, which still had a connection", async () => {
    const [port] = freePorts(1) as [number];
    const begun = Promise.withResolvers<void>();
    const { at } = await backend((request, response) => {
      if (request.url === "/slow") begun.resolve();
      else response.end("fine");
    });
    await proxy.client.switchTo(routeOf(port), at);
    const slow = fetch(`http://127.0.0.1:${port}/slow`);
    const isBroken = slow.then(() => false, () => true);
    await begun.promise;
    proxy.client.close();
    const second = proxy.createClient({ version: "0.1.1" });
    await second.start();
    second.close();
    const third = proxy.createClient({ version: "0.1.2" });
    await third.start();
    const { version, pid } = (await third.status())!;
    expect([version, (await adoptProcess(`${proxy.folder}/a/run`))?.pid]).toEqual(["0.1.2", pid]);
    expect(await isBroken).toBe(true);
    expect(await (await ask(port)).text()).toBe("fine");
  });

  it("is found by one that starts in the same moment, and only one of them stays", async () => {
    const [port] = freePorts(1) as [number];
    const { at } = await says("here");
    await proxy.client.switchTo(routeOf(port), at);
    proxy.client.close();
    Deno.kill((await proxy.client.status())!.pid, "SIGKILL");
    await expect.poll(() => proxy.client.status()).toBeUndefined();
    const { command: [program, ...args], env } = proxyCommand(proxy.stateDir, "0.1.1", MAIN);
    const started = [1, 2, 3].map(() =>
      new Deno.Command(program!, { args, env, stdout: "null", stderr: "null" }).spawn()
    );
    try {
      const ended = new Set<number>();
      for (const { pid, status } of started) void status.then(() => ended.add(pid));
      await expect.poll(() => ended.size, { timeout: 60_000 }).toBe(2);
      const { pid, missing } = (await proxy.client.status())!;
      expect([ended.has(pid), missing]).toEqual([false, []]);
      expect(await (await ask(port)).text()).toBe("here");
    } finally {
      for (const each of started) {
        try {
          each.kill("SIGKILL");
        } catch {
          // it has ended
        }
        await each.status;
      }
    }
  });

  it("retires one that a crash in the middle of this left unaware", async () => {
    const [port] = freePorts(1) as [number];
    const { at } = await says("here");
    await proxy.client.switchTo(routeOf(port), at);
    proxy.client.close();
    await Deno.rename(`${proxy.folder}/control.sock`, `${proxy.folder}/retired.sock`);
    const next = proxy.createClient({ version: "0.1.1" });
    await next.start();
    expect(await next.status()).toMatchObject({ version: "0.1.1", missing: [] });
    const old = await adoptProcess(`${proxy.folder}/a/run`);
    await expect.poll(() => old?.hasEnded()).toBe(true);
    expect(await (await ask(port)).text()).toBe("here");
  });
});
