/**
 * A TCP proxy that misbehaves as asked: silent without closing (what a lost route looks like), late, slow, or cut.
 * Bytes that wait for `delay` or `rate` keep their order. A dark proxy still accepts connections and answers nothing.
 */
import net from "node:net";
import type { AddressInfo } from "node:net";

export type Direction = "up" | "down";

export interface TcpProxy {
  port: number;
  /** Open now, the silent ones included. */
  connections(): number;
  /** Accepted since the beginning. */
  accepted(): number;
  /** From now on nothing passes, in one direction or both, and no end either; `false` lets what waited through. */
  blackhole(on: boolean, direction?: Direction): void;
  /**
   * Leaves the connections of this moment silent for ever, whatever `blackhole` says later: their ends hear nothing, not
   * even that the other one has closed. New ones pass.
   */
  strand(): void;
  delay(ms: number): void;
  /** Resets every connection. */
  cutAll(): void;
  /** Bytes per second and direction; null for as fast as it goes. */
  rate(bytesPerSecond: number | null): void;
  close(): Promise<void>;
}

export interface ProxyOptions {
  to: { host: string; port: number };
  /** Address to listen on, 127.0.0.1 when absent. */
  host?: string;
  /** A free one when absent. */
  port?: number;
  /** Sees, and may change or drop (empty), the bytes as they come: `up` goes to `to`. */
  onFrame?: (bytes: Uint8Array, direction: Direction) => Uint8Array;
}

interface Pipe {
  direction: Direction;
  from: net.Socket;
  to: net.Socket;
  waiting: { bytes: Uint8Array | "end"; notBefore: number }[];
  timer?: ReturnType<typeof setTimeout>;
}

const SLICE_MS = 20;
const MAX_WAITING = 256;

export async function startProxy(options: ProxyOptions): Promise<TcpProxy> {
  const pairs = new Set<{ pipes: [Pipe, Pipe]; stranded: boolean; destroy(): void }>();
  const dark = { up: false, down: false };
  let delayMs = 0;
  let bytesPerSecond: number | null = null;
  let accepted = 0;

  const server = net.createServer({ allowHalfOpen: true }, (client) => {
    accepted++;
    const upstream = net.connect({ ...options.to, allowHalfOpen: true });
    const pair = {
      pipes: [
        { direction: "up", from: client, to: upstream, waiting: [] },
        { direction: "down", from: upstream, to: client, waiting: [] },
      ] as [Pipe, Pipe],
      stranded: false,
      destroy() {
        for (const pipe of pair.pipes) clearTimeout(pipe.timer);
        client.destroy();
        upstream.destroy();
        pairs.delete(pair);
      },
    };
    pairs.add(pair);
    const isSilent = (direction: Direction) => pair.stranded || dark[direction];
    for (const pipe of pair.pipes) {
      pipe.from.on("data", (bytes: Uint8Array) => {
        const seen = options.onFrame ? options.onFrame(bytes, pipe.direction) : bytes;
        if (seen.length > 0) take(pipe, seen);
      });
      pipe.from.on("end", () => take(pipe, "end"));
      pipe.from.on("error", () => {}); // `close` follows
      pipe.from.on("close", () => {
        // A silent proxy keeps even the end to itself: the other side must find out alone.
        if (isSilent(pipe.direction)) return;
        flush(pipe);
        if (pipe.waiting.length === 0) pair.destroy();
      });
      pipe.to.on("drain", () => pump(pipe));
    }
    function take(pipe: Pipe, bytes: Uint8Array | "end") {
      pipe.waiting.push({ bytes, notBefore: performance.now() + delayMs });
      if (pipe.waiting.length >= MAX_WAITING) pipe.from.pause();
      pump(pipe);
    }
    /** Passes on what may go now, and comes back for the rest. */
    function pump(pipe: Pipe) {
      clearTimeout(pipe.timer);
      if (isSilent(pipe.direction)) return;
      let budget = bytesPerSecond === null ? Infinity : Math.max(1, Math.floor(bytesPerSecond * SLICE_MS / 1000));
      while (pipe.waiting.length > 0 && budget > 0 && !pipe.to.writableNeedDrain) {
        const next = pipe.waiting[0]!;
        const early = next.notBefore - performance.now();
        if (early > 0) return void (pipe.timer = setTimeout(() => pump(pipe), early));
        if (next.bytes === "end") {
          pipe.to.end();
          pipe.waiting.shift();
          continue;
        }
        const part = next.bytes.subarray(0, budget);
        pipe.to.write(part);
        budget -= part.length;
        if (part.length === next.bytes.length) pipe.waiting.shift();
        else next.bytes = next.bytes.subarray(part.length);
      }
      if (pipe.waiting.length < MAX_WAITING) pipe.from.resume();
      if (pipe.waiting.length > 0 && budget <= 0) pipe.timer = setTimeout(() => pump(pipe), SLICE_MS);
    }
    function flush(pipe: Pipe) {
      for (const item of pipe.waiting.splice(0)) item.bytes === "end" ? pipe.to.end() : pipe.to.write(item.bytes);
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port ?? 0, options.host ?? "127.0.0.1", resolve);
  });

  const wake = () => {
    for (const { pipes } of pairs) for (const pipe of pipes) pipe.to.emit("drain");
  };
  const cutAll = () => {
    for (const pair of [...pairs]) {
      for (const pipe of pair.pipes) if (!pipe.from.destroyed) pipe.from.resetAndDestroy();
      pair.destroy();
    }
  };
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => pairs.size,
    accepted: () => accepted,
    blackhole(on, direction) {
      if (direction !== "down") dark.up = on;
      if (direction !== "up") dark.down = on;
      if (!on) wake();
    },
    strand() {
      for (const pair of pairs) pair.stranded = true;
    },
    delay: (ms) => void (delayMs = ms),
    cutAll,
    rate(limit) {
      bytesPerSecond = limit;
      wake();
    },
    close() {
      cutAll();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
