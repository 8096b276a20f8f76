/**
 * `deno task bench agents`: thousands of connected agents on one real master. What it holds and burns while nothing
 * happens, what their heartbeats write, and how they come back after the master was killed and started again.
 */
import { openDoor } from "./support/door.ts";
import { freePorts } from "../tests/helpers/free_ports.ts";
import { taskCommand } from "../scripts/run_task.ts";
import { openClient } from "../db/client.ts";
import type { ConnectionTarget } from "../db/client.ts";
import type { Bench, BenchContext, BenchReport } from "./support/bench.ts";
import { startChild } from "./support/child.ts";
import type { Child } from "./support/child.ts";
import { createCostMeter } from "./support/cost.ts";
import { percentile, say } from "./support/statistics.ts";
import { cpuSeconds, residentMiB } from "./support/usage.ts";

/** BOREAS_BENCH_AGENTS: fewer, for quick looks. */
const AGENTS = Number(Deno.env.get("BOREAS_BENCH_AGENTS") ?? 5000);
const PROCESSES = 2;
const IDLE_SECONDS = 30;
const BUCKET_MS = 100;
const BACK_WITHIN_SECONDS = 120;

interface Master {
  pid: number;
  kill(signal: Deno.Signal): Promise<void>;
}
interface History {
  welcomes: number[];
  dials: number[];
  longestSilence: number;
}
const rest = (seconds: number) => new Promise((done) => setTimeout(done, seconds * 1000));

export const agentsBench: Bench = {
  name: "agents",
  what: `${AGENTS} agents with keys of their own, over loopback, on one master: idle, and back after kill -9`,
  run,
};

async function run(context: BenchContext): Promise<BenchReport> {
  const { server } = context;
  const count = context.isSmoke ? 50 : AGENTS;
  const idleSeconds = context.isSmoke ? 12 : IDLE_SECONDS;
  const target = await server.createDatabase("agents", { migrated: true });
  const door = openDoor(target);
  const dataDir = await Deno.makeTempDir({ prefix: "boreas-bench-" });
  const [port] = freePorts(1);
  const children = Array.from(
    { length: PROCESSES },
    () => startChild(new URL("./processes/idle_agents.ts", import.meta.url)),
  );
  let master: Master | undefined;
  try {
    await Promise.all(
      children.map((child, n) => child.call("enrol", { target, count: count / PROCESSES, prefix: `machine-${n}` })),
    );
    master = await startMaster(door.url, dataDir, port!);
    const masterId = await readMasterId(target);
    const emptyMiB = residentMiB(master.pid);
    await connectAll(children, { port: port!, masterId, dialOverMs: 5000 }, count);
    await rest(context.isSmoke ? 1 : 15);
    await histories(children);
    context.say(`${count} agents are connected`);

    const idle = await measureIdle(context, target, master.pid, idleSeconds);
    const restMiB = residentMiB(master.pid);
    context.say(`idle: ${say(restMiB)} MiB, ${say(idle.cores * 100)}% of a core`);

    await master.kill("SIGKILL");
    const killedAt = performance.timeOrigin + performance.now();
    master = await startMaster(door.url, dataDir, port!);
    const readyAt = performance.timeOrigin + performance.now();
    await until(async () => (await up(children)) === count, BACK_WITHIN_SECONDS);
    const back = shapeOf(await readConnects(target, killedAt), await histories(children), killedAt, readyAt);
    await rest(5);
    const backMiB = residentMiB(master.pid);
    context.say(`all back ${say(back.allBackSeconds)} s after the kill`);
    return report({ count, idleSeconds, emptyMiB, restMiB, backMiB, idle, back });
  } finally {
    await Promise.all(children.map((child) => child.stop()));
    await master?.kill("SIGTERM");
    door.close();
    await Deno.remove(dataDir, { recursive: true });
  }
}

/** As `deno.json` spells it, against the bench's server. */
async function startMaster(databaseUrl: string, dataDir: string, port: number): Promise<Master> {
  const process = taskCommand("master", {
    output: "piped",
    env: {
      DATABASE_URL: databaseUrl,
      BOREAS_DATA_DIR: dataDir,
      BOREAS_PORT: String(port),
      BOREAS_SECRET_KEY: btoa(String.fromCharCode(...Array.from({ length: 32 }, (_, i) => (i * 37 + 11) & 255))),
      BOREAS_ADMIN_PASSWORD: "correct-horse-battery",
      BOREAS_LOCAL_AGENT: "off",
      BOREAS_LOG_FORMAT: "json",
      BOREAS_LOG_LEVEL: "INFO",
    },
  }).spawn();
  const ready = Promise.withResolvers<void>();
  let said = "";
  const read = async (stream: ReadableStream<Uint8Array<ArrayBuffer>>) => {
    for await (const part of stream.pipeThrough(new TextDecoderStream())) {
      if (said.length < 10_000) said += part;
      if (said.includes("Boreas is ready")) ready.resolve();
    }
  };
  void Promise.all([read(process.stdout), read(process.stderr)])
    .then(() => ready.reject(new Error(`the master ended: ${said}`)));
  await ready.promise;
  return {
    pid: process.pid,
    async kill(signal) {
      process.kill(signal);
      await process.status;
    },
  };
}

async function readMasterId(target: ConnectionTarget): Promise<string> {
  const sql = openClient(target, { max: 1 });
  const [row] = await sql<{ value: string }[]>`select value #>> '{}' as value from setting where key = 'masterId'`;
  await sql.end();
  return row!.value;
}

/** When each agent's return was committed, by the database; milliseconds since 1970. */
async function readConnects(target: ConnectionTarget, since: number): Promise<number[]> {
  const sql = openClient(target, { max: 1 });
  const rows = await sql<{ at: number }[]>`
    select (extract(epoch from created_at) * 1000)::float8 as at from event
    where kind = 'agent.connected' and created_at > to_timestamp(${since / 1000}) order by created_at`;
  await sql.end();
  return rows.map((row) => row.at);
}

async function connectAll(children: Child[], options: Record<string, unknown>, count: number): Promise<void> {
  await Promise.all(children.map((child) => child.call("connect", options)));
  await until(async () => (await up(children)) === count, BACK_WITHIN_SECONDS);
}

const up = async (children: Child[]) =>
  (await Promise.all(children.map((child) => child.call<number>("up")))).reduce((a, b) => a + b, 0);

const histories = (children: Child[]) => Promise.all(children.map((child) => child.call<History>("history")));

async function until(isSo: () => Promise<boolean>, seconds: number): Promise<void> {
  const deadline = performance.now() + seconds * 1000;
  while (!await isSo()) {
    if (performance.now() > deadline) throw new Error(`not all agents were connected within ${seconds} s`);
    await rest(0.1);
  }
}

async function measureIdle({ server }: BenchContext, target: ConnectionTarget, pid: number, seconds: number) {
  const meter = await createCostMeter(server, target, [pid]);
  const sql = openClient(target, { max: 1, applicationName: "bench-meter" });
  const rows = async () =>
    (await sql<{ written: number }[]>`
      select (sum(n_tup_ins + n_tup_upd + n_tup_del))::int as written from pg_stat_user_tables`)[0]!.written;
  await meter.begin();
  const [rowsBefore, cpuBefore] = [await rows(), cpuSeconds(pid)];
  await rest(seconds);
  const cores = (cpuSeconds(pid) - cpuBefore) / seconds;
  await rest(2); // statistics of tables come with some delay
  const [cost, rowsAfter] = [await meter.end(), await rows()];
  await meter.close();
  await sql.end();
  const isWrite = (query: string) => /^\s*(insert|update|delete|with[\s\S]*\b(update|insert|delete)\b)/i.test(query);
  const writes = cost.top.filter(({ query }) => isWrite(query));
  const ofAgents = writes.filter(({ query }) => /update agent/i.test(query));
  const perSecond = (statements: { calls: number }[]) =>
    statements.reduce((sum, s) => sum + s.calls, 0) / (seconds + 2);
  return {
    cores,
    serverCores: cost.serverSeconds / (seconds + 2),
    writesPerSecond: perSecond(writes),
    heartbeatWritesPerSecond: perSecond(ofAgents),
    rowsPerSecond: (rowsAfter - rowsBefore) / (seconds + 2),
    statementsPerSecond: cost.statements / (seconds + 2),
    walKiBPerSecond: cost.walBytes / 1024 / (seconds + 2),
    top: cost.top,
  };
}

/** The shape is that of the master's own doing; when all are back is what the agents say. */
function shapeOf(connects: number[], histories: History[], killedAt: number, readyAt: number) {
  const welcomes = histories.flatMap((h) => h.welcomes).filter((at) => at > killedAt).sort((a, b) => a - b);
  const dials = histories.flatMap((h) => h.dials).filter((at) => at > killedAt);
  const [first, last] = [connects[0]!, connects.at(-1)!];
  const buckets = Array.from({ length: Math.floor((last - first) / BUCKET_MS) + 1 }, () => 0);
  for (const at of connects) buckets[Math.floor((at - first) / BUCKET_MS)]!++;
  const mean = connects.length / buckets.length;
  return {
    masterReadySeconds: (readyAt - killedAt) / 1000,
    firstBackSeconds: (welcomes[0]! - killedAt) / 1000,
    halfBackSeconds: (percentile(welcomes, 50) - killedAt) / 1000,
    allBackSeconds: (welcomes.at(-1)! - killedAt) / 1000,
    peak: Math.max(...buckets),
    mean,
    peakToMean: Math.max(...buckets) / mean,
    dials: dials.length,
    buckets,
    agentsStoodStillMs: Math.max(...histories.map((h) => h.longestSilence)),
  };
}

interface Measured {
  count: number;
  idleSeconds: number;
  emptyMiB: number;
  restMiB: number;
  backMiB: number;
  idle: Awaited<ReturnType<typeof measureIdle>>;
  back: ReturnType<typeof shapeOf>;
}

function report(measured: Measured): BenchReport {
  const { count, idleSeconds, emptyMiB, restMiB, backMiB, idle, back } = measured;
  return {
    tables: [
      {
        title: `${count} idle agents on one master, over ${idleSeconds} s`,
        columns: ["", "measured"],
        rows: [
          ["RSS of the master, no agents yet, MiB", say(emptyMiB)],
          ["RSS with all connected, MiB", say(restMiB)],
          ["RSS after all came back to a new process, MiB", say(backMiB)],
          ["processor, % of a core", say(idle.cores * 100)],
          ["processor of PostgreSQL, % of a core", say(idle.serverCores * 100)],
          ["writing statements per second, all", say(idle.writesPerSecond)],
          ["of heartbeats", say(idle.heartbeatWritesPerSecond)],
          ["rows written per second", say(idle.rowsPerSecond)],
          ["statements per second", say(idle.statementsPerSecond)],
          ["WAL, KiB per second", say(idle.walKiBPerSecond)],
        ],
      },
      {
        title: "after kill -9 and a start, seconds since the kill",
        columns: ["", "measured"],
        rows: [
          ["master ready", say(back.masterReadySeconds)],
          ["first agent back", say(back.firstBackSeconds)],
          ["half of them", say(back.halfBackSeconds)],
          ["all of them", say(back.allBackSeconds)],
          [`connects per ${BUCKET_MS} ms, mean`, say(back.mean)],
          [`connects per ${BUCKET_MS} ms, peak`, say(back.peak)],
          ["dials", say(back.dials)],
        ],
      },
    ],
    targets: [
      target("RSS of the master", "<= 300 MiB", `${say(restMiB)} MiB`, restMiB <= 300),
      target("idle processor", "<= 10% of a core", `${say(idle.cores * 100)}%`, idle.cores <= 0.1),
      target(
        "writes of heartbeats",
        "<= 2 per second",
        say(idle.heartbeatWritesPerSecond),
        idle.heartbeatWritesPerSecond <= 2,
      ),
      target("all back", "<= 60 s", `${say(back.allBackSeconds)} s`, back.allBackSeconds <= 60),
      target("peak / mean of the return", "< 3", say(back.peakToMean), back.peakToMean < 3),
    ],
    notes: [
      "The master is the product as deno.json starts it. The agents run the agent's own connection, keys and lease keeper, " +
      `${count / PROCESSES} to a process, without disk and operators.`,
    ],
    measured,
  };
}

const target = (what: string, wanted: string, measured: string, isMet: boolean) => ({ what, wanted, measured, isMet });
