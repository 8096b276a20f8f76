import { Buffer } from "node:buffer";
import { join } from "node:path";
import { Redis } from "@upstash/redis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startRedis, startRedisRest, type TestRedisRest } from "../../tests/helpers/redis.ts";
import { component } from "../../tests/helpers/require_component.ts";
import { openRedis } from "./redis_connection.ts";
import { createReplyReader, encodeCommand, RedisError } from "./resp.ts";

const needed = component("redis");

describe.skipIf(!needed.available)(`the REST bridge in front of a real redis-server${needed.reason}`, () => {
  let rest: TestRedisRest;
  let redis: Redis;
  beforeAll(async () => {
    rest = await startRedisRest();
    redis = new Redis({ url: rest.url, token: rest.token, retry: false });
  });
  afterAll(() => rest.stop());

  const post = (path: string, body: string, token = rest.token) =>
    fetch(rest.url + path, { method: "POST", body, headers: { authorization: `Bearer ${token}` } });

  it("carries commands of the client that the product uses", async () => {
    expect(await redis.set("key", "value", { ex: 60 })).toBe("OK");
    expect(await redis.get("key")).toBe("value");
    expect(await redis.set("key", "other", { nx: true })).toBe(null);
    expect(await redis.incr("count")).toBe(1);
    expect(await redis.pttl("key")).toBeGreaterThan(0);
    expect(await redis.mget("key", "count", "nothing")).toEqual(["value", 1, null]);
    expect(await redis.ping()).toBe("PONG");
    await redis.hset("hash", { a: "1", b: { deep: true } });
    expect(await redis.hgetall("hash")).toEqual({ a: 1, b: { deep: true } });
  });

  it("keeps every character and every size of text", async () => {
    for (const text of ["Grüße, 北方, 🧊", "OK", "", "\r\n$5\r\nhello\r\n", "\u0000\u0001", "x".repeat(300_000)]) {
      await redis.set("text", { text });
      expect(await redis.get("text")).toEqual({ text });
    }
    const plain = await (await post("/", JSON.stringify(["GET", "text"]))).json();
    expect(JSON.parse(plain.result).text).toHaveLength(300_000);
    await redis.rpush("list", "OK", "日本");
    expect(await redis.lrange("list", 0, -1)).toEqual(["OK", "日本"]);
  });

  it("answers a pipeline one by one, an error among them harming nobody", async () => {
    const answer = await (await post(
      "/pipeline",
      JSON.stringify([["SET", "p", "1"], ["LPUSH", "p", "x"], ["INCR", "p"], ["NO_SUCH"]]),
    )).json();
    expect(answer).toEqual([
      { result: "OK" },
      { error: expect.stringMatching(/^WRONGTYPE /) },
      { result: 2 },
      { error: expect.stringMatching(/^ERR unknown command/) },
    ]);
    expect(await redis.pipeline().set("q", "a").get("q").exec()).toEqual(["OK", "a"]);
  });

  it("carries out a transaction as a whole or not at all", async () => {
    expect(await redis.multi().set("m", 1).incr("m").exec()).toEqual(["OK", 2]);
    const refused = await post("/multi-exec", JSON.stringify([["SET", "m", "9"], ["SET", "m"]]));
    expect(refused.status).toBe(400);
    expect((await refused.json()).error).toMatch(/wrong number of arguments/);
    expect(await redis.get("m")).toBe(2);
  });

  it("lets no other request come between the commands of a transaction", async () => {
    await redis.set("shared", 0);
    const rounds = Array.from({ length: 40 }, () => redis.multi().incr("shared").incr("shared").exec<number[]>());
    for (const [first, second] of await Promise.all(rounds)) expect(second! - first!).toBe(1);
  });

  it("runs Lua, also by its hash", async () => {
    const script = "redis.call('INCRBY', KEYS[1], ARGV[1]); return {redis.call('GET', KEYS[1]), ARGV[2], 7}";
    expect(await redis.eval(script, ["lua"], [5, "ü"])).toEqual([5, "ü", 7]);
    const lua = redis.createScript(script);
    expect(await lua.exec(["lua"], ["5", "again"])).toEqual([10, "again", 7]);
    await expect(redis.eval("return redis.error_reply('ERR mine')", [], [])).rejects.toThrow(/mine/);
  });

  it("refuses a wrong token, and none, and says nothing to either", async () => {
    const stranger = new Redis({ url: rest.url, token: "wrong", retry: false });
    await expect(stranger.get("key")).rejects.toThrow(/WRONGPASS/);
    const none = await fetch(rest.url, { method: "POST", body: '["GET","key"]' });
    expect([none.status, await none.json()]).toEqual([401, { error: "WRONGPASS invalid or missing auth token" }]);
  });

  it("refuses what would block or change the connection that all share", async () => {
    for (const command of [["BLPOP", "l", "0"], ["subscribe", "c"], ["MULTI"], ["SELECT", "1"]]) {
      const answer = await post("/", JSON.stringify(command));
      expect(answer.status).toBe(400);
      expect((await answer.json()).error).toMatch(/is not available over REST/);
    }
  });

  it("names what is wrong with a request that is not a command", async () => {
    expect((await (await post("/", "{")).json()).error).toMatch(/failed to parse/);
    expect((await (await post("/", "[]")).json()).error).toMatch(/non-empty array/);
    expect((await (await post("/pipeline", "{}")).json()).error).toMatch(/array of commands/);
    expect((await post("/nowhere", "[]")).status).toBe(404);
    expect((await post("/", "x".repeat(10 * 1024 * 1024 + 1))).status).toBe(413);
  });
});

describe.skipIf(!needed.available)(`when Redis is away${needed.reason}`, () => {
  it("answers 503, and works again as soon as Redis is back, on the same port", async () => {
    const rest = await startRedisRest();
    const port = Number(new URL(rest.address).port);
    const health = async () => (await fetch(`${rest.url}/health`)).status;
    expect(await health()).toBe(200);
    await rest.kill();
    expect(await health()).toBe(503);
    const back = await startRedis({ port });
    expect(await health()).toBe(200);
    await back.stop();
    await rest.stop();
  });

  it("signs in to a Redis with a password and selects the database of its address", async () => {
    const server = await startRedis({ password: "geheim" });
    const redis = openRedis(`${server.address}/3`);
    expect(await redis.send([["CLIENT", "INFO"]])).toEqual([expect.toSatisfy((b: Buffer) => b.includes("db=3"))]);
    redis.close();
    const stranger = openRedis(server.address.replace("geheim", "falsch"));
    await expect(stranger.send([["PING"]])).rejects.toThrow(/WRONGPASS/);
    stranger.close();
    await server.stop();
  });
});

describe.skipIf(!needed.available)(`the bridge as a process${needed.reason}`, () => {
  it("starts with the permissions it names, serves, and ends on SIGTERM", async () => {
    const server = await startRedis();
    const folder = import.meta.dirname!;
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--no-prompt",
        "--allow-net",
        "--allow-env=BRIDGE_PORT,BRIDGE_TOKEN,REDIS_URL",
        join(folder, "main.ts"),
      ],
      env: { BRIDGE_PORT: "0", BRIDGE_TOKEN: "x".repeat(16), REDIS_URL: server.address },
      stdout: "piped",
    }).spawn();
    const output = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    const { value } = await output.read();
    const port = /on port (\d+)/.exec(value!)![1];
    const redis = new Redis({ url: `http://127.0.0.1:${port}`, token: "x".repeat(16), retry: false });
    expect(await redis.ping()).toBe("PONG");
    child.kill("SIGTERM");
    expect((await child.status).code).toBe(0);
    await output.cancel();
    await server.stop();
  });

  it("refuses to start with a weak token", async () => {
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", "--allow-net", "--allow-env", join(import.meta.dirname!, "main.ts")],
      env: { BRIDGE_TOKEN: "short" },
    }).output();
    expect([code, new TextDecoder().decode(stderr)]).toEqual([1, expect.stringContaining("Set BRIDGE_TOKEN")]);
  });
});

describe("RESP2", () => {
  it("encodes a command by the bytes of its parts, not by their characters", () => {
    expect(encodeCommand(["SET", "ü", ""]).toString()).toBe("*3\r\n$3\r\nSET\r\n$2\r\nü\r\n$0\r\n\r\n");
  });

  it("reads replies however their bytes are cut", () => {
    const bytes = Buffer.from("*4\r\n$2\r\nü\r\n:-3\r\n$-1\r\n*1\r\n-ERR x\r\n+OK\r\n:9007199254740993\r\n*-1\r\n");
    for (let size = 1; size <= bytes.length; size++) {
      const read = createReplyReader();
      const replies = [];
      for (let at = 0; at < bytes.length; at += size) replies.push(...read(bytes.subarray(at, at + size)));
      expect(replies).toEqual([
        [Buffer.from("ü"), -3, null, [new RedisError("ERR x")]],
        Buffer.from("OK"),
        9007199254740993n,
        null,
      ]);
    }
  });

  it("refuses what is not RESP2", () => {
    expect(() => createReplyReader()(Buffer.from("HTTP/1.1 400 Bad Request\r\n"))).toThrow(/not RESP2/);
  });
});
