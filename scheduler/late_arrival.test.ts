/** Two connections of one agent, of which the database notes the older one last. */
import { expect, it } from "vitest";
import { createMemoryLinkPair } from "../agents/memory_link.ts";
import type { TaskStore } from "../db/tasks/task_store.ts";
import { createHints } from "../db/hints.ts";
import { createVirtualClock } from "../tests/helpers/virtual_clock.ts";
import { createMemoryStore } from "../tests/simulation/memory_store/memory_store.ts";
import { createTables } from "../tests/simulation/memory_store/tables.ts";
import { createCore } from "./core.ts";

const AGENT = "00000000-0000-4000-8000-000000000001";

/** A master, and a verb of its store whose first call waits until it is told to go on. */
function createMaster(slow: "readAgentIdentity" | "connectAgent") {
  const clock = createVirtualClock();
  const tables = createTables(clock.monotonic);
  tables.agents.set(AGENT, { id: AGENT, name: "one", environments: [], embedded: true, sessionId: null, arrivals: 0 });
  const real = createMemoryStore(tables);
  const goOn = Promise.withResolvers<void>();
  let calls = 0;
  const store = {
    ...real,
    async [slow](...args: unknown[]) {
      if (calls++ === 0) await goOn.promise;
      return await (real[slow] as (...args: unknown[]) => Promise<unknown>)(...args);
    },
  } as TaskStore;
  let ids = 0;
  const core = createCore({
    store,
    newId: () => `session-${++ids}`,
    hints: createHints(),
    clock,
    chance: () => 0,
    logger: { log() {} },
    crashPoint() {},
    masterId: "master",
    leaseSeconds: 30,
    sweepSeconds: 5,
    restartGraceSeconds: 60,
    makeDispatch: () => Promise.reject(new Error("nothing is dispatched here")),
  });
  core.start();
  const connect = async (resumes: object[] = []) => {
    const [near, far] = createMemoryLinkPair();
    const ends: number[] = [];
    far.onText(() => {});
    far.onClose((code) => void ends.push(code));
    core.gateway.accept(near, AGENT);
    const facts = { hostname: "h", os: "o", arch: "a", cpus: 1, memoryBytes: 1 };
    const hello = { type: "agent.hello", protocol: { min: 1, max: 1 }, agentId: AGENT, kind: "k", slots: 1, facts };
    far.send(JSON.stringify({ ...hello, resumes, signature: "" }));
    await clock.advance(1000);
    return { far, ends };
  };
  return { core, clock, connect, goOn: goOn.resolve };
}

it("an agent whose older connection comes to be noted last keeps its newer one", async () => {
  const { core, clock, connect, goOn } = createMaster("connectAgent");
  const older = await connect([{ taskId: AGENT, fence: 1, state: "finished", logOffset: 0 }]);
  older.far.close(1006, "the network failed");
  const newer = await connect();
  expect(core.stats().sessions).toBe(1);
  goOn();
  await clock.advance(30_000);
  expect([newer.ends, core.stats().sessions]).toEqual([[], 1]);
  await core.stop();
});

it("a connection that has ended while its agent was looked up does not end the agent's newer one", async () => {
  const { core, clock, connect, goOn } = createMaster("readAgentIdentity");
  const older = await connect();
  older.far.close(1006, "the network failed");
  const newer = await connect();
  goOn();
  await clock.advance(30_000);
  expect([newer.ends, core.stats().sessions]).toEqual([[], 1]);
  await core.stop();
});
