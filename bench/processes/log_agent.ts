/**
 * The agent's process: the real runtime with its spool on a real disk. Its operator prints when it is told to: as fast as
 * the runtime takes it, or as many lines a second as it is asked for, out of a program of its own under a keeper.
 */
import { createAgent } from "../../agents/agent.ts";
import { enroll } from "../../agents/identity.ts";
import { createMemoryDisk } from "../../agents/memory_disk.ts";
import { enrollAgent } from "../../db/agents/enroll_agent.ts";
import { openClient } from "../../db/client.ts";
import type { ConnectionTarget } from "../../db/client.ts";
import { createHints } from "../../db/hints.ts";
import type { Logger } from "../../domain/ports.ts";
import { chance } from "../../host/chance.ts";
import { createClock } from "../../host/clock.ts";
import { createDialer } from "../../host/dial.ts";
import { createDisk } from "../../host/disk.ts";
import { readFacts } from "../../host/facts.ts";
import { newId } from "../../host/new_id.ts";
import { startProcess } from "../../host/process.ts";
import type { Operator, RunContext } from "../../operators/operator.ts";
import { EnrollRequest, MAX_FRAME_BYTES, SUBPROTOCOL } from "../../protocol/agent_messages.ts";
import { readMasterId } from "../../compose/open_database.ts";
import { answerCalls } from "../support/child.ts";
import { makeBlock, sharedNow } from "../support/log_lines.ts";
import { residentMiB } from "../support/usage.ts";

interface Print {
  bytes: number;
  /** As fast as may be when absent. */
  perSecond?: number;
}
/** What a read of an output file gives at once. */
const READ_BYTES = 64 * 1024;
const PRINTER = new URL("./print_lines.ts", import.meta.url).pathname;

const logger: Logger = {
  log: (level, message, context) => {
    if (level === "WARN" || level === "ERROR") console.error(`agent: ${message}`, JSON.stringify(context ?? {}));
  },
};
const folder = await Deno.makeTempDir({ prefix: "boreas-bench-logs-" });
let started = (_: void) => {};
let running = new Promise<void>((resolve) => started = resolve);
let print = (_: Print) => {};
let wanted = new Promise<Print>((resolve) => print = resolve);
let close = async () => {};

async function printQuickly(context: RunContext, bytes: number) {
  const block = makeBlock(READ_BYTES);
  for (let at = 0; at < bytes;) {
    const piece = block.subarray(0, Math.min(block.length, bytes - at));
    at += piece.length;
    await context.log(piece, at);
  }
}

async function printSteadily(context: RunContext, bytes: number, perSecond: number) {
  const kept = await startProcess({
    folder: `${folder}/${context.taskId}`,
    command: [Deno.execPath(), "run", "-A", PRINTER, String(bytes), String(perSecond)],
    cwd: folder,
    env: { HOME: folder, NO_COLOR: "1" },
    keepBytes: 256 * 1024 * 1024,
  });
  await kept.open();
  for await (const part of kept.follow(0, context.signal)) await context.log(part.bytes, part.position);
}

const operator: Operator = {
  kind: "pm",
  async run(_operation, context) {
    started();
    const { bytes, perSecond } = await wanted;
    if (perSecond) await printSteadily(context, bytes, perSecond);
    else await printQuickly(context, bytes);
    return { status: "success", message: "Printed." };
  },
  async *observe() {},
};

async function open({ target, token, port }: { target: ConnectionTarget; token: string; port: number }) {
  const sql = openClient(target, { max: 1 });
  const db = { sql, newId };
  const masterId = await readMasterId(db);
  const facts = await readFacts(["binary", "script"]);
  const identity = await enroll({
    disk: createMemoryDisk(),
    token,
    name: "printer",
    facts,
    async post(_path, body) {
      const given = await enrollAgent({ db, hints: createHints() }, EnrollRequest.parse(body), null);
      return { status: 200, body: { ...given, masterId } };
    },
  });
  await sql.end();
  const disk = await createDisk(`${folder}/state`);
  const agent = createAgent({
    identity,
    kind: "pm",
    versions: { boreas: "bench" },
    slots: 4,
    operators: [operator],
    dialer: createDialer({ url: new URL(`http://127.0.0.1:${port}`), ca: undefined, proxy: undefined }, {
      subprotocol: SUBPROTOCOL,
      maxFrameBytes: MAX_FRAME_BYTES,
    }),
    clock: createClock(),
    disk,
    logger,
    chance,
    facts,
    fetchBlob: () => Promise.reject(new Error("no blobs here")),
  });
  await agent.start();
  close = async () => {
    await agent.stop({ drain: false });
    disk.close?.();
    await Deno.remove(folder, { recursive: true });
  };
}

await answerCalls({
  open,
  /** Until the task has reached the operator, which now waits for `print`. */
  running: () => running,
  print(asked: Print) {
    print(asked);
    running = new Promise((resolve) => started = resolve);
    wanted = new Promise((resolve) => print = resolve);
    return sharedNow();
  },
  resident: () => residentMiB(Deno.pid),
  close: () => close(),
});
