/**
 * F46: a peer of the version before or after, and messages that nobody knows. The close code is the one that
 * docs/protocol.md gives, what runs is kept, and nobody falls over: of the master over the real SQL, of the agent with
 * a master that a test scripts.
 */
import { beforeAll, describe, expect, it } from "vitest";
import { createMemoryLinkPair } from "../../agents/memory_link.ts";
import { createDeployment } from "../../db/deployments/create_deployment.ts";
import { startDeployment } from "../../db/deployments/start_deployment.ts";
import type { Link } from "../../domain/ports.ts";
import { CLOSE, FromAgent, PROTOCOL, ToAgent } from "../../protocol/agent_messages.ts";
import type { z } from "zod";
import { createFakeMaster, dispatchOf, memoryDialer } from "../helpers/fake_master.ts";
import { seedWorld } from "../helpers/seed_release.ts";
import { startScheduler, until } from "../helpers/start_scheduler.ts";
import { createTestAgent, TEST_FACTS } from "../helpers/test_agent.ts";
import { createTestDatabase } from "../helpers/test_database.ts";
import type { TestDatabase } from "../helpers/test_database.ts";
import { createVirtualClock } from "../helpers/virtual_clock.ts";
import { expectSound, readHistory } from "./support/history.ts";
import { createKeptPrograms } from "./support/kept_programs.ts";
import { createMortalParts } from "./support/mortal_parts.ts";

const UNKNOWN = JSON.stringify({ type: "task.sing", taskId: "t", fence: 1 });
const typesOf = (union: typeof FromAgent | typeof ToAgent) =>
  (union.options as readonly { shape: { type: z.ZodLiteral<string> } }[]).map((o) => o.shape.type.value).sort();

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});

describe("F46: the master", () => {
  /** Dials as an agent of some version would, and says what it heard, the close included. */
  async function greet(protocol: { min: number; max: number }, applications: Record<string, object> = {}) {
    const world = await seedWorld(db, { applications: applications as Record<string, Record<string, unknown>> });
    const agentId = await world.agent(`raw-${db.newId().slice(-6)}`);
    const scheduler = await startScheduler(db);
    const [mine, theirs] = createMemoryLinkPair();
    const heard: ToAgent[] = [];
    const { promise: closed, resolve: close } = Promise.withResolvers<{ code: number; reason: string }>();
    const { promise: welcomed, resolve: welcome } = Promise.withResolvers<
      Extract<ToAgent, { type: "agent.welcome" }>
    >();
    mine.onClose((code, reason) => close({ code, reason }));
    mine.onText((text) => {
      const message = ToAgent.parse(JSON.parse(text));
      heard.push(message);
      if (message.type === "agent.welcome") welcome(message);
      if (message.type === "agent.challenge") {
        const said = { kind: "mock", slots: 2, facts: TEST_FACTS, resumes: [], signature: "", newField: { of: "N+1" } };
        mine.send(JSON.stringify({ type: "agent.hello", protocol, agentId, ...said }));
      }
    });
    scheduler.scheduler.gateway.accept(theirs, agentId);
    return { mine, heard, closed, welcomed, world, hints: scheduler.hints, stop: scheduler.stop };
  }
  const [older, newer] = [PROTOCOL.min - 1, PROTOCOL.max + 1];

  it.each([
    ["only the version before", { min: older, max: older }],
    ["only the version after", { min: newer, max: newer }],
    ["no version at all", { min: newer, max: older }],
  ])("closes with 4406 and a sentence on one that speaks %s", async (_, protocol) => {
    const { closed, heard, stop } = await greet(protocol);
    const { code, reason } = await closed;
    expect(code).toBe(CLOSE.noCommonProtocol);
    expect(reason).toMatch(/protocol \d+ to \d+/);
    expect(heard.map((m) => m.type)).toEqual(["agent.challenge"]);
    await stop();
  });

  it.each([
    ["the version before too", { min: older, max: PROTOCOL.max }],
    ["the version after too", { min: PROTOCOL.min, max: newer }],
  ])("agrees on its own version with one that speaks %s, and drops fields it does not know", async (_, protocol) => {
    const { welcomed, stop } = await greet(protocol);
    expect((await welcomed).protocol).toBe(PROTOCOL.max);
    await stop();
  });

  it("never sends what is newer than the agent: the part of a release fails with what to do, a whole deploy goes to it", async () => {
    const suffix = db.newId().slice(-6);
    const [whole, part] = [`whole-${suffix}`, `part-${suffix}`];
    const old = { min: PROTOCOL.min, max: PROTOCOL.max - 1 };
    const { welcomed, heard, world, hints, stop } = await greet(old, { [whole]: {}, [part]: {} });
    expect((await welcomed).protocol).toBe(old.max);
    const versionId = await world.version(`v-${suffix}`);
    const id = await createDeployment(world.deps, { versionId, environmentId: world.environmentId }, world.actor);
    const json = db.sql.json({ action: "prepare" });
    await db
      .sql`update task set payload = payload || ${json} where deployment_id = ${id} and name = ${part} and is_leaf`;
    await startDeployment(world.deps, id, world.actor);
    hints.announce("tasks");
    const task = async (name: string) =>
      (await db.sql<{ state: string; reason: { text: string } }[]>`
        select state, reason from task where deployment_id = ${id} and name = ${name} and is_leaf`)[0]!;
    const failed = await until(hints, async () => {
      const now = await task(part);
      return now.state === "failed" && now;
    }, "the part fails");
    expect(failed.reason.text).toMatch(
      /The agent on raw-\w+ is too old for this part of the release of part-\w+ \(prepare\): upgrade the agent on raw-\w+, then try again\./,
    );
    await expect.poll(() => heard.flatMap((m) => m.type === "task.dispatch" ? [m.operation] : [])).toMatchObject([
      { app: whole, action: "deploy" },
    ]);
    await stop();
  });

  it("closes with 4400 on an unknown type, handles nothing of that frame, and keeps the task that runs", async () => {
    const suffix = db.newId().slice(-6);
    const [long, next] = [`long-${suffix}`, `next-${suffix}`];
    const world = await seedWorld(db, { applications: { [long]: {}, [next]: {} } });
    const agentId = await world.agent(`agent-${suffix}`);
    const programs = createKeptPrograms(() => ({ lines: 20, everyMs: 15 }));
    const ends: number[] = [];
    let present: Link | undefined;
    const parts = createMortalParts({
      db,
      leaseSeconds: 30,
      sweepSeconds: 60,
      restartGraceSeconds: 0,
      between(link) {
        present = link;
        return { ...link, onClose: (listen) => link.onClose((code, why) => (ends.push(code), listen(code, why))) };
      },
    });
    await parts.startMaster();
    await parts.startAgent(agentId, { operators: [programs.operator()] });
    const versionId = await world.version(`v-${suffix}`);
    const deployment = await createDeployment(
      world.deps,
      { versionId, environmentId: world.environmentId, mustInOrder: [long, next] },
      world.actor,
    );
    await startDeployment(world.deps, deployment, world.actor);
    parts.hints.announce("tasks");
    const task = async (name: string) =>
      (await db.sql<{ id: string; state: string; attempt: number; fence: number }[]>`
        select id, state, attempt, fence from task where name = ${name}`)[0]!;
    const running = await until(parts.hints, async () => {
      const now = await task(long);
      return now.state === "running" && now;
    }, "the task runs");
    // Good and unknown in one frame: the good one has no effect either.
    const result = {
      taskId: running.id,
      fence: running.fence,
      outcome: { status: "failed", message: "never handled" },
    };
    present!.send(JSON.stringify([{ type: "task.result", ...result }, JSON.parse(UNKNOWN)]));
    await until(parts.hints, async () => (await task(next)).state === "success", "the end of both");
    expect(ends).toEqual([CLOSE.badMessage]);
    expect([await task(long), await task(next)]).toEqual([
      expect.objectContaining({ state: "success", attempt: 1 }),
      expect.objectContaining({ state: "success", attempt: 1 }),
    ]);
    expectSound({ ...await readHistory(db.sql, [deployment]), ledger: programs.ledger, exclusive: true });
    await parts.stop();
  });
});

describe("F46: the agent", () => {
  async function setUp(speaks = { welcome: PROTOCOL.max as number }) {
    const clock = createVirtualClock();
    const ends: number[] = [];
    const dials: number[] = [];
    const master = createFakeMaster({
      intercept(message, link) {
        if (message.type !== "agent.hello" || speaks.welcome === PROTOCOL.max) return;
        const resumes: never[] = [];
        link.send(JSON.stringify({
          type: "agent.welcome",
          sessionId: "s",
          protocol: speaks.welcome,
          leaseSeconds: 30,
          resumes,
        }));
        return true;
      },
    });
    const plain = memoryDialer(master);
    const agent = createTestAgent({
      clock,
      dialer: {
        async dial() {
          dials.push(clock.monotonic());
          const link = await plain.dial();
          return {
            ...link,
            onClose: (listen) => link.onClose((code, why) => (ends.push(code), listen(code, why))),
            bufferedAmount: 0,
          };
        },
      },
    });
    await agent.agent.start();
    await clock.settle();
    return { clock, master, ends, dials, speaks, ...agent };
  }

  it("closes with 4400 on an unknown type, keeps its task, and takes it up again at the next welcome", async () => {
    const { clock, master, ends, agent, runs, lines } = await setUp();
    master.send(dispatchOf("t1"));
    await clock.settle();
    master.link!.send(UNKNOWN);
    await clock.settle();
    expect(ends).toEqual([CLOSE.badMessage]);
    expect(agent.status()).toMatchObject({ connected: false, running: 1 });
    await clock.advance(1000);
    expect(agent.status()).toMatchObject({ connected: true, running: 1 });
    expect(master.ofType("agent.hello").at(-1)!.resumes).toMatchObject([{ taskId: "t1", state: "running" }]);
    runs[0]!.end();
    await clock.settle();
    expect(master.results.map((r) => r.taskId)).toEqual(["t1"]);
    expect(runs.length).toBe(1);
    expect(lines.some((l) => /does not understand/.test(l.message))).toBe(true);
  });

  it("waits ever longer for a master that it never understands", async () => {
    const { clock, master, dials } = await setUp();
    for (let n = 0; n < 9; n++) {
      master.link!.send(UNKNOWN);
      await clock.advance(40_000);
    }
    const pauses = dials.slice(1).map((at, n) => at - n * 40_000);
    expect(pauses).toEqual([...pauses].sort((a, b) => a - b));
    expect(pauses[0]).toBeLessThan(500);
    expect(pauses[1]).toBeGreaterThanOrEqual(2_000);
    expect(pauses.at(-1)).toBeGreaterThan(pauses[2]!);
  });

  it("closes with 4406 on a version that it never offered, says so, and tries slowly until it is welcomed well", async () => {
    const { clock, ends, dials, speaks, agent, lines } = await setUp({ welcome: PROTOCOL.max + 1 });
    expect(ends).toEqual([CLOSE.noCommonProtocol]);
    expect(agent.status().connected).toBe(false);
    speaks.welcome = PROTOCOL.max;
    await clock.advance(30_000);
    expect(dials[1]! - dials[0]!).toBeGreaterThanOrEqual(15_000);
    expect(agent.status().connected).toBe(true);
    expect(lines.some((l) => /another version of the protocol/.test(l.message))).toBe(true);
  });

  it("keeps what runs when it is refused for its version, and goes on with it once that is mended", async () => {
    const { clock, master, agent, runs, calls } = await setUp();
    master.send(dispatchOf("t1"));
    await clock.settle();
    master.link!.close(CLOSE.noCommonProtocol, "upgrade one side");
    await clock.advance(14_000);
    expect(agent.status()).toMatchObject({ connected: false, running: 1 });
    await clock.advance(16_000);
    expect(agent.status()).toMatchObject({ connected: true, running: 1 });
    expect(runs.length).toBe(1);
    expect(calls.filter((c) => c.startsWith("resume")).length).toBe(
      calls.filter((c) => c.startsWith("suspend")).length,
    );
  });
});

describe("F46: a new type belongs to the next version, and is sent only where that is agreed on", () => {
  it("each version has these types", () => {
    expect(PROTOCOL).toEqual({ min: 1, max: 3 }); // 3 has no new types: new actions of an operation
    const first = {
      fromAgent: [
        ...["agent.hello", "app.lines", "lease.renew", "log.chunk", "slots.update", "state.report"],
        ...["task.accept", "task.progress", "task.refuse", "task.result"],
      ],
      toAgent: [
        ...["agent.challenge", "agent.drain", "agent.upgrade", "agent.welcome", "app.tail", "lease.renewed", "log.ack"],
        ...["operator.observe", "result.ack", "task.cancel", "task.dispatch"],
      ],
    };
    const second = {
      fromAgent: ["key.confirm", "key.offer", "ticket.kept", "upgrade.report"],
      toAgent: ["agent.undrain", "key.recorded", "key.refused", "key.rotate"],
    };
    expect(typesOf(FromAgent)).toEqual([...first.fromAgent, ...second.fromAgent].sort());
    expect(typesOf(ToAgent)).toEqual([...first.toAgent, ...second.toAgent].sort());
  });
});
