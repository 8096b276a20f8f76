/**
 * A CONNECT proxy that leads to the master and to nothing else: for machines of a site that have no way to it themselves.
 * What passes is encrypted between machine and master; nothing of it is seen, kept or changed here.
 *
 *   accepted --head in time, within its size--> CONNECT to the master? --yes--> dialled --200--> bytes both ways --> over
 *      |                                              '--403                        '--502          '--idle for too long
 *      '--408 | 431 | 503 when there are too many
 *
 * A crash cuts the connections; agents dial again by themselves, and what they run goes on.
 */
import net from "node:net";
import { type MasterAddress, openRawSocket } from "./master_socket.ts";

export interface RelayLimits {
  connections: number;
  /** From one address: one broken machine must not take the site's way. */
  perAddress: number;
  headBytes: number;
  handshakeMs: number;
  /** Without a byte in either direction; the master's pings come far more often. */
  idleMs: number;
}
export const RELAY_LIMITS: RelayLimits = {
  connections: 2000,
  perAddress: 200,
  headBytes: 8192,
  handshakeMs: 10_000,
  idleMs: 180_000,
};

export interface RelayStats {
  open: number;
  /** Since the start. */
  relayed: number;
  refused: number;
  unreachable: number;
  bytes: number;
}
export interface Relay {
  /** `host:port` that it listens on. */
  address: string;
  stats(): RelayStats;
  stop(): Promise<void>;
}

const STATUS: Record<number, string> = {
  200: "Connection established",
  400: "Bad Request",
  403: "Forbidden",
  408: "Request Timeout",
  431: "Request Header Fields Too Large",
  502: "Bad Gateway",
  503: "Service Unavailable",
};

export async function startRelay(options: {
  host: string;
  port: number;
  master: MasterAddress;
  limits?: Partial<RelayLimits>;
  onTrouble?(message: string, context: Record<string, unknown>): void;
}): Promise<Relay> {
  const { master } = options;
  const limits = { ...RELAY_LIMITS, ...options.limits };
  const target = authorityOf(master.url);
  const open = new Set<net.Socket>();
  const perAddress = new Map<string, number>();
  const stats: RelayStats = { open: 0, relayed: 0, refused: 0, unreachable: 0, bytes: 0 };

  function answer(socket: net.Socket, status: number, text: string): void {
    if (status !== 200) stats.refused++;
    const body = `${text}\n`;
    socket.end(
      `HTTP/1.1 ${status} ${STATUS[status]}\r\nContent-Type: text/plain; charset=utf-8\r\n` +
        `Content-Length: ${new TextEncoder().encode(body).length}\r\nConnection: close\r\n\r\n${body}`,
    );
    // Whoever goes on sending after the answer is not listened to for long.
    setTimeout(() => socket.destroy(), 1000);
  }

  async function serve(socket: net.Socket): Promise<void> {
    const head = await readHead(socket, limits);
    if (typeof head === "number") return answer(socket, head, "This is no request that a relay takes.");
    const [method, place] = head.text.split("\r\n", 1)[0]!.split(" ");
    if (method === "GET" && place === "/health") return answer(socket, 200, JSON.stringify(stats));
    if (method !== "CONNECT") {
      return answer(socket, 403, `Only CONNECT to ${target} is relayed here; set HTTPS_PROXY to this relay.`);
    }
    if (normal(place ?? "") !== target) {
      return answer(socket, 403, `This relay leads to ${target} and nowhere else.`);
    }
    let upstream: net.Socket;
    try {
      upstream = await openRawSocket(master);
    } catch (error: unknown) {
      stats.unreachable++;
      options.onTrouble?.("the master cannot be reached", { error: String(error) });
      return answer(socket, 502, "The master cannot be reached from this relay now; try again.");
    }
    if (socket.destroyed) return void upstream.destroy();
    stats.relayed++;
    socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
    if (head.rest.length > 0) upstream.write(head.rest);
    join(socket, upstream);
  }

  function join(one: net.Socket, other: net.Socket): void {
    for (const [from, to] of [[one, other], [other, one]] as const) {
      from.on("data", (bytes: Uint8Array) => stats.bytes += bytes.length);
      from.pipe(to);
      from.once("close", () => to.destroy());
      from.setTimeout(limits.idleMs, () => one.destroy());
    }
  }

  const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: false }, (socket) => {
    const address = socket.remoteAddress ?? "";
    const fromThere = (perAddress.get(address) ?? 0) + 1;
    perAddress.set(address, fromThere);
    open.add(socket);
    stats.open = open.size;
    socket.on("error", () => {}); // `close` follows
    socket.once("close", () => {
      open.delete(socket);
      stats.open = open.size;
      const left = (perAddress.get(address) ?? 1) - 1;
      if (left > 0) perAddress.set(address, left);
      else perAddress.delete(address);
    });
    if (open.size > limits.connections || fromThere > limits.perAddress) {
      return answer(socket, 503, "Too many connections; try again later.");
    }
    serve(socket).catch((error: unknown) => {
      options.onTrouble?.("a connection failed", { error: String(error) });
      socket.destroy();
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host: options.host, port: options.port }, resolve);
  });
  const { port } = server.address() as net.AddressInfo;
  return {
    address: `${options.host.includes(":") ? `[${options.host}]` : options.host}:${port}`,
    stats: () => ({ ...stats }),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of open) socket.destroy();
      }),
  };
}

/** `host:port` as CONNECT names it, in one way of writing. */
function authorityOf(url: URL): string {
  return normal(`${url.hostname}:${url.port || (url.protocol === "https:" ? 443 : 80)}`);
}
const normal = (authority: string) => authority.toLowerCase().replace(/\.(?=:\d+$)/, "");

/** The request's head and what came behind it, or the status that refuses it. */
function readHead(
  socket: net.Socket,
  limits: RelayLimits,
): Promise<{ text: string; rest: Uint8Array<ArrayBuffer> } | number> {
  return new Promise((resolve) => {
    let text = "";
    const timer = setTimeout(() => done(408), limits.handshakeMs);
    const done = (result: { text: string; rest: Uint8Array<ArrayBuffer> } | number) => {
      clearTimeout(timer);
      socket.off("data", take);
      socket.off("end", ended);
      socket.off("close", ended);
      socket.pause();
      resolve(result);
    };
    const ended = () => done(400);
    const take = (bytes: Uint8Array) => {
      text += latin1.decode(bytes);
      const end = text.indexOf("\r\n\r\n");
      if (end > limits.headBytes || end < 0 && text.length > limits.headBytes) return done(431);
      if (end >= 0) {
        const rest = Uint8Array.from(text.slice(end + 4), (character) => character.charCodeAt(0));
        done({ text: text.slice(0, end), rest });
      }
    };
    socket.on("data", take);
    socket.once("end", ended);
    socket.once("close", ended);
  });
}
/** Byte for character: `latin1` of TextDecoder is windows-1252, which changes some. */
const latin1 = {
  decode: (bytes: Uint8Array) => Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""),
};
