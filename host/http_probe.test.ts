import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { probeHttp, probeTcp } from "./http_probe.ts";
import { choosePort, portHolder } from "./process_ports.ts";
import { runShortly } from "./process_run.ts";

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

function serve(answer: string | undefined): Promise<number> {
  const sockets = new Set<{ destroy(): void }>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    if (answer !== undefined) socket.write(answer);
  });
  closers.push(() => {
    sockets.forEach((socket) => socket.destroy());
    server.close();
  });
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port)));
}

describe("a probe", () => {
  it("gives the status at once, redirects as they are, and does not wait for an endless body", async () => {
    const port = await serve(
      "HTTP/1.1 302 Found\r\nLocation: http://example.com/\r\nContent-Length: 99999\r\n\r\npartial",
    );
    expect(await probeHttp(port, "/", 5000)).toEqual({ status: 302 });
  });
  it("says what went wrong: nobody there, silence, nonsense", async () => {
    expect(await probeHttp(await choosePort(), "/", 1000)).toEqual({ error: expect.stringContaining("ECONNREFUSED") });
    expect(await probeHttp(await serve(undefined), "/", 100)).toEqual({ error: "no answer within 100 ms" });
    expect(await probeHttp(await serve("HTTP/1.1 200 OK\r\nX: "), "/", 100)).toEqual({
      error: "no answer within 100 ms",
    });
    expect(await probeHttp(await serve("nonsense\r\n\r\n"), "/", 1000)).toEqual({ error: expect.any(String) });
  });
  it("of a port connects, or says why not", async () => {
    expect(await probeTcp(await serve(undefined), 1000)).toEqual({ ok: true });
    expect(await probeTcp(await choosePort(), 1000)).toEqual({ error: expect.stringContaining("ECONNREFUSED") });
  });
});

describe("a port", () => {
  it("is free, or somebody's", async () => {
    const port = await serve(undefined);
    expect(await portHolder(port)).toMatch(/\(pid \d+\)$|^another program$/);
    expect(await portHolder(await choosePort())).toBeUndefined();
  });
});

describe("a short program", () => {
  const run = (script: string, timeoutMs = 5000) =>
    runShortly({ command: ["/bin/sh", "-c", script], cwd: "/", env: { A: "1" }, timeoutMs });
  it("gives its code and output, with no environment but its own", async () => {
    expect(await run("echo out $A $HOME; echo err >&2; exit 3")).toEqual({
      code: 3,
      output: expect.stringMatching(/out 1\n?/),
    });
  });
  it("is killed with its children when it takes too long", async () => {
    expect(await run("sleep 60 & sleep 60", 100)).toEqual({ code: null, output: "" });
  });
  it("that is not there is code 127", async () => {
    expect(await runShortly({ command: ["/none"], cwd: "/", env: {}, timeoutMs: 1000 })).toMatchObject({ code: 127 });
  });
});
