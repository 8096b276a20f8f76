/**
 * Counts attempts in a sliding window. Redis shares the count between masters; memory serves one. Only attempts that were
 * let through count, so somebody who keeps trying is let through at the limit's pace and no further.
 */
import type { Redis } from "@upstash/redis";
import type { Clock, Logger } from "../../domain/ports.ts";
import { LimitedError } from "../limited_error.ts";

export interface RateLimiter {
  kind: "redis" | "memory";
  /**
   * @param key what is counted, e.g. `login:127.0.0.1`
   * @returns 0 when allowed, else the seconds to wait
   */
  hit(key: string, limit: number, windowSeconds: number): Promise<number>;
}

/** Throws 429 with `Retry-After` when this attempt is one too many. */
export async function limit(limiter: RateLimiter, key: string, most: number, windowSeconds: number): Promise<void> {
  const wait = await limiter.hit(key, most, windowSeconds);
  if (wait > 0) throw new LimitedError(wait);
}

/** Keys are made by strangers (addresses, user names), so their number is bounded: beyond it the oldest are forgotten. */
const MAX_KEYS = 20_000;

export function createMemoryLimiter(clock: Clock): RateLimiter {
  const hits = new Map<string, number[]>();
  return {
    kind: "memory",
    hit(key, most, windowSeconds) {
      const now = clock.monotonic();
      const inWindow = (hits.get(key) ?? []).filter((at) => at > now - windowSeconds * 1000);
      const allowed = inWindow.length < most;
      if (allowed) inWindow.push(now);
      hits.delete(key); // so that the map is in order of last use
      hits.set(key, inWindow);
      if (hits.size > MAX_KEYS) hits.delete(hits.keys().next().value!);
      return Promise.resolve(allowed ? 0 : Math.max(1, Math.ceil((inWindow[0]! + windowSeconds * 1000 - now) / 1000)));
    },
  };
}

/** One round trip, by the clock of Redis, whole or not at all. KEYS: the window; ARGV: most, milliseconds, a unique name. */
const SLIDE = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
if redis.call('ZCARD', KEYS[1]) < tonumber(ARGV[1]) then
  redis.call('ZADD', KEYS[1], now, ARGV[3])
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return 0
end
local oldest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
return math.max(1, math.ceil((oldest[2] + ARGV[2] - now) / 1000))`;
/** A Redis that does not answer must not hold up a sign-in. */
const ANSWER_WITHIN_MS = 500;

/** While Redis is away each master counts for itself, and says so once. */
export function createRedisLimiter(
  redis: Pick<Redis, "eval">,
  { clock, logger }: { clock: Clock; logger: Logger },
): RateLimiter {
  const own = createMemoryLimiter(clock);
  let away = false;
  return {
    kind: "redis",
    async hit(key, most, windowSeconds) {
      try {
        const answer = await within(
          clock,
          redis.eval(SLIDE, [`boreas:limit:${key}`], [most, windowSeconds * 1000, crypto.randomUUID()]),
        );
        if (typeof answer !== "number") throw new Error(`Redis answered ${JSON.stringify(answer)}`);
        if (away) logger.log("INFO", "Redis is back; rate limits are shared again");
        away = false;
        return answer;
      } catch (error: unknown) {
        if (!away) {
          logger.log("WARN", "Redis does not answer; each master limits attempts by itself until it does", {
            error: String(error),
          });
        }
        away = true;
        return await own.hit(key, most, windowSeconds);
      }
    },
  };
}

function within<T>(clock: Clock, answer: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(
      ANSWER_WITHIN_MS,
      () => reject(new Error(`Redis did not answer in ${ANSWER_WITHIN_MS} ms`)),
    );
    answer.then(resolve, reject).finally(() => timer.cancel());
  });
}
