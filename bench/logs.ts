/**
 * Logs: an agent's process -> masked, spooled -> frames -> fenced, durable chunk rows -> acknowledged, and the same bytes
 * to viewers in another process, all through one master; against frames, rows, acknowledgement and viewer alone.
 */
import type { Bench, BenchContext, Target } from "./support/bench.ts";
import { startChild } from "./support/child.ts";
import { heapFlags } from "./support/heap_flags.ts";
import { createCostMeter } from "./support/cost.ts";
import type { Cost } from "./support/cost.ts";
import { LINE_BYTES } from "./support/log_lines.ts";
import { inTurns } from "./support/rounds.ts";
import { median, say, saySpread } from "./support/statistics.ts";

interface Throughput {
  linesPerSecond: number;
  cost: Cost;
}
interface Latency {
  p50: number;
  p99: number;
  worst: number;
  samples: number;
}
interface Viewed extends Latency {
  doneAt: number;
}
const LINES_PER_SECOND = 10_000;
const VIEWERS = 50;

const script = (name: string) => new URL(`./processes/${name}.ts`, import.meta.url);

export const logsBench: Bench = {
  name: "logs",
  what: "lines per second from an agent to the database and a viewer, and milliseconds from stdout to fifty viewers",
  async run(context) {
    const bytes = (context.isSmoke ? 5_000 : 1_000_000) * LINE_BYTES;
    const seconds = context.isSmoke ? 1 : 10;
    const [ours, bare] = [await openOurs(context), await openBare(context)];
    try {
      // Cold code and an empty table are nobody's case.
      for (const one of [ours, bare]) await one.throughput(bytes / 2);
      const rates = await inTurns(
        [
          { name: "boreas", measure: () => ours.throughput(bytes) },
          { name: "bare path", measure: () => bare.throughput(bytes) },
        ],
        context.rounds,
        (name, round, m) => context.say(`  round ${round + 1}: ${name}: ${say(m.linesPerSecond)} lines/s`),
      );
      const only = Deno.env.get("BOREAS_BENCH_ONLY") === "throughput";
      const waits = only ? new Map<string, Latency[]>() : await inTurns(
        [1, VIEWERS].map((viewers) => ({
          name: `${viewers} viewers`,
          measure: () => ours.latency(viewers, seconds),
        })),
        Math.min(3, context.rounds),
        (name, round, m) => context.say(`  round ${round + 1}: ${name}: p50 ${say(m.p50)} ms, p99 ${say(m.p99)} ms`),
      );
      return report(rates, waits, bytes / LINE_BYTES);
    } finally {
      await ours.close();
      await bare.close();
    }
  },
};

async function openOurs({ server }: BenchContext) {
  const target = await server.createDatabase("logs", { migrated: true });
  const profile = Deno.env.get("BOREAS_BENCH_PROFILE");
  const profiled = (name: string) => profile ? ["--cpu-prof", `--cpu-prof-dir=${profile}/${name}`] : [];
  const start = (name: "master" | "agent") =>
    startChild(script(`log_${name}`), { denoArguments: [...heapFlags(name), ...profiled(name)] });
  const [master, agent] = [start("master"), start("agent")];
  const viewer = startChild(script("log_viewer"), { denoArguments: profiled("viewer") });
  const opened = await master.call<{ port: number; token: string; viewer: string }>("open", { target });
  await agent.call("open", { target, token: opened.token, port: opened.port });
  const meter = await createCostMeter(server, target, [master.pid, agent.pid, viewer.pid]);
  const view = async (viewers: number, bytes: number, stamped: boolean) => {
    const taskId = await master.call<string>("openTask");
    await agent.call("running");
    const url = `http://127.0.0.1:${opened.port}/api/v1/tasks/${taskId}/logs?follow=true`;
    await viewer.call("open", { url, token: opened.viewer, viewers, bytes, stamped });
  };
  return {
    async throughput(bytes: number): Promise<Throughput> {
      await view(1, bytes, false);
      await meter.begin();
      const began = await agent.call<number>("print", { bytes });
      const { doneAt } = await viewer.call<Viewed>("done");
      return { linesPerSecond: bytes / LINE_BYTES / (doneAt - began) * 1000, cost: await meter.end() };
    },
    async latency(viewers: number, seconds: number): Promise<Latency> {
      const bytes = LINES_PER_SECOND * seconds * LINE_BYTES;
      await view(viewers, bytes, true);
      await agent.call("print", { bytes, perSecond: LINES_PER_SECOND });
      return await viewer.call<Viewed>("done");
    },
    async close() {
      await meter.close();
      for (const child of [viewer, agent, master]) await child.stop();
    },
  };
}

async function openBare({ server }: BenchContext) {
  const target = await server.createDatabase("bare_logs");
  const master = startChild(script("bare_log_master"));
  const agent = startChild(script("bare_log_agent"));
  const viewer = startChild(script("log_viewer"));
  const { port } = await master.call<{ port: number }>("open", { target });
  await agent.call("connect", { port });
  const meter = await createCostMeter(server, target, [master.pid, agent.pid, viewer.pid]);
  return {
    async throughput(bytes: number): Promise<Throughput> {
      await master.call("reset");
      await viewer.call("open", { url: `http://127.0.0.1:${port}/`, viewers: 1, bytes });
      await meter.begin();
      const began = await agent.call<number>("print", { bytes });
      const { doneAt } = await viewer.call<Viewed>("done");
      const cost = await meter.end();
      await master.call("endView");
      return { linesPerSecond: bytes / LINE_BYTES / (doneAt - began) * 1000, cost };
    },
    async close() {
      await meter.close();
      for (const child of [viewer, agent, master]) await child.stop();
    },
  };
}

function report(rates: Map<string, Throughput[]>, waits: Map<string, Latency[]>, lines: number) {
  const rate = (name: string) => median(rates.get(name)!.map((m) => m.linesPerSecond));
  const ratio = rate("boreas") / rate("bare path");
  const rows = [...rates].map(([name, values]) => {
    const cost = (of: (cost: Cost) => number) => say(median(values.map((v) => of(v.cost))));
    return [
      name,
      saySpread(values.map((v) => v.linesPerSecond)),
      say(rate(name) * LINE_BYTES / 1e6),
      say(rate(name) / rate("bare path")),
      cost((c) => c.statements),
      cost((c) => c.walBytes / lines),
      cost((c) => c.serverSeconds * 1e6 / lines),
      values[0]!.cost.processSeconds.map((_, i) => cost((c) => c.processSeconds[i]! * 1e6 / lines)).join(" + "),
    ];
  });
  const p99 = median((waits.get(`${VIEWERS} viewers`) ?? []).map((w) => w.p99));
  const targets: Target[] = [
    {
      what: "logs: agent -> durable -> viewer, through one master",
      wanted: ">= 0.6 x the bare path",
      measured: `${say(ratio)} x (${say(rate("boreas"))} lines/s)`,
      isMet: ratio >= 0.6,
    },
    {
      what: `logs: stdout -> viewer at ${say(LINES_PER_SECOND)} lines/s with ${VIEWERS} viewers, p99`,
      wanted: "<= 100 ms",
      measured: `${say(p99)} ms`,
      isMet: p99 <= 100,
    },
  ];
  return {
    tables: [{
      title: `Logs: ${say(lines)} lines of ${LINE_BYTES} bytes, median (lowest - highest)`,
      columns: [
        "",
        "lines/s",
        "MB/s",
        "x bare",
        "statements",
        "WAL B/line",
        "server us/line",
        "master + agent + viewer us/line",
      ],
      rows,
    }, {
      title: `Logs: ${say(LINES_PER_SECOND)} lines/s, milliseconds from stdout to viewer`,
      columns: ["", "p50", "p99", "worst"],
      rows: [...waits].map(([name, values]) => [
        name,
        saySpread(values.map((v) => v.p50)),
        saySpread(values.map((v) => v.p99)),
        saySpread(values.map((v) => v.worst)),
      ]),
    }],
    targets,
    notes: [
      "Throughput: three processes on one machine (agent, master, viewer) and PostgreSQL, over loopback. Ours masks a secret in all its forms, spools to disk, checks every frame, holds fence and order, and follows by HTTP with a resumable place; the clock runs from the first line until the viewer has the last byte, which is durable by then.",
      "Latency: a program prints under a keeper, as a deployed script does; each line carries the moment of its printing.",
    ],
    measured: { rates: Object.fromEntries(rates), waits: Object.fromEntries(waits) },
  };
}
