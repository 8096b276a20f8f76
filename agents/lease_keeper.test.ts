import { afterEach, describe, expect, it } from "vitest";
import { createFakeMaster, dispatchOf, type FakeMasterOptions, memoryDialer } from "../tests/helpers/fake_master.ts";
import { createTestAgent } from "../tests/helpers/test_agent.ts";
import { createVirtualClock } from "../tests/helpers/virtual_clock.ts";
import { createLeaseKeeper } from "./lease_keeper.ts";
import type { FromAgent } from "../protocol/agent_messages.ts";

type Renewal = Extract<FromAgent, { type: "lease.renew" }>;

/** Lease of 10 s: renewals at 3.33 s, a margin of 1 s. */
function setUpKeeper() {
  const clock = createVirtualClock();
  const sent: Renewal[] = [];
  const calls: string[] = [];
  const keeper = createLeaseKeeper({
    clock,
    suspendedBoundMs: 60_000,
    send: (message) => void sent.push(message as Renewal),
    onSuspend: (taskId) => void calls.push(`${clock.monotonic()} suspend ${taskId}`),
    onTrust: (taskId) => void calls.push(`${clock.monotonic()} trust ${taskId}`),
    onLost: (taskId) => void calls.push(`${clock.monotonic()} lost ${taskId}`),
  });
  const answer = (renewal: Renewal, lost: string[] = []) =>
    keeper.renewed({
      type: "lease.renewed",
      taskIds: renewal.leases.map((l) => l.taskId).filter((id) => !lost.includes(id)),
      lost,
      round: renewal.round,
    });
  return { clock, sent, calls, keeper, answer };
}

describe("lease keeper", () => {
  it("renews all leases in one message at a third of the lease, also when there are none", async () => {
    const { clock, sent, keeper } = setUpKeeper();
    keeper.connected(0, 9);
    await clock.advance(3000);
    keeper.hold({ taskId: "a", fence: 1 }, 9);
    keeper.hold({ taskId: "b", fence: 2 }, 9);
    await clock.advance(3000);
    expect(sent.map((m) => m.leases)).toEqual([[], [{ taskId: "a", fence: 1 }, { taskId: "b", fence: 2 }]]);
    keeper.stop();
    expect(clock.waiting).toBe(0);
  });

  it("counts trust from the moment the answered renewal was sent, not from the answer", async () => {
    const { clock, sent, calls, keeper, answer } = setUpKeeper();
    keeper.connected(0, 9);
    keeper.hold({ taskId: "a", fence: 1 }, 9);
    await clock.advance(5000);
    answer(sent[0]!); // sent at 3000, answered at 5000
    await clock.advance(6099);
    expect(keeper.isTrusted("a")).toBe(true);
    await clock.advance(1); // 3000 + 9000 - 900
    expect(keeper.isTrusted("a")).toBe(false);
    expect(calls.at(-1)).toBe("11100 suspend a");
  });

  it("watches the lease that ends first, also when it came last or was suspended before", async () => {
    const { clock, sent, calls, keeper, answer } = setUpKeeper();
    keeper.connected(0, 90);
    keeper.hold({ taskId: "long", fence: 1 }, 90);
    keeper.hold({ taskId: "short", fence: 1 }, 9);
    await clock.advance(30_000); // the renewal of the long one is the first
    answer(sent[0]!);
    expect(calls.filter((call) => call.endsWith("short"))).toEqual([
      "0 trust short",
      "8100 suspend short",
      "30000 trust short",
    ]);
    await clock.advance(8100);
    expect(calls.at(-1)).toBe("38100 suspend short");
    expect(keeper.isTrusted("long")).toBe(true);
    keeper.stop();
    expect(clock.waiting).toBe(0);
  });

  it("gives no trust twice for one answer that arrives twice", async () => {
    const { clock, sent, calls, keeper, answer } = setUpKeeper();
    keeper.connected(0, 9);
    keeper.hold({ taskId: "a", fence: 1 }, 9);
    await clock.advance(6500);
    answer(sent[0]!);
    answer(sent[0]!);
    await clock.advance(5000);
    expect(calls.at(-1)).toBe("11100 suspend a");
  });

  it("takes the oldest open question for an answer without a round", async () => {
    const { clock, calls, keeper } = setUpKeeper();
    keeper.connected(0, 9);
    keeper.hold({ taskId: "a", fence: 1 }, 9);
    await clock.advance(6500); // two renewals are open, sent at 3000 and 6000
    keeper.renewed({ type: "lease.renewed", taskIds: ["a"], lost: [] });
    await clock.advance(10_000);
    expect(calls).toContain("11100 suspend a");
  });

  it("trusts a dispatch only from the last answered question on, for it may have waited on the way", async () => {
    const { clock, calls, keeper, sent, answer } = setUpKeeper();
    keeper.connected(0, 9);
    await clock.advance(8500); // the renewals at 3000 and 6000 were not answered: a stalled line
    keeper.hold({ taskId: "late", fence: 1 }, 9);
    expect(keeper.isTrusted("late")).toBe(false);
    expect(calls).toEqual(["8500 suspend late"]);
    expect(sent.at(-1)!.leases).toEqual([{ taskId: "late", fence: 1 }]);
    answer(sent.at(-1)!);
    expect(calls.at(-1)).toBe("8500 trust late");
    keeper.hold({ taskId: "fresh", fence: 1 }, 9);
    expect(keeper.isTrusted("fresh")).toBe(true);
  });

  it("trusts a dispatch that had to wait here no longer than when it arrived, whatever was answered since", async () => {
    const { clock, sent, keeper, answer } = setUpKeeper();
    keeper.connected(0, 9);
    const from = keeper.freshFrom; // it arrives, and waits for an earlier attempt to end
    await clock.advance(8000);
    answer(sent.at(-1)!); // asked at 6000: says nothing about it
    await clock.advance(200);
    keeper.hold({ taskId: "waited", fence: 2 }, 9, from);
    expect(keeper.isTrusted("waited")).toBe(false); // 0 + 9000 - 900
  });

  it("does not believe in a lease after a stall, before any timer had its turn", () => {
    let now = 0;
    const timers: (() => void)[] = [];
    const keeper = createLeaseKeeper({
      clock: {
        now: () => new Date(),
        monotonic: () => now,
        after: (_ms, call) => (timers.push(call), { cancel() {} }),
      },
      suspendedBoundMs: 1,
      send: () => {},
      onSuspend: () => {},
      onTrust: () => {},
      onLost: () => {},
    });
    keeper.connected(0, 9);
    keeper.hold({ taskId: "a", fence: 1 }, 9);
    expect(keeper.isTrusted("a")).toBe(true);
    now = 30_000; // SIGSTOP, SIGCONT
    expect(keeper.isTrusted("a")).toBe(false);
  });

  it("says lost once, of the fence that was asked about only, and never of finished work", async () => {
    const { clock, calls, keeper, sent, answer } = setUpKeeper();
    keeper.connected(0, 9);
    for (const taskId of ["old", "gone", "done"]) keeper.hold({ taskId, fence: 1 }, 9);
    keeper.finish("done");
    await clock.advance(3000);
    keeper.hold({ taskId: "old", fence: 2 }, 9);
    answer(sent[0]!, ["old", "gone", "done"]);
    expect(calls.filter((call) => call.includes("lost"))).toEqual(["3000 lost gone"]);
    await clock.advance(3000);
    expect(sent.at(-1)!.leases).toEqual([{ taskId: "old", fence: 2 }]);
  });

  it("renews finished work, and suspends it never", async () => {
    const { clock, calls, keeper, sent } = setUpKeeper();
    keeper.connected(0, 9);
    keeper.hold({ taskId: "done", fence: 1 }, 9);
    keeper.finish("done");
    await clock.advance(60_000);
    expect(sent.at(-1)!.leases).toEqual([{ taskId: "done", fence: 1 }]);
    expect(calls.filter((call) => call.includes("suspend"))).toEqual([]);
  });
});

describe("an agent that loses its master", () => {
  async function setUp(options: FakeMasterOptions = {}) {
    const clock = createVirtualClock();
    const master = createFakeMaster({ leaseSeconds: 9, ...options });
    let isAway = false;
    const dialer = memoryDialer(master);
    const setup = createTestAgent({
      clock,
      dialer: { dial: () => isAway ? Promise.reject(new Error("no route")) : dialer.dial() },
    });
    await setup.agent.start();
    await clock.settle();
    master.send(dispatchOf("t1", { leaseSeconds: 9 }));
    await clock.settle();
    expect(setup.runs.length).toBe(1);
    return { clock, master, ...setup, away: (on: boolean) => void (isAway = on) };
  }
  const cleanups: (() => unknown)[] = [];
  afterEach(async () => {
    for (const clean of cleanups.splice(0)) await clean();
  });

  it("holds its work still before the lease can pass on, and goes on when the master says continue", async () => {
    const { clock, master, agent, calls, runs, away } = await setUp();
    await clock.advance(3000); // renewed at 3000: the master's lease ends at 12000, trust at 11100
    away(true);
    master.link!.terminate();
    await clock.advance(8099);
    expect(calls).toEqual([]);
    await expect(runs[0]!.context.trusted()).resolves.toBeUndefined();
    await clock.advance(1);
    expect(calls).toEqual(["suspend t1"]);
    expect(clock.monotonic()).toBe(11_100);
    expect(agent.status()).toMatchObject({ connected: false, running: 0, suspended: 1 });
    let went = false;
    void runs[0]!.context.trusted().then(() => went = true);
    await clock.advance(20_000);
    expect(went).toBe(false);
    away(false);
    await clock.advance(30_000);
    expect(master.ofType("agent.hello").at(-1)!.resumes).toMatchObject([{ taskId: "t1", state: "suspended" }]);
    expect(went).toBe(true);
    expect(calls).toEqual(["suspend t1", "resume t1"]);
    runs[0]!.end();
    await clock.advance(100);
    expect(master.results.length).toBe(1);
  });

  it("stops its work when the master says abort, and tells no result of it", async () => {
    const { clock, master, runs, away, disk } = await setUp({ verdict: () => "abort" });
    away(true);
    master.link!.terminate();
    await clock.advance(20_000);
    away(false);
    await clock.advance(30_000);
    expect(runs[0]!.context.signal.reason).toMatchObject({ kind: "lost" });
    await expect(runs[0]!.context.trusted()).rejects.toMatchObject({ kind: "lost" });
    runs[0]!.end({ status: "cancelled", message: "Stopped." });
    await clock.advance(100);
    expect(master.results).toEqual([]);
    expect(await disk.list("journal")).toEqual([]);
  });

  it("stops held work when nobody comes back for it within the bound", async () => {
    const { clock, master, runs, away } = await setUp();
    away(true);
    master.link!.terminate();
    await clock.advance(8100 + 5 * 60_000 - 1);
    expect(runs[0]!.context.signal.aborted).toBe(false);
    await clock.advance(1);
    expect(runs[0]!.context.signal.reason).toMatchObject({ kind: "lost" });
  });

  it("stops its work when a renewal is answered with lost", async () => {
    let lost: string[] = [];
    const { clock, master, runs } = await setUp({
      intercept: (m) => {
        if (m.type !== "lease.renew") return false;
        master.send({ type: "lease.renewed", taskIds: [], lost, round: m.round });
        return true;
      },
    });
    lost = ["t1"];
    await clock.advance(3000);
    expect(runs[0]!.context.signal.reason).toMatchObject({ kind: "lost" });
  });

  it("holds its work still when its renewals are swallowed on an open connection", async () => {
    const { clock, agent, calls } = await setUp({ intercept: (m) => m.type === "lease.renew" });
    await clock.advance(8100);
    expect(agent.status().connected).toBe(true);
    expect(calls).toEqual(["suspend t1"]);
  });

  it("keeps renewing while it finishes its last tasks", async () => {
    const { clock, master, agent, runs, calls } = await setUp();
    const ended = agent.stop({ drain: true });
    await clock.advance(60_000);
    expect(master.ofType("lease.renew").at(-1)!.leases).toEqual([{ taskId: "t1", fence: 1 }]);
    expect(calls).toEqual([]);
    runs[0]!.end();
    await clock.advance(100);
    await ended;
    expect(clock.waiting).toBe(0);
  });

  it("gives up an attempt at its timeout, also when part of it was spent before a restart", async () => {
    const operation = { ...dispatchOf("t2").operation, timeoutSeconds: 60 };
    const { clock, master, agent, runs, disk } = await setUp();
    master.send(dispatchOf("t2", { operation, leaseSeconds: 9 }));
    await clock.advance(40_000);
    await agent.stop({ drain: false });
    const later = createFakeMaster({ leaseSeconds: 9 });
    const second = createTestAgent({ clock, dialer: memoryDialer(later), disk });
    await second.agent.start();
    await clock.advance(19_900);
    const run = second.runs.find((r) => r.context.taskId === "t2")!;
    expect(run.context.signal.aborted).toBe(false);
    await clock.advance(100);
    expect(run.context.signal.reason).toMatchObject({ kind: "timeout" });
    run.end({ status: "failed", message: "It was still starting." });
    await clock.advance(100);
    expect(later.results[0]!.outcome).toMatchObject({
      status: "failed",
      code: "task.timeout",
      message: "It took longer than 60 s. It was still starting.",
    });
    expect(runs[1]!.context.signal.aborted).toBe(false);
  });
});
