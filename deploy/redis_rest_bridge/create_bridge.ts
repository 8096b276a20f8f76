/**
 * The REST protocol of Upstash in front of a Redis server: what `@upstash/redis` speaks.
 *   POST /            ["SET", "key", "value"]                    -> {result} | {error}
 *   POST /pipeline    [["SET", "a", "1"], ["GET", "a"]]          -> [{result} | {error}, ...]
 *   POST /multi-exec  the same, all or nothing, nobody between   -> [{result} | {error}, ...] | {error}
 *   GET  /health      no token needed                            -> 200 | 503
 * `Authorization: Bearer TOKEN`; with `Upstash-Encoding: base64` every string of a result comes encoded.
 */
import { Buffer } from "node:buffer";
import { createHash, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type RedisConnection, RedisUnreachable } from "./redis_connection.ts";
import { RedisError, type Reply } from "./resp.ts";

/** Upstash's own limit for a request. */
const MAX_BODY_BYTES = 10 * 1024 * 1024;
/** All requests share one connection: what blocks it, or changes what it means, would harm everybody. */
const REFUSED = new Set(
  ("AUTH BLMOVE BLMPOP BLPOP BRPOP BRPOPLPUSH BZMPOP BZPOPMAX BZPOPMIN CLIENT DISCARD EXEC HELLO MONITOR MULTI " +
    "PSUBSCRIBE PSYNC QUIT REPLICAOF RESET SELECT SHUTDOWN SLAVEOF SSUBSCRIBE SUBSCRIBE SYNC UNWATCH WAIT WAITAOF WATCH")
    .split(" "),
);

class BadRequest extends Error {
  constructor(readonly status: number, message: string) {
    super(message);
  }
}

type Answer = { result: unknown } | { error: string };

export function createBridge({ redis, token }: { redis: RedisConnection; token: string }): Server {
  const expected = digest(`Bearer ${token}`);
  return createServer((request, response) => {
    const encoded = request.headers["upstash-encoding"] === "base64";
    handle(request, encoded).then(
      ({ status, body }) => reply(response, status, body),
      (error: unknown) => reply(response, statusOf(error), { error: (error as Error).message }),
    );
  });

  async function handle(request: IncomingMessage, encoded: boolean): Promise<{ status: number; body: unknown }> {
    const path = (request.url ?? "/").split("?")[0]!.replace(/(?<=.)\/$/, "");
    if (request.method === "GET" && path === "/health") {
      await redis.send([["PING"]]);
      return { status: 200, body: { result: "PONG" } };
    }
    if (!timingSafeEqual(digest(request.headers.authorization ?? ""), expected)) {
      throw new BadRequest(401, "WRONGPASS invalid or missing auth token");
    }
    if (request.method !== "POST" || !["/", "/pipeline", "/multi-exec"].includes(path)) {
      throw new BadRequest(404, "ERR use POST /, /pipeline or /multi-exec with the command in the body");
    }
    const body = parseBody(await readBody(request));
    if (path === "/") {
      const [only] = await redis.send([readCommand(body)]);
      const answer = toAnswer(only!, encoded);
      return { status: "error" in answer ? 400 : 200, body: answer };
    }
    if (!Array.isArray(body)) throw new BadRequest(400, "ERR expected an array of commands");
    const commands = body.map(readCommand);
    if (path === "/pipeline") {
      return { status: 200, body: (await redis.send(commands)).map((one) => toAnswer(one, encoded)) };
    }
    const replies = await redis.send([["MULTI"], ...commands, ["EXEC"]]);
    const outcome = replies.at(-1)!;
    if (!Array.isArray(outcome)) {
      const reason = replies.find((one) => one instanceof RedisError);
      throw new BadRequest(400, reason instanceof RedisError ? reason.message : "EXECABORT transaction discarded");
    }
    return { status: 200, body: outcome.map((one) => toAnswer(one, encoded)) };
  }
}

function readCommand(value: unknown): string[] {
  if (!Array.isArray(value) || value.length === 0) throw new BadRequest(400, "ERR a command is a non-empty array");
  const parts = value.map((part: unknown) => {
    if (part === null) throw new BadRequest(400, "ERR null is not a command argument");
    return typeof part === "object" ? JSON.stringify(part) : String(part);
  });
  const name = parts[0]!.toUpperCase();
  if (REFUSED.has(name)) throw new BadRequest(400, `ERR ${name} is not available over REST`);
  return parts;
}

function toAnswer(reply: Reply, encoded: boolean): Answer {
  return reply instanceof RedisError ? { error: reply.message } : { result: toJson(reply, encoded) };
}

function toJson(reply: Reply, encoded: boolean): unknown {
  if (Array.isArray(reply)) return reply.map((item) => toJson(item, encoded));
  if (Buffer.isBuffer(reply)) return reply.toString(encoded ? "base64" : "utf8");
  if (reply instanceof RedisError) return toJson(Buffer.from(reply.message), encoded);
  return typeof reply === "bigint" ? toJson(Buffer.from(String(reply)), encoded) : reply; // JSON numbers end at 2^53
}

function parseBody(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString());
  } catch (error: unknown) {
    throw new BadRequest(400, `ERR failed to parse the request body: ${(error as Error).message}`);
  }
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request) {
    size += (part as Buffer).length;
    if (size > MAX_BODY_BYTES) throw new BadRequest(413, "ERR max request size exceeded");
    parts.push(part as Buffer);
  }
  return Buffer.concat(parts);
}

function statusOf(error: unknown): number {
  if (error instanceof BadRequest) return error.status;
  return error instanceof RedisUnreachable ? 503 : 500;
}

function reply(response: ServerResponse, status: number, body: unknown): void {
  if (!response.req.complete) response.setHeader("connection", "close");
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

/** Of one length, so that the comparison takes one time. */
const digest = (text: string) => createHash("sha256").update(text).digest();
