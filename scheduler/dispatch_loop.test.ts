/** What ends and what becomes ready by it, over the twin of the database. */
import { expect, it } from "vitest";
import { createHints } from "../db/hints.ts";
import { Outcome } from "../protocol/operation.ts";
import type { Dispatch, ToAgent } from "../protocol/agent_messages.ts";
import { createVirtualClock } from "../tests/helpers/virtual_clock.ts";
import { createMemoryStore } from "../tests/simulation/memory_store/memory_store.ts";
import { createTables } from "../tests/simulation/memory_store/tables.ts";
import { addTask } from "../tests/simulation/memory_world.ts";
import { createSessions } from "./agent_sessions.ts";
import type { Session } from "./agent_sessions.ts";
import type { CoreDeps } from "./deps.ts";
import { createDispatcher } from "./dispatch_loop.ts";

const AGENT = "00000000-0000-4000-8000-000000000001";

async function setUp() {
  const clock = createVirtualClock();
  const tables = createTables(clock.monotonic);
  tables.agents.set(AGENT, {
    id: AGENT,
    name: "one",
    environments: ["here"],
    embedded: true,
    sessionId: "s",
    arrivals: 1,
  });
  tables.deployments.set("d", { id: "d", status: "running", onFailure: "stop" });
  addTask(tables, { id: "first", deploymentId: "d" }, { environmentId: "here" });
  addTask(tables, { id: "second", deploymentId: "d", dependsOn: ["first"] }, { environmentId: "here" });
  const calls: string[] = [];
  const memory = createMemoryStore(tables);
  const gate: { claims?: Promise<void> } = {};
  const store: CoreDeps["store"] = {
    ...memory,
    async claimTasks(...args) {
      calls.push("claim");
      await gate.claims;
      return await memory.claimTasks(...args);
    },
    finishTasks: (...args) => (calls.push("finish"), memory.finishTasks(...args)),
    finishAndHandOn: (...args) => (calls.push("finish and hand on"), memory.finishAndHandOn(...args)),
  };
  const given: string[] = [];
  const session = {
    id: "s",
    agentId: AGENT,
    name: "one",
    slots: 1,
    cordoned: false,
    held: new Map<string, number>(),
    send: (...messages: ToAgent[]) => void given.push(...messages.map((m) => (m as { taskId: string }).taskId)),
    close() {},
  } as Partial<Session> as Session;
  const sessions = createSessions();
  sessions.add(session);
  const logged: string[] = [];
  const deps = {
    store,
    clock,
    hints: createHints(),
    chance: () => 0,
    logger: { log: (_: string, message: string) => void logged.push(message) },
    crashPoint() {},
    leaseSeconds: 30,
    sweepSeconds: 1000,
    makeDispatch: (task: { id: string }) => Promise.resolve({ type: "task.dispatch", taskId: task.id } as Dispatch),
  } as Partial<CoreDeps> as CoreDeps;
  const dispatcher = createDispatcher(deps, sessions);
  const [claimed] = await memory.claimTasks([{ agentId: AGENT, agentName: "one", free: 1 }], 30);
  session.held.set("first", claimed!.fence);
  const result = {
    taskId: "first",
    fence: claimed!.fence,
    agentId: AGENT,
    outcome: Outcome.parse({ status: "success", message: "Done." }),
  };
  const add = (id: string) => addTask(tables, { id, deploymentId: "d" }, { environmentId: "here" });
  return { clock, dispatcher, result, session, sessions, given, calls, gate, logged, hints: deps.hints, add };
}

it("what becomes ready goes to the agent whose only slot has just become free, in the same act", async () => {
  const { clock, dispatcher, result, session, given, calls } = await setUp();
  expect(await dispatcher.finish([result])).toEqual(["first"]);
  await clock.settle();
  expect([given, calls]).toEqual([["second"], ["finish and hand on"]]);
  expect(session.held.get("second")).toBe(1);
});

it("a cordoned agent is handed nothing on", async () => {
  const { clock, dispatcher, result, session, given, calls } = await setUp();
  session.cordoned = true;
  expect(await dispatcher.finish([result])).toEqual(["first"]);
  await clock.settle();
  expect([given, calls]).toEqual([[], ["finish"]]);
});

it("while the loop has the free slots, a result is taken alone, and the loop hands out what became ready", async () => {
  const { clock, dispatcher, result, session, given, calls, gate } = await setUp();
  session.slots = 2;
  const { promise, resolve } = Promise.withResolvers<void>();
  gate.claims = promise;
  dispatcher.loop.start();
  await clock.settle();
  expect(await dispatcher.finish([result])).toEqual(["first"]);
  expect([given, calls]).toEqual([[], ["claim", "finish"]]);
  resolve();
  await clock.settle();
  expect(given).toEqual(["second"]);
  await dispatcher.loop.stop();
});

it("nobody looks for work where the last look and the last results have left none, and somebody does after any other word", async () => {
  const { clock, dispatcher, result, session, calls, hints } = await setUp();
  session.slots = 3;
  const off = hints.on("tasks", dispatcher.hear);
  dispatcher.loop.start();
  await clock.settle();
  calls.length = 0;
  expect(await dispatcher.finish([result])).toEqual(["first"]);
  session.held.delete("first");
  dispatcher.tellTaken();
  await clock.settle();
  expect(calls).toEqual(["finish and hand on"]);
  hints.announce("tasks");
  await clock.settle();
  expect(calls).toEqual(["finish and hand on", "claim"]);
  dispatcher.tellTaken();
  await clock.advance(1000); // what is due by now, nobody has told of
  expect(calls).toHaveLength(2);
  dispatcher.tellTaken();
  await clock.settle();
  expect(calls).toEqual(["finish and hand on", "claim", "claim"]);
  off();
  await dispatcher.loop.stop();
});

it("a slot that becomes free is looked for when the last look was kept small by slots", async () => {
  const { clock, dispatcher, result, session, given, add } = await setUp();
  session.slots = 1;
  add("other");
  dispatcher.loop.start();
  await clock.settle();
  expect(await dispatcher.finish([result])).toEqual(["first"]);
  session.held.delete("first");
  dispatcher.tellTaken();
  await clock.settle();
  expect(given).toEqual(["second"]);
  const ended = { ...result, taskId: "second", fence: session.held.get("second")! };
  expect(await dispatcher.finish([ended])).toEqual(["second"]);
  session.held.delete("second");
  dispatcher.tellTaken();
  await clock.settle();
  expect(given).toEqual(["second", "other"]);
  await dispatcher.loop.stop();
});

it("what was claimed for a connection is not sent on a newer one, whose hello may have given it back", async () => {
  const { clock, dispatcher, result, session, sessions, given } = await setUp();
  const taken = dispatcher.finish([result]);
  sessions.add({ ...session, id: "newer", held: new Map() });
  expect(await taken).toEqual(["first"]);
  await clock.settle();
  expect(given).toEqual([]);
});

it("a forged result is refused, and nothing is handed on", async () => {
  const { clock, dispatcher, result, given, logged } = await setUp();
  expect(await dispatcher.finish([{ ...result, fence: 7 }])).toEqual([]);
  await clock.settle();
  expect([given, logged]).toEqual([[], []]);
});

it("F18: told to stop, it takes results and hands on nothing that became ready, by a result or by its loop", async () => {
  const { clock, dispatcher, result, session, given, calls, add } = await setUp();
  session.slots = 3;
  dispatcher.loop.start();
  await clock.settle();
  add("other");
  dispatcher.stop();
  expect(await dispatcher.finish([result])).toEqual(["first"]);
  session.held.delete("first");
  dispatcher.tellTaken(); // its loop may not have been stopped yet
  await clock.settle();
  await dispatcher.loop.stop();
  expect([given, calls.includes("finish and hand on")]).toEqual([[], false]);
  expect([...session.held]).toEqual([]);
});
