/** An agent whose clock, disk, chance and operator are in the test's hand. */
import { type AgentOptions, createAgent } from "../../agents/agent.ts";
import type { Identity } from "../../agents/identity.ts";
import type { LogLevel } from "../../domain/ports.ts";
import { createMemoryDisk } from "./memory_disk.ts";
import { createTestOperator } from "./test_operator.ts";

export const TRUSTED_IDENTITY: Identity = {
  agentId: "agent-1",
  name: "agent-1",
  masterId: null,
  sign: () => Promise.resolve(""),
  openSecrets: (sealed) => Promise.resolve(JSON.parse(sealed) as Record<string, string>),
};

export const TEST_FACTS = {
  hostname: "here",
  os: "linux",
  arch: "amd64",
  cpus: 2,
  memoryBytes: 1,
  bootId: "boot",
  modes: ["test"],
};

export function createTestAgent(given: Pick<AgentOptions, "dialer" | "clock"> & Partial<AgentOptions>) {
  const lines: { level: LogLevel; message: string; context?: Record<string, unknown> }[] = [];
  const test = createTestOperator();
  const disk = createMemoryDisk();
  const agent = createAgent({
    identity: TRUSTED_IDENTITY,
    kind: "test",
    versions: { agent: "0.1.0" },
    slots: 4,
    operators: [test.operator],
    disk,
    logger: { log: (level, message, context) => void lines.push({ level, message, context }) },
    chance: () => 0.5,
    facts: TEST_FACTS,
    fetchBlob: (sha256) => Promise.resolve(`/cache/${sha256}`),
    ...given,
  });
  return { agent, disk, lines, ...test };
}
