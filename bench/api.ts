/**
 * `deno task bench api`: lists and details over a past of 100,000 tasks, asked for by 100 clients at once, beside a bare
 * route of the same framework in the same process.
 */
import { openClient } from "../db/client.ts";
import type { Bench, BenchContext, BenchReport } from "./support/bench.ts";
import { startChild } from "./support/child.ts";
import type { Child } from "./support/child.ts";
import { createCostMeter } from "./support/cost.ts";
import { median, percentile, say } from "./support/statistics.ts";

const SIZE = { deployments: 1000, tasks: 100 };
const CLIENTS = 100;
const SECONDS = 6;
const ROUNDS = 3;

interface Opened {
  port: number;
  barePort: number;
  token: string;
  deploymentIds: string[];
  environmentIds: string[];
}
interface Measure {
  perSecond: number;
  p50: number;
  p99: number;
  kiB: number;
  statements: number;
  serverMilliseconds: number;
  masterMilliseconds: number;
}

export const apiBench: Bench = {
  name: "api",
  what: `p50 and p99 of ${CLIENTS} clients over ${SIZE.deployments * SIZE.tasks} tasks, against a bare Hono route`,
  run,
};

async function run(context: BenchContext): Promise<BenchReport> {
  const { server, isSmoke } = context;
  const size = isSmoke ? { deployments: 20, tasks: 10 } : SIZE;
  const target = await server.createDatabase("api", { migrated: true });
  const [api, clients] = ["api_server", "http_clients"].map((name) =>
    startChild(new URL(`./processes/${name}.ts`, import.meta.url))
  ) as [Child, Child];
  try {
    const opened = await api.call<Opened>("open", { target, size });
    context.say(`${size.deployments} deployments with ${size.deployments * size.tasks} tasks are there`);
    const meter = await createCostMeter(server, target, [api.pid]);
    const measured = new Map<string, Measure[]>();
    const top: Record<string, unknown> = {};
    for (let round = 0; round < (isSmoke ? 1 : Math.min(ROUNDS, context.rounds)); round++) {
      for (const [name, paths] of Object.entries(pathsOf(opened))) {
        const isBare = name === "bare route";
        const load = { paths, clients: CLIENTS, seconds: isSmoke ? 1 : SECONDS, warmSeconds: isSmoke ? 0.2 : 1 };
        await meter.begin();
        const { latencies, bytes, answers } = await clients.call<
          { latencies: number[]; bytes: number; answers: number }
        >("load", {
          ...load,
          port: isBare ? opened.barePort : opened.port,
          ...(isBare ? {} : { token: opened.token }),
        });
        const cost = await meter.end();
        const one: Measure = {
          perSecond: latencies.length / load.seconds,
          p50: median(latencies),
          p99: percentile(latencies, 99),
          kiB: bytes / latencies.length / 1024,
          statements: cost.statements / answers,
          serverMilliseconds: cost.serverSeconds * 1000 / answers,
          masterMilliseconds: cost.processSeconds[0]! * 1000 / answers,
        };
        measured.set(name, [...measured.get(name) ?? [], one]);
        top[name] = cost.top.slice(0, 6);
        context.say(`${name}: ${say(one.perSecond)}/s, p50 ${say(one.p50)} ms, p99 ${say(one.p99)} ms`);
      }
    }
    await meter.close();
    return report(measured, { top, plans: await readPlans(target, opened) });
  } finally {
    await Promise.all([clients.stop(), api.stop()]);
  }
}

/** Each in turns over several of its kind, so that no answer is only ever the same rows. */
function pathsOf({ deploymentIds, environmentIds }: Opened): Record<string, string[]> {
  const some = deploymentIds.filter((_, i) => i % Math.ceil(deploymentIds.length / 40) === 0);
  const v1 = (paths: string[]) => paths.map((path) => `/api/v1${path}`);
  return {
    "bare route": ["/bare"],
    "who am I": v1(["/auth/me"]),
    "deployments": v1(["/deployments?limit=50"]),
    "deployments of an environment": v1(environmentIds.map((id) => `/deployments?limit=50&environmentId=${id}`)),
    "deployments that failed": v1(["/deployments?limit=50&status=failed"]),
    "one deployment, its tree": v1(some.map((id) => `/deployments/${id}`)),
    "tasks": v1(["/tasks?limit=50"]),
    "tasks that failed": v1(["/tasks?limit=50&status=failed"]),
    "tasks that run": v1(["/tasks?limit=50&step=running"]),
    "tasks of a deployment": v1(some.map((id) => `/tasks?limit=100&deploymentId=${id}`)),
    "versions": v1(["/versions?limit=50"]),
    "overview": v1(["/overview"]),
  };
}

/** How the lists are found; printed into the JSON. */
async function readPlans(target: Parameters<typeof openClient>[0], { environmentIds }: Opened) {
  const sql = openClient(target, { max: 1 });
  const queries = {
    deployments:
      "select id from deployment where project_id = (select id from project limit 1) order by id desc limit 51",
    "deployments of an environment": `select id from deployment where environment_id = '${
      environmentIds[0]
    }' order by id desc limit 51`,
    tasks:
      "select id from task where project_id = (select id from project limit 1) and parent_id is null order by id desc limit 51",
    "tasks that failed":
      "select id from task where project_id = (select id from project limit 1) and parent_id is null and state = 'failed' and state in ('failed', 'cancelled', 'skipped') order by id desc limit 51",
  };
  const plans: Record<string, string[]> = {};
  for (const [name, query] of Object.entries(queries)) {
    const rows = await sql.unsafe<Record<string, string>[]>(`explain (analyze, buffers, costs off) ${query}`);
    plans[name] = rows.map((row) => Object.values(row)[0]!);
  }
  await sql.end();
  return plans;
}

function report(measured: Map<string, Measure[]>, more: Record<string, unknown>): BenchReport {
  const of = (name: string, key: keyof Measure) => median(measured.get(name)!.map((m) => m[key]));
  const bare = of("bare route", "p99");
  const rows = [...measured.keys()].map((name) => [
    name,
    say(of(name, "perSecond")),
    say(of(name, "p50")),
    say(of(name, "p99")),
    say(of(name, "p99") / bare),
    say(of(name, "kiB")),
    say(of(name, "statements")),
    say(of(name, "masterMilliseconds")),
    say(of(name, "serverMilliseconds")),
  ]);
  const lists = [...measured.keys()].filter((name) => name !== "bare route");
  const slowest = lists.reduce((a, b) => of(a, "p99") > of(b, "p99") ? a : b);
  return {
    tables: [{
      title: `${CLIENTS} clients at once; milliseconds of processor are per answer`,
      columns: ["", "per second", "p50 ms", "p99 ms", "x bare p99", "KiB", "statements", "master ms", "PostgreSQL ms"],
      rows,
    }],
    targets: [{
      what: `slowest p99 (${slowest})`,
      wanted: "<= 1,000 ms with 100 clients that never pause",
      measured: `${say(of(slowest, "p99"))} ms, ${say(of(slowest, "p99") / bare)} x the bare route`,
      isMet: of(slowest, "p99") <= 1000,
    }],
    notes: [
      `${CLIENTS} clients ask without a pause, so a latency is mostly the time that the others' answers take: ` +
      `${CLIENTS} divided by the answers per second. The milliseconds of processor say what one answer costs.`,
    ],
    measured: { ...Object.fromEntries(measured), ...more },
  };
}
