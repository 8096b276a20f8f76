/**
 * F48, F34, F35 on real processes: a master or an agent ends in the middle of a chain of tasks, at a named point, and is
 * started again. The ordinary run takes a few of the points, the thorough one all; tests/faults/crash_points.test.ts
 * takes all of them always, within one process.
 */
import { beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../helpers/start_product.ts";
import type { RunningAgent } from "../helpers/start_product.ts";
import { readTaskPoints } from "./support/crash_points.ts";
import { expectSound, readHistory } from "./support/history.ts";
import { processesOf } from "./support/process_tree.ts";
import { isThorough } from "./support/races.ts";
import { startRack } from "./support/start_rack.ts";
import type { Rack, RackTask } from "./support/start_rack.ts";

const CRASHED = 70;
const QUICK = ["finish.ended", "agent.result_saved"];

describe("F48: a process that dies at a named point", () => {
  let rack: Rack;
  let agent: RunningAgent;
  beforeAll(async () => {
    rack = await startRack({ BOREAS_LEASE_SECONDS: "3", BOREAS_OPERATORS: "mock" });
    agent = rack.agent;
  });

  for (const point of isThorough() ? readTaskPoints() : QUICK) {
    it(`at "${point}", comes back, and every task ends once`, async () => {
      const fatal = { BOREAS_TEST: "1", BOREAS_CRASH_AT: point };
      const isAgents = point.startsWith("agent.");
      // A chain, and a task that is cancelled; they begin when the one that is to die is there.
      const tasks = await rack.plan(["short", "next"], ["short", "next"]);
      const [stuck] = await rack.plan(["stubborn"]) as [RackTask];
      if (isAgents) {
        await agent.kill("SIGKILL");
        agent = await rack.dial(fatal);
      } else {
        await rack.master.kill("SIGKILL");
        // It may die before it has said that it is ready: of the first thing that an agent tells it.
        await rack.master.restart(fatal).catch((error: unknown) => {
          if (!/ended with 70/.test(String(error))) throw error;
        });
      }
      const dies = isAgents ? agent.ended() : rack.master.ended();
      const cancel = () =>
        rack.master.raw("POST", `/api/v1/tasks/${stuck.id}/cancel`, {}, rack.master.bearer())
          .then(({ status }) => status < 300 || status === 409, () => false); // nobody is there just now
      const asked = (async () => {
        for (const id of [tasks[0]!.deploymentId, stuck.deploymentId]) {
          await eventually(() => rack.start(id), "the start was taken", 90);
        }
        const begun = async () => (await rack.ledger()).some((line) => line.task === stuck.id);
        await eventually(begun, "the task that is to be cancelled has begun", 90);
        await eventually(cancel, "the cancel was taken", 90);
      })();
      expect(await dies).toBe(CRASHED);
      if (isAgents) agent = await rack.dial();
      else await rack.master.restart();
      await asked;

      for (const task of tasks) {
        expect(await rack.ended(task, "success", "failed", "cancelled")).toMatchObject({
          status: "success",
        });
      }
      await rack.ended(stuck, "cancelled");
      await eventually(async () => (await processesOf(stuck.id)).length === 0, "nothing of it runs");
      const all = [...tasks, stuck];
      expectSound({
        ...await readHistory(rack.master, [...new Set(all.map((task) => task.deploymentId))]),
        ledger: (await rack.ledger()).filter((line) => all.some((task) => task.id === line.task)),
        exclusive: true,
      });
      for (const task of tasks) {
        const { attempt } = await rack.read(task.id);
        expect(await rack.log(task, attempt)).toContain("line 1\nline 2\n");
      }
    }, 180_000);
  }
});
