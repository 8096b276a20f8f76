/**
 * One connection to a Redis server, shared by all requests: commands go out in the order of the calls, replies come
 * back in that order.
 *
 *   idle -> connecting -> open -> (broken) -> idle
 *
 * The next call after a break connects anew. What a break leaves behind: the calls in flight fail, and nobody knows
 * whether Redis carried them out; they are not repeated.
 */
import { Buffer } from "node:buffer";
import { connect, type Socket } from "node:net";
import { createReplyReader, encodeCommand, RedisError, type Reply } from "./resp.ts";

interface Waiting {
  resolve(replies: Reply[]): void;
  reject(error: Error): void;
  replies: Reply[];
  count: number;
}

export interface RedisConnection {
  /** One reply per command. The commands of one call are neighbours on the wire: nobody's come between. */
  send(commands: readonly (readonly string[])[]): Promise<Reply[]>;
  close(): void;
}

export class RedisUnreachable extends Error {}

const CONNECT_MS = 5_000;

export function openRedis(address: string): RedisConnection {
  const url = new URL(address);
  let connection: Promise<{ socket: Socket; waiting: Waiting[] }> | undefined;
  let closed = false;

  function open() {
    const opening = new Promise<{ socket: Socket; waiting: Waiting[] }>((resolve, reject) => {
      const waiting: Waiting[] = [];
      const read = createReplyReader();
      const socket = connect({ host: url.hostname.replace(/^\[|\]$/g, ""), port: Number(url.port || 6379) });
      socket.setNoDelay(true).setTimeout(CONNECT_MS, () => socket.destroy(new Error("no connection in 5 s")));
      const broken = (error?: Error) => {
        if (connection === opening) connection = undefined;
        const reason = new RedisUnreachable(`Redis at ${url.host} cannot be reached: ${error?.message ?? "closed"}`);
        reject(reason);
        for (const call of waiting.splice(0)) call.reject(reason);
      };
      socket.on("error", broken).on("close", () => broken()).on("data", (bytes: Buffer) => {
        try {
          for (const reply of read(bytes)) settle(waiting, reply);
        } catch (error: unknown) {
          socket.destroy(error as Error);
        }
      });
      socket.on("connect", () => {
        socket.setTimeout(0);
        const greeting = hello(url);
        if (greeting.length === 0) return resolve({ socket, waiting });
        write({ socket, waiting }, greeting).then((replies) => {
          const refused = replies.find((reply) => reply instanceof RedisError);
          if (refused instanceof RedisError) socket.destroy(refused);
          else resolve({ socket, waiting });
        }, reject);
      });
    });
    return opening;
  }

  return {
    async send(commands) {
      if (closed) throw new RedisUnreachable("The bridge is closed");
      if (commands.length === 0) return [];
      connection ??= open();
      return await write(await connection, commands);
    },
    close() {
      closed = true;
      connection?.then(({ socket }) => socket.destroy(), () => {});
    },
  };
}

function hello(url: URL): string[][] {
  const commands: string[][] = [];
  const [user, password] = [decodeURIComponent(url.username), decodeURIComponent(url.password)];
  if (password) commands.push(user ? ["AUTH", user, password] : ["AUTH", password]);
  const database = url.pathname.slice(1);
  if (database) commands.push(["SELECT", database]);
  return commands;
}

function write(
  { socket, waiting }: { socket: Socket; waiting: Waiting[] },
  commands: readonly (readonly string[])[],
): Promise<Reply[]> {
  return new Promise((resolve, reject) => {
    if (socket.destroyed) return reject(new RedisUnreachable("The connection to Redis broke"));
    waiting.push({ resolve, reject, replies: [], count: commands.length });
    socket.write(Buffer.concat(commands.map(encodeCommand)));
  });
}

function settle(waiting: Waiting[], reply: Reply): void {
  const call = waiting[0];
  if (!call) throw new Error("Redis answered without being asked");
  call.replies.push(reply);
  if (call.replies.length < call.count) return;
  waiting.shift();
  call.resolve(call.replies);
}
