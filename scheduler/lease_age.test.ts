/** A claim that is carried out at once and answered late: the lease is older than the dispatch. */
import { expect, it } from "vitest";
import { createMemoryLinkPair } from "../agents/memory_link.ts";
import { createHints } from "../db/hints.ts";
import { type Dispatch, parseToAgent } from "../protocol/agent_messages.ts";
import { createVirtualClock } from "../tests/helpers/virtual_clock.ts";
import { createMemoryStore } from "../tests/simulation/memory_store/memory_store.ts";
import { createTables } from "../tests/simulation/memory_store/tables.ts";
import { addTask } from "../tests/simulation/memory_world.ts";
import { createCore } from "./core.ts";

const AGENT = "00000000-0000-4000-8000-000000000001";
const operation = {
  kind: "mock",
  action: "deploy" as const,
  isRollback: false,
  deploymentId: "d",
  applicationId: "a",
  app: "app",
  versionId: "v",
  version: "v1",
  commit: null,
  environmentId: "here",
  environment: "here",
  target: null,
  timeoutSeconds: null,
  generation: 1,
  spec: null,
};

it("a dispatch says how old its lease is when the database was slow to answer, so that its agent counts from the lease", async () => {
  const clock = createVirtualClock();
  const tables = createTables(clock.monotonic);
  tables.agents.set(AGENT, {
    id: AGENT,
    name: "one",
    environments: ["here"],
    embedded: true,
    sessionId: null,
    arrivals: 0,
  });
  tables.deployments.set("d", { id: "d", status: "running", onFailure: "stop" });
  addTask(tables, { id: "task", deploymentId: "d" }, { environmentId: "here" });
  const store = createMemoryStore(tables);
  let ids = 0;
  const core = createCore({
    store: {
      ...store,
      async claimTasks(agents, leaseSeconds) {
        const claimed = await store.claimTasks(agents, leaseSeconds);
        if (claimed.length > 0) await new Promise<void>((resolve) => clock.after(4000, resolve));
        return claimed;
      },
    },
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
    makeDispatch: ({ id, fence, attempt }): Promise<Dispatch> => {
      const lease = { taskId: id, fence, attempt, leaseSeconds: 30 };
      return Promise.resolve({ type: "task.dispatch", ...lease, operation, sealedSecrets: null, blobTicket: null });
    },
  });
  core.start();
  const [near, far] = createMemoryLinkPair();
  const dispatches: Dispatch[] = [];
  far.onText((text) => dispatches.push(...parseToAgent(text).filter((message) => message.type === "task.dispatch")));
  far.onClose(() => {});
  core.gateway.accept(near, AGENT);
  const facts = { hostname: "h", os: "o", arch: "a", cpus: 1, memoryBytes: 1 };
  const hello = { type: "agent.hello", protocol: { min: 1, max: 1 }, agentId: AGENT, kind: "k", slots: 1, facts };
  far.send(JSON.stringify({ ...hello, resumes: [], signature: "" }));
  await clock.advance(20_000);
  expect(dispatches).toMatchObject([{ taskId: "task", fence: 1, leaseAge: 4 }]);
  await core.stop();
});
