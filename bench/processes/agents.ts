/**
 * The agents' process: the real runtime, one per machine, each with its own key and its own WebSocket to the master. The
 * operator does nothing and says so at once; asked what runs, it names what it was last given of each application.
 */
import { createAgent } from "../../agents/agent.ts";
import type { Agent } from "../../agents/agent.ts";
import { GATHERED, gatherWrites } from "../../agents/gathered_writes.ts";
import { enroll } from "../../agents/identity.ts";
import type { Identity } from "../../agents/identity.ts";
import { createMemoryDisk } from "../../agents/memory_disk.ts";
import { openClient } from "../../db/client.ts";
import type { ConnectionTarget } from "../../db/client.ts";
import { enrollAgent } from "../../db/agents/enroll_agent.ts";
import { createHints } from "../../db/hints.ts";
import type { Logger } from "../../domain/ports.ts";
import { chance } from "../../host/chance.ts";
import { createClock } from "../../host/clock.ts";
import { createDialer } from "../../host/dial.ts";
import { createDisk } from "../../host/disk.ts";
import { readFacts } from "../../host/facts.ts";
import { newId } from "../../host/new_id.ts";
import type { Observed, Operator } from "../../operators/operator.ts";
import { EnrollRequest, MAX_FRAME_BYTES, SUBPROTOCOL } from "../../protocol/agent_messages.ts";
import { readMasterId } from "../../compose/open_database.ts";
import { answerCalls } from "../support/child.ts";

const clock = createClock();
const logger: Logger = {
  log: (level, message, context) => {
    if (level === "WARN" || level === "ERROR") console.error(`agents: ${message}`, JSON.stringify(context ?? {}));
  },
};
const facts = await readFacts(["binary", "script"]);
const identities: Identity[] = [];
let agents: { agent: Agent; files: { close(): void } | undefined }[] = [];

function createIdle(): Operator {
  const running = new Map<string, Observed>();
  return {
    kind: "pm",
    run({ app, environmentId, target, version }) {
      running.set(`${environmentId}/${app}`, {
        ...{ application: app, environmentId, target: target?.name ?? "-", version },
        ...{ health: "healthy", resources: [], differences: [], details: {} },
      });
      return Promise.resolve({ status: "success", message: "Nothing to do." });
    },
    async *observe(wants) {
      for (const one of running.values()) if (!wants || wants(one)) yield one;
    },
  };
}

/** Enrols with the verb that stands behind `POST /enroll`. */
async function enrollAll({ target, token, count }: { target: ConnectionTarget; token: string; count: number }) {
  const sql = openClient(target, { max: 1 });
  const db = { sql, newId };
  const masterId = await readMasterId(db);
  for (let n = identities.length; n < count; n++) {
    identities.push(
      await enroll({
        disk: createMemoryDisk(),
        token,
        name: `machine-${n}`,
        facts,
        async post(_path, body) {
          const given = await enrollAgent({ db, hints: createHints() }, EnrollRequest.parse(body), null);
          return { status: 200, body: { ...given, masterId } };
        },
      }),
    );
  }
  await sql.end();
}

/** @param folder where the state lies, one folder per agent; in memory without one */
async function start({ port, slots, folder }: { port: number; slots: number; folder?: string }) {
  const address = { url: new URL(`http://127.0.0.1:${port}`), ca: undefined, proxy: undefined };
  for (const [n, identity] of identities.entries()) {
    const files = folder ? await createDisk(`${folder}/machine-${n}`) : undefined;
    const disk = files ? await gatherWrites(files, GATHERED) : createMemoryDisk();
    const agent = createAgent({
      identity,
      kind: "pm",
      versions: { boreas: "bench" },
      slots,
      operators: [createIdle()],
      dialer: createDialer(address, { subprotocol: SUBPROTOCOL, maxFrameBytes: MAX_FRAME_BYTES }),
      clock,
      disk,
      logger,
      chance,
      facts,
      fetchBlob: () => Promise.reject(new Error("no blobs here")),
    });
    await agent.start();
    agents.push({ agent, files });
  }
}

async function stop() {
  for (const { agent, files } of agents) {
    await agent.stop({ drain: true });
    files?.close();
  }
  agents = [];
}

await answerCalls({
  enroll: enrollAll,
  start,
  stop,
  status: () => agents.map(({ agent }) => agent.status()),
  close: stop,
});
