import fc from "../../tests/helpers/fast_check.ts";
import { describe, expect, it } from "vitest";
import { createVirtualClock } from "../../tests/helpers/virtual_clock.ts";
import { sha256Of } from "./fingerprint.ts";
import { awaitHealthy } from "./health.ts";
import type { KeptProcess, Machine } from "./machine.ts";
import { fillPlaceholders } from "./placeholders.ts";
import { choosePruned, remember } from "./prune_releases.ts";
import { readRestartPolicy, restartDelay, shouldRestart } from "./restart_policy.ts";

describe("restarts", () => {
  it.each(
    [
      ["always", 0, true],
      ["always", null, true],
      ["on-failure", 0, false],
      ["on-failure", 1, true],
      ["on-failure", null, true],
      ["never", 1, false],
      ["never", null, false],
    ] as const,
  )("policy %s after code %s: %s", (policy, code, expected) => {
    expect(shouldRestart(readRestartPolicy({ policy }), code)).toBe(expected);
  });
  it("wait 1 s, doubled, at most 60 s, and end when the window is full; a quiet window makes them new", () => {
    const policy = readRestartPolicy({ policy: "always", max: "8/10m" });
    const delays = Array.from({ length: 9 }, (_, count) => restartDelay(policy, Array(count).fill(0), 1000));
    expect(delays).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, undefined]);
    expect(restartDelay(policy, Array(8).fill(0), 600_000)).toBe(1000);
    expect(readRestartPolicy(undefined)).toEqual({ policy: "on-failure", count: 5, windowMs: 600_000 });
  });
});

describe("placeholders", () => {
  const known = {
    version: "v1",
    commit: "c",
    os: "linux",
    arch: "amd64",
    ports: { http: 80 },
    env: { A: "${version}" },
  };
  it("are filled once, and what they bring in stays as it is", () => {
    expect(fillPlaceholders("${version}-${os}/${arch}:${port.http} ${env.A} $HOME", known, "x")).toBe(
      "v1-linux/amd64:80 ${version} $HOME",
    );
  });
  it.each(["${port.grpc}", "${env.B}", "${env.toString}", "${}", "${secret.X}"])("%s is refused by name", (text) => {
    expect(() => fillPlaceholders(text, known, "exec of order")).toThrow(`exec of order asks for ${text}`);
  });
});

describe("pruning", () => {
  it("never lets the running release or the one before it go, and keeps as many as asked", () => {
    fc.assert(fc.property(
      fc.array(fc.constantFrom("a", "b", "c", "d", "e", "f"), { minLength: 1, maxLength: 30 }),
      fc.integer({ min: 0, max: 8 }),
      (deploys, keep) => {
        const history = deploys.reduce<string[]>(remember, []);
        const names = [...new Set(deploys), "failed"];
        const pruned = choosePruned(names, history, keep);
        expect(pruned).toContain("failed");
        expect(pruned).not.toContain(deploys.at(-1));
        const before = deploys.findLast((name) => name !== deploys.at(-1));
        if (before) expect(pruned).not.toContain(before);
        expect(names.length - pruned.length).toBe(Math.min(history.length, Math.max(2, keep)));
      },
    ));
  });
});

it("a fingerprint does not depend on the order of keys, and tells different data apart", async () => {
  expect(await sha256Of({ a: 1, b: { c: [1, 2], d: null } })).toBe(await sha256Of({ b: { d: null, c: [1, 2] }, a: 1 }));
  expect(await sha256Of({ a: [1, 2] })).not.toBe(await sha256Of({ a: [2, 1] }));
});

describe("health", () => {
  /** A machine whose answers are a list of moments, and a program that ends when told to. */
  function setUp(answer: (now: number) => number) {
    const clock = createVirtualClock();
    const ended = Promise.withResolvers<{ code: number | null }>();
    let hasEnded = false;
    const kept = { ended: ended.promise, hasEnded: () => hasEnded } as unknown as KeptProcess;
    const asked: number[] = [];
    const machine = {
      async probeHttp() {
        asked.push(clock.monotonic());
        return { status: answer(clock.monotonic()) };
      },
    } as unknown as Machine;
    const check = { http: { port: 1 }, every: "1s", rise: 3, fall: 2 };
    const probed = { app: "order", ports: {}, cwd: "/", env: {} };
    const controller = new AbortController();
    const begin = (over: object = {}, trusted = () => Promise.resolve()) =>
      awaitHealthy(
        machine,
        clock,
        { health: [check], minTimeSeconds: 5, deadlineSeconds: 60, ...over },
        probed,
        kept,
        { trusted, signal: controller.signal },
      );
    const end = (code: number) => {
      hasEnded = true;
      ended.resolve({ code });
    };
    return { clock, begin, end, asked, controller };
  }

  it("needs `rise` good answers and then `minTime` without a break", async () => {
    const { clock, begin } = setUp(() => 200);
    const verdict = begin();
    await clock.advance(7000);
    expect(await verdict).toEqual({ healthy: true, seconds: 7 });
  });
  it("begins again after `fall` bad answers, not after one", async () => {
    const { clock, begin } = setUp((now) => [4000, 20_000, 21_000].includes(now) ? 500 : 200);
    const verdict = begin({ minTimeSeconds: 18 });
    await clock.advance(60_000);
    // One bad answer resets the count but not the state; two of them at 20 and 21 s do: good again at 24 s.
    expect(await verdict).toEqual({ healthy: true, seconds: 20 });
    const again = setUp((now) => [4000, 5000].includes(now) ? 500 : 200);
    const late = again.begin({ minTimeSeconds: 18 });
    await again.clock.advance(60_000);
    expect(await late).toEqual({ healthy: true, seconds: 26 });
  });
  it("asks often until the first good answer, so that a quick start is seen", async () => {
    const { clock, begin, asked } = setUp((now) => now < 250 ? 500 : 200);
    const verdict = begin({ minTimeSeconds: 0 });
    await clock.advance(5000);
    expect((await verdict).healthy).toBe(true);
    expect(asked.slice(0, 5)).toEqual([0, 100, 200, 300, 1300]);
  });
  it("gives up at the deadline with the last trouble, and the time without trust does not count", async () => {
    const { clock, begin } = setUp(() => 503);
    let hold: Promise<void> = Promise.resolve();
    const verdict = begin({}, () => hold);
    await clock.advance(10_000);
    const back = Promise.withResolvers<void>();
    hold = back.promise;
    await clock.advance(600_000);
    hold = Promise.resolve();
    back.resolve();
    await clock.advance(49_000);
    let done = false;
    verdict.then(() => done = true);
    await clock.settle();
    expect(done).toBe(false);
    await clock.advance(2000);
    expect(await verdict).toEqual({
      healthy: false,
      code: "health.deadline",
      why: "not healthy within 60 s: GET http://127.0.0.1:1/ answered 503, expected 2xx",
    });
  });
  it("fails the moment the program ends, and leaves no timer", async () => {
    const { clock, begin, end } = setUp(() => 500);
    const verdict = begin({ deadlineSeconds: 3600 });
    await clock.advance(1000);
    end(137);
    expect(await verdict).toMatchObject({
      code: "process.exited",
      why: "it ended (by signal 9) before it was healthy",
    });
    await clock.settle();
    expect(clock.waiting).toBe(0);
  });
});
