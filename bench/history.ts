/** Whether what is hot stays as fast when much has been done: claims and ends beside 1,000 and 1,000,000 finished tasks. */
import type { Bench, BenchContext } from "./support/bench.ts";
import type { VerbPlan } from "./support/explain.ts";
import { inTurns } from "./support/rounds.ts";
import type { Party } from "./support/rounds.ts";
import type { Latency } from "./support/shapes.ts";
import { startBoreas } from "./support/start_boreas.ts";
import type { Boreas } from "./support/start_boreas.ts";
import { median, say, saySpread } from "./support/statistics.ts";

interface Measured {
  perSecond: number;
  latency: Latency;
}
const SIZE = { systems: 1, environments: 1, applications: 1, machines: 2 };
/** Two measurements of one thing on a busy machine differ by as much. */
const FLAT = 0.8;

export const historyBench: Bench = {
  name: "history",
  what:
    "claim, finish and latency beside 1,000 and beside 1,000,000 finished tasks, and the plans of the hot statements",
  async run(context) {
    const histories = context.isSmoke ? [100, 300] : [1000, 1_000_000];
    const [width, pace] = context.isSmoke ? [20, { perSecond: 20, seconds: 1 }] : [5000, { perSecond: 50, seconds: 4 }];
    const opened: { tasks: number; boreas: Boreas; plans: VerbPlan[] }[] = [];
    try {
      for (const tasks of histories) opened.push(await open(context, tasks));
      const parties = opened.map(({ tasks, boreas: { master } }): Party<Measured> => ({
        name: `beside ${tasks.toLocaleString("en-US")} finished tasks`,
        measure: async () => ({
          perSecond: width / (await master.call<{ seconds: number }>("fanOut", { width })).seconds,
          latency: await master.call<Latency>("latency", pace),
        }),
      }));
      const measured = await inTurns(
        parties,
        context.rounds,
        (name, round, { perSecond, latency }) =>
          context.say(`  round ${round + 1}: ${name}: ${say(perSecond)}/s, p50 ${say(latency.p50)} ms`),
      );
      const plans = Object.fromEntries(opened.map((one) => [one.tasks, one.plans]));
      return report(measured, opened, { measured: Object.fromEntries(measured), plans });
    } finally {
      for (const { boreas } of opened) await boreas.close();
    }
  },
};

async function open(context: BenchContext, tasks: number) {
  const boreas = await startBoreas(context, `history_${tasks}`, SIZE, true);
  context.say(`  writing ${tasks.toLocaleString("en-US")} finished tasks`);
  const started = performance.now();
  await boreas.master.call("history", { tasks, target: boreas.target });
  context.say(`  written in ${Math.round((performance.now() - started) / 1000)} s`);
  // Before the agents are there: what is claimed for the plans is nobody else's.
  const plans = await boreas.master.call<VerbPlan[]>("plans", { target: boreas.target });
  await boreas.connect({ slots: 200 });
  return { tasks, boreas, plans };
}

function report(
  measured: Map<string, Measured[]>,
  opened: { tasks: number; plans: VerbPlan[] }[],
  all: unknown,
) {
  const [few, many] = [...measured.values()];
  const ratio = median(many!.map((m) => m.perSecond)) / median(few!.map((m) => m.perSecond));
  const [fewPlans, manyPlans] = opened.map((one) => one.plans);
  const scans = [...new Set(manyPlans!.flatMap((p) => p.scanned))].filter((table) =>
    ["task", "event", "deployment", "task_dependency"].includes(table)
  );
  return {
    tables: [{
      title: "5,000 tasks at once with one that waits for all, and one task at a time",
      columns: ["", "tasks/s", "p50 ms", "p99 ms"],
      rows: [...measured].map(([name, values]) => [
        name,
        saySpread(values.map((v) => v.perSecond)),
        saySpread(values.map((v) => v.latency.p50)),
        saySpread(values.map((v) => v.latency.p99)),
      ]),
    }, {
      title: "Hot statements, 100 tasks in each: pages touched and milliseconds beside little and beside much history",
      columns: ["verb: statement", "pages", "pages, much", "ms", "ms, much", "reads whole tables"],
      rows: manyPlans!.map((plan, i) => [
        `${plan.verb}: ${plan.statement}`,
        fewPlans![i]?.buffers ?? "-",
        plan.buffers,
        say(fewPlans![i]?.milliseconds ?? NaN),
        say(plan.milliseconds),
        plan.scanned.join(", ") || "-",
      ]),
    }],
    targets: opened.some((one) => one.tasks >= 1_000_000)
      ? [{
        what: "claim and finish beside 1,000,000 finished tasks, against 1,000",
        wanted: `flat: >= ${FLAT} x, and no large table read whole`,
        measured: `${say(ratio)} x, read whole: ${scans.join(", ") || "none"}`,
        isMet: ratio >= FLAT && scans.length === 0,
      }]
      : [],
    notes: [
      "History is 100 succeeded tasks in a chain per deployment with three events each, copied within the database, then vacuum analyze.",
      "Plans in outline, as they ran: history.txt beside this file.",
    ],
    measured: all,
    appendix: toText(opened),
  };
}

const toText = (opened: { tasks: number; plans: VerbPlan[] }[]): string =>
  opened.flatMap(({ tasks, plans }) => [
    `==== beside ${tasks.toLocaleString("en-US")} finished tasks\n`,
    ...plans.map((p) => `${p.verb}: ${p.statement}\n${say(p.milliseconds)} ms\n${p.plan}\n`),
  ]).join("\n");
