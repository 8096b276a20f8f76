/** Redis between two masters: what one counted the other knows, and while it is away each counts for itself. */
import { Redis } from "@upstash/redis";
import { describe, expect, it } from "vitest";
import { createRedisLimiter } from "../../api/middleware/rate_limit.ts";
import { openRedis } from "../../compose/open_redis.ts";
import { readSettings } from "../../compose/settings.ts";
import { createClock } from "../../host/clock.ts";
import { startRedisRest } from "../helpers/redis.ts";
import { component } from "../helpers/require_component.ts";

const redis = component("redis");
const said: string[] = [];
const logger = { log: (_level: string, message: string) => void said.push(message) };

describe.skipIf(!redis.available)(`with a Redis server behind its REST bridge${redis.reason}`, () => {
  it("counts attempts of two masters together, per key, and says how long to wait", async () => {
    const server = await startRedisRest();
    try {
      const clients = [1, 2].map(() => new Redis({ url: server.url, token: server.token, enableTelemetry: false }));
      const [one, two] = clients.map((client) => createRedisLimiter(client, { clock: createClock(), logger }));
      expect(await one!.hit("login:ada", 3, 60)).toBe(0);
      expect(await two!.hit("login:ada", 3, 60)).toBe(0);
      expect(await one!.hit("login:ada", 3, 60)).toBe(0);
      const wait = await two!.hit("login:ada", 3, 60);
      expect(wait).toBeGreaterThan(0);
      expect(wait).toBeLessThanOrEqual(60);
      expect(await two!.hit("login:bob", 3, 60)).toBe(0);
      expect(said).toEqual([]);
    } finally {
      await server.stop();
    }
  });

  it("goes on by itself when Redis goes away, and says so once", async () => {
    const server = await startRedisRest();
    const client = new Redis({ url: server.url, token: server.token, enableTelemetry: false, retry: false });
    const limiter = createRedisLimiter(client, { clock: createClock(), logger });
    expect(await limiter.hit("login:ada", 2, 60)).toBe(0);
    await server.stop();
    said.length = 0;
    expect(await limiter.hit("login:ada", 2, 60)).toBe(0);
    expect(await limiter.hit("login:ada", 2, 60)).toBe(0);
    expect(await limiter.hit("login:ada", 2, 60)).toBeGreaterThan(0);
    expect(said).toEqual(["Redis does not answer; each master limits attempts by itself until it does"]);
  });

  it("remembers delivery ids between masters, and asks the database when it is away", async () => {
    const server = await startRedisRest();
    const env: Record<string, string> = { UPSTASH_REDIS_REST_URL: server.url, UPSTASH_REDIS_REST_TOKEN: server.token };
    const settings = readSettings((name) => env[name], false);
    const [one, two] = [openRedis(settings, logger)!, openRedis(settings, logger)!];
    expect(await two.recentDeliveries.seen("repository:delivery-1")).toBe(false);
    await one.recentDeliveries.remember("repository:delivery-1");
    expect(await two.recentDeliveries.seen("repository:delivery-1")).toBe(true);
    await server.stop();
    expect(await two.recentDeliveries.seen("repository:delivery-1")).toBe(false);
  });
});
