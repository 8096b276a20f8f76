import { afterEach, describe, expect, it } from "vitest";
import type { Dialer } from "../domain/ports.ts";
import { createClock } from "../host/clock.ts";
import { createDialer } from "../host/dial.ts";
import { resolveMaster } from "../host/master_address.ts";
import { MAX_FRAME_BYTES, SUBPROTOCOL } from "../protocol/agent_messages.ts";
import {
  createFakeMaster,
  dispatchOf,
  type FakeMaster,
  memoryDialer,
  serveFakeMaster,
} from "../tests/helpers/fake_master.ts";
import { createMemoryDisk } from "../tests/helpers/memory_disk.ts";
import { createTestAgent } from "../tests/helpers/test_agent.ts";
import { createTestOperator } from "../tests/helpers/test_operator.ts";
import type { Agent } from "./agent.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

const links: Record<string, (master: FakeMaster) => Promise<Dialer>> = {
  "in memory": (master) => Promise.resolve(memoryDialer(master)),
  "over a socket": async (master) => {
    const served = await serveFakeMaster(master);
    cleanups.push(served.close);
    return createDialer(await resolveMaster({ url: served.url }), {
      subprotocol: SUBPROTOCOL,
      maxFrameBytes: MAX_FRAME_BYTES,
    });
  },
};

describe.each(Object.entries(links))("an agent %s", (_name, dialerOf) => {
  async function setUp(options: Parameters<typeof createFakeMaster>[0] = {}, given = {}) {
    const master = createFakeMaster(options);
    const setup = createTestAgent({ dialer: await dialerOf(master), clock: createClock(), ...given });
    cleanups.push(() => stopNow(setup.agent));
    await setup.agent.start();
    await master.until(() => master.ofType("agent.hello").length > 0);
    return { master, ...setup };
  }
  const stopNow = (agent: Agent) => agent.stop({ drain: false });

  it("says who it is, runs what it is given, and ends with log and result at the master", async () => {
    const { master, runs } = await setUp();
    expect(master.ofType("agent.hello")[0]).toMatchObject({ agentId: "agent-1", slots: 4, resumes: [] });
    master.send(dispatchOf("t1"));
    await master.until(() => master.ofType("task.accept").length === 1);
    await expect.poll(() => runs.length).toBe(1);
    await runs[0]!.context.log("hello\n");
    await runs[0]!.context.log(new Uint8Array([0, 255, 10]));
    runs[0]!.end({ status: "success", message: "It runs.", details: { port: 8080 } });
    await master.until(() => master.results.length === 1);
    expect(master.results[0]!.outcome).toMatchObject({
      status: "success",
      message: "It runs.",
      details: { port: 8080 },
    });
    expect([...master.logBytes("t1")]).toEqual([...new TextEncoder().encode("hello\n"), 0, 255, 10]);
    const order = master.messages.map((m) => m.type).filter((type) => type !== "lease.renew");
    expect(order.lastIndexOf("log.chunk")).toBeLessThan(order.indexOf("task.result"));
    expect(master.complaints).toEqual([]);
  });

  it("takes a dispatch that is said twice once, also when it comes again after its end", async () => {
    const { master, agent, runs } = await setUp();
    master.send(dispatchOf("t1"), dispatchOf("t1"));
    await master.until(() => master.ofType("task.accept").length >= 1);
    master.send(dispatchOf("t1"));
    await master.until(() => master.ofType("task.accept").length >= 2);
    runs[0]!.end();
    await master.until(() => master.results.length === 1);
    await expect.poll(() => agent.status().unacknowledged).toBe(0);
    master.send(dispatchOf("t1"));
    await master.until(() => master.ofType("task.refuse").length === 1);
    expect(runs.length).toBe(1);
  });

  it("masks a secret in log and result", async () => {
    const { master, runs } = await setUp();
    master.send(dispatchOf("t1", { sealedSecrets: JSON.stringify({ TOKEN: "canary-7f3a9" }) }));
    await expect.poll(() => runs.length).toBe(1);
    expect(runs[0]!.context.secrets).toEqual({ TOKEN: "canary-7f3a9" });
    await runs[0]!.context.log("token cana");
    await runs[0]!.context.log("ry-7f3a9 used\n");
    runs[0]!.end({
      status: "failed",
      message: "refused canary-7f3a9",
      lastLines: ["canary-7f3a9"],
      details: { url: ["http://x?canary-7f3a9"] },
    });
    await master.until(() => master.results.length === 1);
    expect(master.logText("t1")).toBe("token *** used\n");
    expect(JSON.stringify(master.messages)).not.toContain("canary-7f3a9");
  });

  it("waits for the operator before it calls a task cancelled", async () => {
    const { master, runs } = await setUp();
    master.send(dispatchOf("t1"));
    await expect.poll(() => runs.length).toBe(1);
    master.send({ type: "task.cancel", taskId: "t1", fence: 7, graceSeconds: 3, reason: "of another lease" });
    master.send({ type: "task.cancel", taskId: "t1", fence: 1, graceSeconds: 3, reason: "Cancelled by ann." });
    const { signal } = runs[0]!.context;
    await expect.poll(() => signal.aborted).toBe(true);
    expect(signal.reason).toMatchObject({ kind: "cancel", graceSeconds: 3, message: "Cancelled by ann." });
    expect(master.results).toEqual([]);
    runs[0]!.end({ status: "failed", message: "The script was stopped." });
    await master.until(() => master.results.length === 1);
    expect(master.results[0]!.outcome).toMatchObject({ status: "cancelled" });
  });

  it("refuses a lease whose cancel came before it, and no other lease of that task", async () => {
    const { master, runs } = await setUp();
    const cancel = { type: "task.cancel" as const, taskId: "t1", graceSeconds: 3, reason: "Cancelled by ann." };
    master.send({ ...cancel, fence: 2 });
    master.send(dispatchOf("t1", { fence: 2 }), dispatchOf("t1", { fence: 3, attempt: 3 }));
    await expect.poll(() => runs.length).toBe(1);
    expect(runs[0]!.context.fence).toBe(3);
    await master.until(() => master.ofType("task.refuse").length > 0);
    expect(master.ofType("task.refuse")).toMatchObject([{ taskId: "t1", fence: 2, reason: "Cancelled by ann." }]);
    runs[0]!.end();
    await master.until(() => master.results.length === 1);
    master.send({ ...cancel, fence: 3 }); // late: that one has ended
    master.send(dispatchOf("t1", { fence: 4, attempt: 4 }));
    await expect.poll(() => runs.length).toBe(2);
  });

  it("refuses what it cannot take: slots, unknown kinds, older leases, older generations", async () => {
    const { master, runs } = await setUp({}, { slots: 1 });
    const { operation } = dispatchOf("x");
    const refusals = () =>
      master.ofType("task.refuse").map((m) => `${m.taskId} ${m.fence}: ${m.reason}${m.retryable ? " (for now)" : ""}`);
    master.send(dispatchOf("t1", { fence: 5, operation: { ...operation, generation: 3 } }));
    await expect.poll(() => runs.length).toBe(1);
    master.send(dispatchOf("t2"), dispatchOf("t1", { fence: 4 }), dispatchOf("../../etc/passwd"));
    master.send(dispatchOf("t3", { operation: { ...operation, kind: "k8s" } }));
    await master.until(() => refusals().length === 4);
    runs[0]!.end();
    await master.until(() => master.results.length === 1);
    master.send(dispatchOf("t4", { operation: { ...operation, generation: 2 } }));
    await master.until(() => refusals().length === 5);
    expect(refusals()).toEqual([
      "t2 1: All 1 slots are taken. (for now)",
      "t1 4: This agent holds a newer lease of the task.",
      "../../etc/passwd 1: The task's id is not one.",
      "t3 1: This agent has no operator for k8s.",
      "t4 1: A newer deployment of this application has already been here.",
    ]);
  });

  it("stops an attempt whose task was handed out anew before it begins the next one", async () => {
    const { master, runs } = await setUp();
    master.send(dispatchOf("t1"));
    await expect.poll(() => runs.length).toBe(1);
    master.send(dispatchOf("t1", { fence: 2, attempt: 2 }));
    await expect.poll(() => runs[0]!.context.signal.aborted).toBe(true);
    expect(runs.length).toBe(1);
    runs[0]!.end({ status: "cancelled", message: "Stopped." });
    await expect.poll(() => runs.length).toBe(2);
    expect(runs[1]!.context).toMatchObject({ fence: 2, attempt: 2 });
    runs[1]!.end();
    await master.until(() => master.results.length === 1);
    expect(master.results[0]!.fence).toBe(2);
  });

  it("never begins an attempt that was cancelled while the one before it was still ending", async () => {
    const { master, runs } = await setUp();
    master.send(dispatchOf("t1"));
    await expect.poll(() => runs.length).toBe(1);
    master.send(dispatchOf("t1", { fence: 2, attempt: 2 }));
    master.send({ type: "task.cancel", taskId: "t1", fence: 2, graceSeconds: 3, reason: "Cancelled by ann." });
    await master.until(() => master.ofType("task.refuse").length === 1);
    expect(master.ofType("task.refuse")[0]).toMatchObject({ fence: 2, reason: "Cancelled by ann." });
    runs[0]!.end({ status: "cancelled", message: "Stopped." });
    master.send(dispatchOf("t2"));
    await expect.poll(() => runs.length).toBe(2);
    expect(runs[1]!.context.taskId).toBe("t2");
  });

  it("keeps a result through a restart until the master has it, and not longer", async () => {
    const disk = createMemoryDisk();
    let deaf = true;
    const first = await setUp({ intercept: (m) => deaf && m.type === "task.result" }, { disk });
    first.master.send(dispatchOf("t1"));
    await expect.poll(() => first.runs.length).toBe(1);
    await first.runs[0]!.context.log("some work\n");
    first.runs[0]!.end();
    await first.master.until(() => first.master.ofType("task.result").length === 1);
    await stopNow(first.agent);
    deaf = false;

    const second = await setUp({}, { disk });
    expect(second.master.ofType("agent.hello")[0]!.resumes).toEqual([
      { taskId: "t1", fence: 1, state: "finished", logOffset: 10 },
    ]);
    await second.master.until(() => second.master.results.length === 1);
    await expect.poll(() => second.agent.status().unacknowledged).toBe(0);
    expect(second.master.logText("t1")).toBe("some work\n");
    await expect.poll(async () => [await disk.list("outbox"), await disk.list("spool"), await disk.list("journal")])
      .toEqual([[], [], []]);
    await stopNow(second.agent);
    const third = await setUp({}, { disk });
    expect(third.master.ofType("agent.hello")[0]!.resumes).toEqual([]);
  });

  it("keeps the log of a result that was refused the second time, until the master has it", async () => {
    const disk = createMemoryDisk();
    let isLost = true;
    const { master, agent, runs } = await setUp({
      intercept(m) {
        // The first answer to the result went the way of the log; what comes is the answer to its repetition.
        if (m.type === "task.result") {
          master.send({ type: "result.ack", taskId: m.taskId, fence: m.fence, accepted: false });
        }
        return m.type === "task.result" || (isLost && m.type === "log.chunk");
      },
    }, { disk });
    master.send(dispatchOf("t1"));
    await expect.poll(() => runs.length).toBe(1);
    await runs[0]!.context.log("some work\n");
    runs[0]!.end();
    await master.until(() => master.ofType("task.result").length === 1);
    await expect.poll(() => agent.status().unacknowledged).toBe(0);
    isLost = false;
    master.link!.terminate();
    await expect.poll(() => master.logText("t1")).toBe("some work\n");
    await expect.poll(async () => [await disk.list("outbox"), await disk.list("spool"), await disk.list("journal")])
      .toEqual([[], [], []]);
  });

  it("adopts after a restart what still runs, where its operator had got to", async () => {
    const disk = createMemoryDisk();
    const first = await setUp({}, { disk });
    first.master.send(dispatchOf("t1", { sealedSecrets: JSON.stringify({ A: "secret-value" }) }));
    await expect.poll(() => first.runs.length).toBe(1);
    await first.runs[0]!.context.log("half\n", 5);
    await first.runs[0]!.context.save({ pid: 42 });
    await stopNow(first.agent);
    expect(new TextDecoder().decode(await disk.read("journal/t1.json"))).toContain("sealedSecrets");

    let welcome = () => {};
    const held = new Promise<void>((resolve) => welcome = resolve);
    const master = createFakeMaster({
      intercept: (m) => m.type === "agent.hello" && (void held.then(() => say()), true),
    });
    const say = () =>
      master.send({
        type: "agent.welcome",
        sessionId: "2",
        protocol: 1,
        leaseSeconds: 30,
        resumes: [{ taskId: "t1", fence: 1, verdict: "continue", logOffset: 0 }],
      });
    const second = createTestAgent({ dialer: await dialerOf(master), clock: createClock(), disk });
    cleanups.push(() => stopNow(second.agent));
    await second.agent.start();
    await master.until(() => master.ofType("agent.hello").length === 1);
    expect(second.runs.length).toBe(0);
    welcome();
    await expect.poll(() => second.runs.length).toBe(1);
    expect(second.runs[0]!.context).toMatchObject({
      resumed: true,
      saved: { pid: 42 },
      logPosition: 5,
      attempt: 1,
      secrets: { A: "secret-value" },
    });
    await second.runs[0]!.context.log("whole\n", 11);
    second.runs[0]!.end();
    await master.until(() => master.results.length === 1);
    expect(master.logText("t1")).toBe("half\nwhole\n");
  });

  it("takes nothing older on than what it had taken on, also when a crash left only the journal's note of it", async () => {
    const disk = createMemoryDisk();
    const { operation } = dispatchOf("t1");
    const first = await setUp({}, { disk });
    first.master.send(dispatchOf("t1", { operation: { ...operation, generation: 5 } }));
    await expect.poll(() => first.runs.length).toBe(1);
    await stopNow(first.agent);
    await disk.remove("generations");
    const second = await setUp({}, { disk });
    second.master.send(dispatchOf("t2", { operation: { ...operation, generation: 4 } }));
    await second.master.until(() => second.master.ofType("task.refuse").length === 1);
    expect(second.master.ofType("task.refuse")[0]!.reason).toContain("newer deployment");
  });

  it("lets the operator stop what it left behind when the master says abort", async () => {
    const disk = createMemoryDisk();
    const first = await setUp({}, { disk });
    first.master.send(dispatchOf("t1"));
    await expect.poll(() => first.runs.length).toBe(1);
    await stopNow(first.agent);
    const second = await setUp({ verdict: () => "abort" }, { disk });
    await expect.poll(() => second.runs.length).toBe(1);
    expect(second.runs[0]!.context.resumed).toBe(true);
    expect(second.runs[0]!.context.signal.reason).toMatchObject({ kind: "lost" });
    second.runs[0]!.end({ status: "cancelled", message: "Stopped." });
    await expect.poll(() => disk.list("journal")).toEqual([]);
    expect(second.master.results).toEqual([]);
  });

  it("has room while what it lost still ends: the master counts that place as free", async () => {
    const disk = createMemoryDisk();
    const first = await setUp({}, { disk, slots: 1 });
    first.master.send(dispatchOf("t1"));
    await expect.poll(() => first.runs.length).toBe(1);
    await stopNow(first.agent);
    const { master, runs } = await setUp({ verdict: () => "abort" }, { disk, slots: 1 });
    await expect.poll(() => runs[0]?.context.signal.aborted).toBe(true);
    master.send(dispatchOf("t2"));
    await expect.poll(() => runs.length).toBe(2);
    expect(master.ofType("task.refuse")).toEqual([]);
    for (const { end } of runs) end({ status: "cancelled", message: "Stopped." });
  });

  it("finishes on a first signal, takes nothing new, and stops its tasks on a second one", async () => {
    const { master, agent, runs } = await setUp();
    master.send(dispatchOf("t1"), dispatchOf("t2"));
    await expect.poll(() => runs.length).toBe(2);
    const ended = agent.stop({ drain: true });
    await master.until(() => master.ofType("slots.update").length === 1);
    master.send(dispatchOf("t3"));
    await master.until(() => master.ofType("task.refuse").length === 1);
    runs[0]!.end();
    await master.until(() => master.results.length === 1);
    const again = agent.stop({ drain: true, cancel: true });
    await expect.poll(() => runs[1]!.context.signal.aborted).toBe(true);
    expect(runs[1]!.context.signal.reason).toMatchObject({ kind: "shutdown" });
    runs[1]!.end({ status: "cancelled", message: "Killed." });
    await Promise.all([ended, again]);
    expect(master.results[1]!.outcome).toMatchObject({ status: "failed", code: "agent.shutdown", retryable: true });
    await master.until(() => master.link === undefined);
    await agent.stop({ drain: true });
  });

  it("answers when asked what runs and what it printed", async () => {
    const { master } = await setUp();
    master.send({ type: "operator.observe", requestId: "o" });
    master.send({ type: "app.tail", requestId: "r", application: "order", lines: 10 });
    const answered = () => master.ofType("state.report").some((m) => m.requestId === "o");
    await master.until(() => master.ofType("app.lines").length === 2 && answered());
    expect(master.ofType("app.lines")).toMatchObject([
      { requestId: "r", text: "last line\n" },
      { requestId: "r", ended: "That is all." },
    ]);
    expect(master.ofType("state.report")[0]!.observed[0]).toMatchObject({ application: "order", version: "v1" });
  });

  it("closes with a documented code on a message it does not know, and comes back with its task", async () => {
    const { master, runs } = await setUp({}, { chance: () => 0 });
    master.send(dispatchOf("t1"));
    await expect.poll(() => runs.length).toBe(1);
    master.link!.send(JSON.stringify({ type: "task.explode" }));
    await master.until(() => master.connections === 2 && master.ofType("agent.hello").length === 2);
    expect(master.ofType("agent.hello")[1]!.resumes).toMatchObject([{ taskId: "t1", fence: 1, state: "running" }]);
    runs[0]!.end();
    await master.until(() => master.results.length === 1);
    expect(runs.length).toBe(1);
  });

  it("reports an operator that throws as a failure that may be tried again", async () => {
    const { operator } = createTestOperator(() => Promise.reject(new Error("out of cheese")));
    const { master } = await setUp({}, { operators: [operator] });
    master.send(dispatchOf("t1"));
    await master.until(() => master.results.length === 1);
    expect(master.results[0]!.outcome).toMatchObject({
      status: "failed",
      code: "operator.crashed",
      message: "out of cheese",
      retryable: true,
    });
  });

  it("stays online when its disk is full: the task fails with the reason, the next one passes", async () => {
    const disk = createMemoryDisk();
    const { master, runs } = await setUp({}, { disk });
    disk.refuse(new Error("No space left on device"));
    master.send(dispatchOf("t1"));
    await master.until(() => master.results.length === 1);
    expect(master.results[0]!.outcome).toMatchObject({ status: "failed", code: "agent.disk" });
    expect(master.results[0]!.outcome.message).toContain("No space left on device");
    disk.refuse(undefined);
    master.send(dispatchOf("t2"));
    await expect.poll(() => runs.length).toBe(1);
    runs[0]!.end();
    await master.until(() => master.results.length === 2);
    expect(master.results[1]!.outcome.status).toBe("success");
  });
});
