/** A scheduler on a real database, with agents of the real runtime over links in memory. */
import { createAgent } from "../../agents/agent.ts";
import type { Agent } from "../../agents/agent.ts";
import { createEmbeddedIdentity } from "../../agents/identity.ts";
import { createMemoryDisk } from "../../agents/memory_disk.ts";
import { createMemoryLinkPair } from "../../agents/memory_link.ts";
import { setSealingKey } from "../../db/agents/register_embedded.ts";
import { createHints } from "../../db/hints.ts";
import type { Hints } from "../../db/hints.ts";
import { createVault } from "../../db/secrets/vault.ts";
import type { Disk, Link, Logger } from "../../domain/ports.ts";
import { planStages } from "../../domain/strategy.ts";
import { createClock } from "../../host/clock.ts";
import { createMockOperator } from "../../operators/mock/mock_operator.ts";
import type { Operator } from "../../operators/operator.ts";
import { soleLeader } from "../../scheduler/leadership.ts";
import { createScheduler } from "../../scheduler/scheduler.ts";
import type { Scheduler } from "../../scheduler/scheduler.ts";
import type { SchedulerDeps } from "../../scheduler/deps.ts";
import type { TestDatabase } from "./test_database.ts";
import type { AgentFacts } from "../../protocol/agent_messages.ts";

export const quiet: Logger = { log: () => {} };
export const TEST_MASTER = "00000000-0000-7000-8000-00000000beef";

const FACTS: AgentFacts = {
  ...{ hostname: "test", os: "linux", arch: "amd64" },
  ...{ cpus: 2, memoryBytes: 1, bootId: "boot", modes: [] },
};

export interface StartedScheduler {
  deps: SchedulerDeps;
  hints: Hints;
  scheduler: Scheduler;
  /** Starts an agent for a row that exists; `cut` breaks its present connection. */
  agent(
    id: string,
    options?: { operators?: Operator[]; disk?: Disk; slots?: number; facts?: AgentFacts },
  ): Promise<{ agent: Agent; cut(): void }>;
  stop(): Promise<void>;
}

export async function startScheduler(
  db: TestDatabase,
  options: Partial<SchedulerDeps> = {},
): Promise<StartedScheduler> {
  const clock = createClock();
  const hints = options.hints ?? createHints();
  const deps: SchedulerDeps = {
    db,
    hints,
    vault: await createVault(new Uint8Array(32).fill(7)),
    clock,
    chance: () => 0.5,
    logger: quiet,
    crashPoint: () => {},
    planners: { mock: planStages, pm: planStages },
    masterId: TEST_MASTER,
    blobTicketKey: new Uint8Array(32).fill(9),
    leaseSeconds: 30,
    sweepSeconds: 60, // so that a test which passes was woken by a hint, not by a sweep
    restartGraceSeconds: 0,
    leadership: soleLeader,
    ...options,
  };
  const scheduler = createScheduler(deps);
  scheduler.start();
  const agents: Agent[] = [];
  return {
    deps,
    hints,
    scheduler,
    async agent(
      id,
      { operators = [createMockOperator({ clock })], disk = createMemoryDisk(), slots = 10, facts = FACTS } = {},
    ) {
      const { identity, sealingKey } = await createEmbeddedIdentity(id);
      await setSealingKey(db, id, sealingKey);
      let present: Link | undefined;
      const agent = createAgent({
        identity,
        kind: "mock",
        versions: {},
        slots,
        operators,
        dialer: {
          dial() {
            const [mine, theirs] = createMemoryLinkPair();
            present = mine;
            scheduler.gateway.accept(theirs, id);
            return Promise.resolve(mine);
          },
        },
        clock,
        disk,
        logger: quiet,
        chance: () => 0,
        facts,
        fetchBlob: () => Promise.reject(new Error("no blobs here")),
      });
      await agent.start();
      agents.push(agent);
      return { agent, cut: () => present?.terminate() };
    },
    async stop() {
      await Promise.all(agents.map((a) => a.stop({ drain: false })));
      await scheduler.stop();
    },
  };
}

/** Waits until a reading of the database is as wanted, looking again at every event. */
export async function until<T>(hints: Hints, read: () => Promise<T | undefined | false>, what: string): Promise<T> {
  const deadline = performance.now() + 60_000;
  while (performance.now() < deadline) {
    const woken = new Promise<void>((done) => {
      const off = hints.on("events", () => finish());
      const timer = setTimeout(() => finish(), 250); // a hint that came between the reading and this line
      const finish = () => {
        off();
        clearTimeout(timer);
        done();
      };
    });
    const value = await read();
    if (value) return value;
    await woken;
  }
  throw new Error(`${what} did not come about within 60 s`);
}
