/**
 * Many agents within the test's process: the real runtime on real sockets to started masters. Only their operator is the
 * test's: it notes start and end of each attempt, where nobody but the test reads it.
 */
import { createAgent } from "../../../agents/agent.ts";
import type { Agent } from "../../../agents/agent.ts";
import { enroll } from "../../../agents/identity.ts";
import { createMemoryDisk } from "../../../agents/memory_disk.ts";
import { enrollAgent } from "../../../db/agents/enroll_agent.ts";
import type { Sql } from "../../../db/client.ts";
import { systemActor } from "../../../db/database.ts";
import { createEnrollmentToken } from "../../../db/enrollment/create_enrollment_token.ts";
import { createHints } from "../../../db/hints.ts";
import type { Logger } from "../../../domain/ports.ts";
import { createClock } from "../../../host/clock.ts";
import { createDialer } from "../../../host/dial.ts";
import { newId } from "../../../host/new_id.ts";
import type { RunContext } from "../../../operators/operator.ts";
import { MAX_FRAME_BYTES, SUBPROTOCOL } from "../../../protocol/agent_messages.ts";
import type { LedgerLine } from "../../helpers/ledger_app.ts";
import { TEST_FACTS } from "../../helpers/test_agent.ts";

export interface Fleet {
  agents: { id: string; name: string; agent: Agent }[];
  /** In the order in which it was written. */
  ledger: LedgerLine[];
  connected(): number;
  stop(): Promise<void>;
}

export interface FleetOptions {
  sql: Sql;
  /** Where they dial. */
  url: string;
  environmentIds: string[];
  count: number;
  slots?: number;
  /** What a task does between its start and its end. */
  act?: (context: RunContext) => Promise<void>;
  logger?: Logger;
}

const instantNs = () => BigInt(Math.round((performance.timeOrigin + performance.now()) * 1e6));

export async function startFleet(options: FleetOptions): Promise<Fleet> {
  const { sql, act = () => Promise.resolve(), logger = { log: () => {} } } = options;
  const deps = { db: { sql, newId }, hints: createHints() };
  const { token } = await createEnrollmentToken(deps, {
    uses: options.count,
    expiresIn: 3600,
    labels: {},
    environments: options.environmentIds,
    kind: "agent",
  }, systemActor("fleet"));
  const [{ masterId }] = await sql<
    [{ masterId: string }]
  >`select value as master_id from setting where key = 'masterId'`;
  const ledger: LedgerLine[] = [];
  const clock = createClock();
  const address = { url: new URL(options.url), ca: undefined, proxy: undefined };

  const startOne = async (number: number) => {
    const disk = createMemoryDisk();
    const identity = await enroll({
      disk,
      token,
      name: `fleet-${number}-${token.slice(-6).replaceAll(/[^A-Za-z0-9]/g, "x")}`,
      facts: TEST_FACTS,
      post: async (_path, body) => ({
        status: 201,
        body: { ...await enrollAgent(deps, body as Parameters<typeof enrollAgent>[1], null), masterId },
      }),
    });
    const agent = createAgent({
      identity,
      kind: "mock",
      versions: {},
      slots: options.slots ?? 8,
      operators: (["mock", "pm"] as const).map((kind) => ({
        kind,
        async run(_operation, context) {
          const { taskId: task, attempt, fence } = context;
          ledger.push({ what: "start", task, attempt, fence, at: instantNs() });
          await act(context);
          await context.trusted();
          ledger.push({ what: "end", task, attempt, fence, at: instantNs() });
          return { status: "success", message: "Done." };
        },
        async *observe() {},
      })),
      dialer: createDialer(address, { subprotocol: SUBPROTOCOL, maxFrameBytes: MAX_FRAME_BYTES }),
      clock,
      disk,
      logger,
      chance: Math.random,
      facts: TEST_FACTS,
      fetchBlob: () => Promise.reject(new Error("no blobs here")),
    });
    await agent.start();
    return { id: identity.agentId, name: identity.name, agent };
  };
  const agents = await Promise.all(Array.from({ length: options.count }, (_, number) => startOne(number)));
  return {
    agents,
    ledger,
    connected: () => agents.filter(({ agent }) => agent.status().connected).length,
    stop: async () => void await Promise.all(agents.map(({ agent }) => agent.stop({ drain: false }))),
  };
}
