/** How long one task waits when there is little to do: the insert's commit -> the agent's result accepted. */
import type { Bench } from "./support/bench.ts";
import { startChild } from "./support/child.ts";
import { PEER_ARGUMENTS } from "./support/peers.ts";
import { inTurns } from "./support/rounds.ts";
import type { Party } from "./support/rounds.ts";
import type { Latency, Pace } from "./support/shapes.ts";
import { startBoreas } from "./support/start_boreas.ts";
import { median, say, saySpread } from "./support/statistics.ts";

const ONE = { systems: 1, environments: 1, applications: 1, machines: 2 };
const SLOTS = 8;

export const latencyBench: Bench = {
  name: "latency",
  what:
    "milliseconds from the commit of a task's insert until the agent's result is accepted in the database, at 50 a second",
  async run(context) {
    const pace: Pace = context.isSmoke ? { perSecond: 20, seconds: 1 } : { perSecond: 50, seconds: 6 };
    const close: (() => Promise<unknown>)[] = [];
    const child = (name: string, denoArguments: string[] = []) => {
      const started = startChild(new URL(`./processes/${name}.ts`, import.meta.url), { denoArguments });
      close.push(() => started.stop());
      return started;
    };
    try {
      const parties: Party<Latency>[] = [];
      const ours = await startBoreas(context, "latency", ONE, true);
      close.push(() => ours.close());
      await ours.connect({ slots: SLOTS });
      parties.push({ name: "boreas", measure: () => ours.master.call("latency", pace) });
      if (!context.isSmoke) {
        const graphile = child("peers", PEER_ARGUMENTS);
        await graphile.call("openGraphile", { target: await context.server.createDatabase("latency_graphile") });
        parties.push({
          name: "graphile-worker, pickup only",
          measure: () => graphile.call("graphileLatency", { ...pace, concurrentJobs: SLOTS }),
        });
        const boss = child("peers", PEER_ARGUMENTS);
        await boss.call("openBoss", { target: await context.server.createDatabase("latency_boss") });
        parties.push({ name: "pg-boss with notify, pickup only", measure: () => boss.call("bossLatency", pace) });
      }
      const bare = child("bare_master");
      const agent = child("bare_agent");
      await agent.call(
        "connect",
        await bare.call("open", { target: await context.server.createDatabase("latency_bare") }),
      );
      parties.push({ name: "bare path", measure: () => bare.call("latency", pace) });
      for (const party of parties) await party.measure(-1); // nobody is judged by a cold start
      const measured = await inTurns(
        parties,
        context.rounds,
        (name, round, { p50, p99 }) =>
          context.say(`  round ${round + 1}: ${name}: p50 ${say(p50)} ms, p99 ${say(p99)} ms`),
      );
      return report(measured);
    } finally {
      for (const step of close.reverse()) await step();
    }
  },
};

function report(measured: Map<string, Latency[]>) {
  const of = (start: string, key: "p50" | "p99") => {
    const found = [...measured].find(([name]) => name.startsWith(start));
    return found ? median(found[1].map((m) => m[key])) : NaN;
  };
  const targets = Number.isNaN(of("graphile", "p50")) ? [] : [
    { key: "p50" as const, most: 0.7, wanted: "<= 0.7 x graphile-worker's pickup p50" },
    { key: "p99" as const, most: 1, wanted: "<= 1.0 x graphile-worker's pickup p99" },
  ].map(({ key, most, wanted }) => {
    const ratio = of("boreas", key) / of("graphile", key);
    return { what: `latency from insert to result, ${key}`, wanted, measured: `${say(ratio)} x`, isMet: ratio <= most };
  });
  return {
    tables: [{
      title: "Latency in ms, median of rounds (lowest - highest)",
      columns: ["", "p50", "p99", "p50 x graphile", "p50 x bare"],
      rows: [...measured].map(([name, values]) => [
        name,
        saySpread(values.map((v) => v.p50)),
        saySpread(values.map((v) => v.p99)),
        say(median(values.map((v) => v.p50)) / of("graphile", "p50")),
        say(median(values.map((v) => v.p50)) / of("bare", "p50")),
      ]),
    }],
    targets,
    notes: [
      "Ours and the bare path's: commit of the insert -> claim -> WebSocket -> agent in another process -> result -> its commit. The peers': commit of the insert -> their function begins in their own process; they have yet to write that it ended.",
      "A task is inserted in the scheduler's own process, as the API does when both run in one; between processes a hint is collected for 5 ms.",
    ],
    measured: Object.fromEntries(measured),
  };
}
