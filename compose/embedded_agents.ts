/** Operators that live inside the master: agents like any other, over a link in memory. */
import { hostname } from "node:os";
import { createAgent } from "../agents/agent.ts";
import type { Agent } from "../agents/agent.ts";
import { createEmbeddedIdentity } from "../agents/identity.ts";
import { createMemoryDisk } from "../agents/memory_disk.ts";
import { createMemoryLinkPair } from "../agents/memory_link.ts";
import { bindEmbedded, registerEmbedded, setSealingKey } from "../db/agents/register_embedded.ts";
import type { Database } from "../db/database.ts";
import type { Chance, Clock, Logger } from "../domain/ports.ts";
import { createMockOperator } from "../operators/mock/mock_operator.ts";
import type { Operator } from "../operators/operator.ts";
import type { Gateway } from "../scheduler/agent_gateway.ts";

/** Room for many at once: an embedded operator waits more than it works. */
const SLOTS = 200;

export interface EmbeddedOptions {
  kinds: readonly string[];
  /** Names them apart from those of other masters on the same database. */
  masterName: string;
  db: Database;
  gateway: Gateway;
  clock: Clock;
  chance: Chance;
  logger: Logger;
  productVersion: string;
}

export async function startEmbeddedAgents(options: EmbeddedOptions): Promise<Agent[]> {
  const { db, clock, chance, logger, gateway } = options;
  const operators: Record<string, () => Operator> = { mock: () => createMockOperator({ clock }) };
  const agents: Agent[] = [];
  for (const kind of options.kinds) {
    const id = await registerEmbedded(db, `${kind}-${options.masterName}`, kind);
    const { identity, sealingKey } = await createEmbeddedIdentity(id);
    await setSealingKey(db, id, sealingKey);
    const agent = createAgent({
      identity,
      kind,
      versions: { boreas: options.productVersion },
      slots: SLOTS,
      operators: [operators[kind]!()],
      dialer: {
        dial: () => {
          const [mine, theirs] = createMemoryLinkPair();
          gateway.accept(theirs, id);
          return Promise.resolve(mine);
        },
      },
      clock,
      disk: createMemoryDisk(),
      logger,
      chance,
      // Of no machine of its own: what the master knows without asking the system.
      facts: {
        hostname: hostname(),
        os: Deno.build.os,
        arch: Deno.build.arch,
        cpus: 0,
        memoryBytes: 0,
        bootId: "",
        modes: [kind],
      },
      fetchBlob: () => Promise.reject(new Error(`the ${kind} operator needs no repository files`)),
    });
    await agent.start();
    agents.push(agent);
  }
  await bindEmbedded(db.sql);
  return agents;
}
