import { describe, expect, it } from "vitest";
import type { Clock } from "../../domain/ports.ts";
import { createMemoryLimiter, createRedisLimiter } from "./rate_limit.ts";

/** A clock that a test moves by hand. */
function handClock() {
  let now = 1000;
  const waiting: (() => void)[] = [];
  const clock: Clock = {
    now: () => new Date(now),
    monotonic: () => now,
    after: (_milliseconds, call) => {
      waiting.push(call);
      return { cancel: () => void waiting.splice(waiting.indexOf(call), 1) };
    },
  };
  return { clock, waiting, move: (milliseconds: number) => void (now += milliseconds) };
}

describe("in memory", () => {
  it("lets the limit through in any window, and says how long to wait", async () => {
    const { clock, move } = handClock();
    const limiter = createMemoryLimiter(clock);
    expect(await limiter.hit("k", 2, 60)).toBe(0);
    move(10_000);
    expect(await limiter.hit("k", 2, 60)).toBe(0);
    expect(await limiter.hit("k", 2, 60)).toBe(50);
    expect(await limiter.hit("other", 2, 60)).toBe(0);
    move(49_999);
    expect(await limiter.hit("k", 2, 60)).toBe(1);
    move(2);
    expect(await limiter.hit("k", 2, 60)).toBe(0);
    expect(await limiter.hit("k", 2, 60)).toBeGreaterThan(0);
  });

  it("does not hold an attempt against one who was refused", async () => {
    const { clock, move } = handClock();
    const limiter = createMemoryLimiter(clock);
    await limiter.hit("k", 1, 60);
    for (let i = 0; i < 100; i++) await limiter.hit("k", 1, 60);
    move(60_001);
    expect(await limiter.hit("k", 1, 60)).toBe(0);
  });

  it("keeps a bounded number of keys, and the one in use among them", async () => {
    const { clock } = handClock();
    const limiter = createMemoryLimiter(clock);
    await limiter.hit("victim", 1, 60);
    for (let i = 0; i < 50_000; i++) {
      await limiter.hit(`stranger:${i}`, 1, 60);
      if (i % 1000 === 0) expect(await limiter.hit("victim", 1, 60)).toBeGreaterThan(0);
    }
    expect(await limiter.hit("stranger:0", 1, 60)).toBe(0); // forgotten: the price of the bound
  });
});

describe("in Redis", () => {
  const logged: string[] = [];
  const logger = { log: (_level: string, message: string) => void logged.push(message) };

  it("takes the script's word", async () => {
    const calls: unknown[][] = [];
    const evaluate = (...call: unknown[]) => {
      calls.push(call);
      return Promise.resolve(7 as never);
    };
    const limiter = createRedisLimiter({ eval: evaluate }, { clock: handClock().clock, logger });
    expect(await limiter.hit("login:x", 5, 60)).toBe(7);
    expect(calls[0]!.slice(1)).toEqual([["boreas:limit:login:x"], [5, 60_000, expect.any(String)]]);
  });

  it("counts by itself while Redis is away, and says it once", async () => {
    logged.length = 0;
    let away = true;
    const evaluate = () => away ? Promise.reject(new Error("no route")) : Promise.resolve(0 as never);
    const limiter = createRedisLimiter({ eval: evaluate }, { clock: handClock().clock, logger });
    expect([await limiter.hit("k", 1, 60), await limiter.hit("k", 1, 60)]).toEqual([0, 60]);
    expect(logged).toEqual(["Redis does not answer; each master limits attempts by itself until it does"]);
    away = false;
    expect(await limiter.hit("k", 1, 60)).toBe(0);
    expect(logged.at(-1)).toBe("Redis is back; rate limits are shared again");
  });

  it("does not wait for a Redis that hangs", async () => {
    const { clock, waiting } = handClock();
    const limiter = createRedisLimiter({ eval: () => new Promise(() => {}) }, { clock, logger });
    const answer = limiter.hit("k", 1, 60);
    waiting[0]!();
    expect(await answer).toBe(0);
  });
});
