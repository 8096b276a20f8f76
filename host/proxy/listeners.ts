/**
 * The public ports. Each is bound so that the next proxy may bind it beside this one: it does, and only then this one
 * lets go, so that the port is never without a listener.
 */
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";

/** Longer than what load balancers keep a connection for, so that they close it and not we, under a request of theirs. */
const KEEP_ALIVE_MS = 75_000;
const HEAD_MS = 60_000;

export interface Handlers {
  request(listen: number, request: IncomingMessage, response: ServerResponse): void;
  upgrade(listen: number, request: IncomingMessage, socket: Duplex, head: Uint8Array): void;
}
export type Bound = { ok: true } | { ok: false; code: "port.taken" | "port.refused"; message: string };

export class Listeners {
  readonly #servers = new Map<number, Server>();

  constructor(private readonly handlers: Handlers) {}

  has = (port: number): boolean => this.#servers.has(port);
  ports = (): number[] => [...this.#servers.keys()].sort((a, b) => a - b);

  /** @param isOurs the proxy before this one holds the port: others are not looked for */
  async bind(port: number, isOurs = false): Promise<Bound> {
    if (this.has(port)) return { ok: true };
    const refusal = isOurs ? undefined : tryPort(port);
    if (refusal) return refusal;
    const server = createServer();
    server.keepAliveTimeout = KEEP_ALIVE_MS;
    server.headersTimeout = HEAD_MS;
    server.requestTimeout = 0; // an upload takes what it takes
    server.timeout = 0;
    server.on("request", (request, response) => this.handlers.request(port, request, response));
    server.on("upgrade", (request, socket, head) => this.handlers.upgrade(port, request, socket, head));
    server.on("clientError", (_error, socket) => {
      if (socket.writable) socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
      else socket.destroy();
    });
    try {
      await listen(server, port, "::").catch((error: unknown) => {
        // A system without IPv6 knows no such address.
        if (["EAFNOSUPPORT", "EADDRNOTAVAIL"].includes(codeOf(error))) return listen(server, port, "0.0.0.0");
        throw error;
      });
    } catch (error: unknown) {
      return refusalOf(port, error);
    }
    server.on("error", () => {}); // of a single accept; the next one comes
    this.#servers.set(port, server);
    return { ok: true };
  }

  /** Takes no new connections and ends the idle ones. */
  close(port: number): void {
    this.#servers.get(port)?.close();
    this.#servers.delete(port);
  }

  /** Takes no new connections anywhere; resolves when the last one that stood has ended. Idle ones stay: see `endIdle`. */
  retire(): { over: Promise<void>; endIdle(): void } {
    const servers = [...this.#servers.values()];
    const closing = servers.map((server) => {
      const endIdle = server.closeIdleConnections.bind(server);
      // By itself it would end connections whose next request may be on its way.
      server.closeIdleConnections = () => {};
      const over = new Promise<void>((resolve) => server.close(() => resolve()));
      return { over, endIdle };
    });
    return {
      over: Promise.all(closing.map(({ over }) => over)).then(() => {}),
      endIdle: () => closing.forEach(({ endIdle }) => endIdle()),
    };
  }
}

const codeOf = (error: unknown): string => (error as { code?: string }).code ?? "";

const listen = (server: Server, port: number, host: string) =>
  new Promise<void>((resolve, reject) => {
    const failed = (error: Error) => reject(error);
    server.once("error", failed);
    server.listen({ port, host, reusePort: true }, () => {
      server.off("error", failed);
      resolve();
    });
  });

/** Sharing a port is for us alone: whoever else has it, even one that would share, keeps it. */
function tryPort(port: number): Bound & { ok: false } | undefined {
  for (const hostname of ["0.0.0.0", "::"]) {
    try {
      Deno.listen({ hostname, port }).close();
    } catch (error: unknown) {
      if (error instanceof Deno.errors.AddrInUse || error instanceof Deno.errors.PermissionDenied) {
        return refusalOf(port, error);
      }
      if (!(error instanceof Error)) throw error; // this machine does not have such an address
    }
  }
  return undefined;
}

function refusalOf(port: number, error: unknown): Bound & { ok: false } {
  const isDenied = error instanceof Deno.errors.PermissionDenied || codeOf(error) === "EACCES";
  if (isDenied) return { ok: false, code: "port.refused", message: `the system does not give us port ${port}` };
  if (error instanceof Deno.errors.AddrInUse || codeOf(error) === "EADDRINUSE") {
    return { ok: false, code: "port.taken", message: `port ${port} is taken` };
  }
  throw error;
}
