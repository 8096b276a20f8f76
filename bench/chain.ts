/** Order within one deployment: a chain in which each task waits for the one before it, and a fan-out with one join. */
import type { Bench } from "./support/bench.ts";
import { inTurns } from "./support/rounds.ts";
import { startBoreas } from "./support/start_boreas.ts";
import { median, say, saySpread } from "./support/statistics.ts";

interface Measured {
  chain: { p50: number; p99: number; seconds: number };
  fanOut: { seconds: number; joinMs: number };
}
const WANTED_MS = 5;

export const chainBench: Bench = {
  name: "chain",
  what:
    "a chain of 1,000 tasks, each opened by the end of the one before; and 10,000 tasks at once with one that waits for all",
  async run(context) {
    const [length, width] = context.isSmoke ? [5, 20] : [1000, 10_000];
    const size = { systems: 1, environments: 1, applications: 1, machines: 2 };
    const ours = await startBoreas(context, "chain", size, true);
    try {
      await ours.connect({ slots: 200 });
      const measured = await inTurns<Measured>(
        [{
          name: "boreas",
          measure: async () => ({
            chain: await ours.master.call("chain", { length }),
            fanOut: await ours.master.call("fanOut", { width }),
          }),
        }],
        context.rounds,
        (_, round, { chain, fanOut }) =>
          context.say(`  round ${round + 1}: ${say(chain.p50)} ms per hop, fan-out ${say(fanOut.seconds)} s`),
      );
      const values = measured.get("boreas")!;
      const hop = median(values.map((v) => v.chain.p50));
      return {
        tables: [{
          title: "Chain and fan-out, median of rounds (lowest - highest)",
          columns: ["", "value"],
          rows: [
            [`chain of ${length}: ms per hop, p50`, saySpread(values.map((v) => v.chain.p50))],
            [`chain of ${length}: ms per hop, p99`, saySpread(values.map((v) => v.chain.p99))],
            [`chain of ${length}: s in all`, saySpread(values.map((v) => v.chain.seconds))],
            [`fan-out of ${width} with a join: s in all`, saySpread(values.map((v) => v.fanOut.seconds))],
            [`fan-out of ${width} with a join: tasks/s`, saySpread(values.map((v) => width! / v.fanOut.seconds))],
            ["last of the fan-out -> end of the join, ms", saySpread(values.map((v) => v.fanOut.joinMs))],
          ],
        }],
        targets: context.isSmoke ? [] : [{
          what: "a 1,000-task chain, median per hop",
          wanted: `<= ${WANTED_MS} ms`,
          measured: `${say(hop)} ms`,
          isMet: hop <= WANTED_MS,
        }],
        notes: ["A hop is from the end of one task to the end of the next: claim, WebSocket, agent, result, commit."],
        measured: Object.fromEntries(measured),
      };
    } finally {
      await ours.close();
    }
  },
};
