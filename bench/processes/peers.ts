/**
 * A peer's process. No-op jobs; how many at once, and in what batches, is the bench's to choose, so that each peer is
 * seen at its best.
 */
import { answerCalls } from "../support/child.ts";
import { loadPeers } from "../support/peers.ts";
import type { Boss, GraphileRunner, Pool } from "../support/peers.ts";
import { percentile } from "../support/statistics.ts";

type Target = string | { host: string; port: number; user: string; database: string };
const { graphile, createBoss, createPool } = await loadPeers();
const poolOptions = (target: Target, max: number) =>
  typeof target === "string" ? { connectionString: target, max } : { ...target, max };
const silent = new graphile.Logger(() => () => {});
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

let pool: Pool;
let target: Target;
let boss: Boss | undefined;
const QUEUE = "noop";

export interface GraphileOptions {
  concurrentJobs: number;
  /** Jobs fetched at once into the process; none: each worker asks for its own. */
  localQueue?: number;
  /** Milliseconds; -1: each job is completed by itself. */
  batchDelay: number;
}
const presetOf = ({ concurrentJobs, localQueue, batchDelay }: GraphileOptions) => ({
  worker: {
    concurrentJobs,
    pollInterval: 2000,
    preparedStatements: true,
    completeJobBatchDelay: batchDelay,
    failJobBatchDelay: batchDelay,
    ...(localQueue ? { localQueue: { size: localQueue } } : {}),
  },
});
const runner = (options: GraphileOptions, taskList: Record<string, (payload: unknown) => Promise<void>>) =>
  graphile.run({ pgPool: pool, taskList, preset: presetOf(options), noHandleSignals: true, logger: silent });

/** From the first job's beginning until the table of jobs is empty. */
async function graphileThroughput({ jobs, options }: { jobs: number; options: GraphileOptions }) {
  await pool.query(
    `select graphile_worker.add_jobs(array_agg(json_populate_record(null::graphile_worker.job_spec,
       json_build_object('identifier', 'noop', 'payload', json_build_object('n', n)))::graphile_worker.job_spec))
     from generate_series(1, $1) n`,
    [jobs],
  );
  let began = 0;
  let done = 0;
  let allBegun: () => void;
  const all = new Promise<void>((resolve) => allBegun = resolve);
  const working = await runner(options, {
    noop() {
      if (done === 0) began = performance.now();
      if (++done === jobs) allBegun();
      return Promise.resolve();
    },
  });
  await all;
  while (true) {
    const { rows } = await pool.query<{ left: boolean }>(
      "select exists (select 1 from graphile_worker._private_jobs) as left",
    );
    if (!rows[0]!.left) break;
    await pause(2);
  }
  const seconds = (performance.now() - began) / 1000;
  await working.stop();
  await working.promise;
  return { seconds };
}

async function bossThroughput({ jobs, batchSize, fetchers }: { jobs: number; batchSize: number; fetchers: number }) {
  for (let at = 0; at < jobs; at += 1000) {
    await boss!.insert(QUEUE, Array.from({ length: Math.min(1000, jobs - at) }, (_, n) => ({ data: { n: at + n } })));
  }
  const began = performance.now();
  let done = 0;
  const fetcher = async () => {
    while (done < jobs) {
      const got = await boss!.fetch(QUEUE, { batchSize });
      if (got.length === 0) return;
      await boss!.complete(QUEUE, got.map((job) => job.id));
      done += got.length;
    }
  };
  await Promise.all(Array.from({ length: fetchers }, fetcher));
  if (done !== jobs) throw new Error(`${done} of ${jobs} jobs were done`);
  return { seconds: (performance.now() - began) / 1000 };
}

interface LatencyInput {
  perSecond: number;
  seconds: number;
}
/** One job at a time at an even pace; from its insert's commit to the beginning of its function. */
async function latencies(
  { perSecond, seconds }: LatencyInput,
  add: (n: number) => Promise<unknown>,
  begun: Map<number, number>,
) {
  const count = perSecond * seconds;
  const committed: number[] = [];
  const start = performance.now();
  for (let n = 0; n < count; n++) {
    const wait = start + n * 1000 / perSecond - performance.now();
    if (wait > 0) await pause(wait);
    await add(n);
    committed.push(performance.now());
  }
  const deadline = performance.now() + 20_000;
  while (begun.size < count && performance.now() < deadline) await pause(20);
  // A job may begin before its adder hears of the commit: then it waited for nothing.
  const waits = committed.map((at, n) => Math.max(0, (begun.get(n) ?? Infinity) - at));
  return { p50: percentile(waits, 50), p99: percentile(waits, 99), count };
}

async function graphileLatency({ concurrentJobs, ...input }: LatencyInput & { concurrentJobs: number }) {
  const begun = new Map<number, number>();
  const working: GraphileRunner = await runner({ concurrentJobs, batchDelay: -1 }, {
    noop: (payload) => Promise.resolve(void begun.set((payload as { n: number }).n, performance.now())),
  });
  const result = await latencies(input, (n) => working.addJob("noop", { n }), begun);
  await working.stop();
  await working.promise;
  return result;
}

async function bossLatency(input: LatencyInput) {
  const begun = new Map<number, number>();
  const queue = `latency-${crypto.randomUUID()}`;
  await boss!.createQueue(queue, { notify: true });
  await boss!.work(queue, { batchSize: 8, pollingIntervalSeconds: 0.5, notifyPollingIntervalSeconds: 0.5 }, (jobs) => {
    for (const job of jobs) begun.set((job.data as { n: number }).n, performance.now());
    return Promise.resolve();
  });
  const result = await latencies(input, (n) => boss!.send(queue, { n }), begun);
  await boss!.offWork(queue);
  return result;
}

await answerCalls({
  async openGraphile(input: { target: Target }) {
    target = input.target;
    pool = createPool(poolOptions(target, 30));
    pool.on("error", (error) => console.error(`graphile-worker's pool: ${error.message}`));
    pool.on("connect", () => {}); // it asks for both
    await graphile.runMigrations({ pgPool: pool, logger: silent });
  },
  async openBoss(input: { target: Target }) {
    target = input.target;
    boss = createBoss({ ...poolOptions(target, 12), schedule: false, useListenNotify: true });
    boss.on("error", (error) => console.error(`pg-boss: ${error.message}`));
    await boss.start();
    await boss.createQueue(QUEUE);
  },
  graphileThroughput,
  bossThroughput,
  graphileLatency,
  bossLatency,
  async close() {
    await boss?.stop({ graceful: false });
    await pool?.end();
  },
});
