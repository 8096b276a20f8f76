/**
 * F37: three tasks side by side end in each of the eight ways, in every order, under each answer to a failure. What
 * becomes of the others and of the deployment is worked out here a second time, in a few lines that share nothing with
 * the SQL, and by the roll-up of `domain/roll_up.ts` over the states that are left.
 */
import { beforeAll, describe, expect, it } from "vitest";
import { createDeployment } from "../../db/deployments/create_deployment.ts";
import { startDeployment } from "../../db/deployments/start_deployment.ts";
import { nextMove } from "../../domain/roll_up.ts";
import type { StateCounts } from "../../domain/roll_up.ts";
import type { DeploymentState } from "../../domain/deployment_state.ts";
import type { FailureAction } from "../../domain/strategy.ts";
import type { TaskState } from "../../domain/task_state.ts";
import { claim, failure, finish, playAll, success } from "../helpers/play_tasks.ts";
import { seedWorld } from "../helpers/seed_release.ts";
import { createTestDatabase } from "../helpers/test_database.ts";
import type { TestDatabase } from "../helpers/test_database.ts";
import { expectSound, readHistory } from "./support/history.ts";
import { isThorough } from "./support/races.ts";

const ACTIONS: FailureAction[] = ["rollback", "pause", "stop", "continue"];
const OUTCOMES = Array.from({ length: 8 }, (_, bits) => [0, 1, 2].map((n) => (bits >> n & 1) === 0));
const ORDERS = isThorough() ? [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] : [[1, 0, 2]];

interface Model {
  tasks: TaskState[];
  /** Of the one that waits for the first of the three. */
  after: TaskState;
  status: DeploymentState;
}

/** All three run; they end in `order`, well or badly. What waits for the first is played to a good end where it may be. */
function expected(good: readonly boolean[], order: readonly number[], action: FailureAction): Model {
  const tasks: TaskState[] = [];
  let failed = false;
  let after: TaskState | undefined;
  for (const n of order) {
    // Once it turns back, what runs is asked to stop: work that was done by then stays done, the rest is cancelled.
    tasks[n] = good[n] ? "success" : failed && action === "rollback" ? "cancelled" : "failed";
    // What waits begins as soon as the first is done, unless the deployment has turned or stopped by then.
    if (n === 0 && !good[0] && action !== "pause") after ??= "skipped";
    if (!good[n]) {
      failed = true;
      // It had not begun: it only begins when all three have ended.
      if (action === "rollback" || action === "stop") after ??= "skipped";
    }
  }
  if (action === "pause" && failed) after ??= good[0] ? "pending" : "blocked";
  after ??= "success";
  const status: DeploymentState = !failed
    ? "completed"
    : action === "rollback"
    ? "rolled_back"
    : action === "pause"
    ? "paused"
    : "failed";
  return { tasks, after, status };
}

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});

async function play(good: readonly boolean[], order: readonly number[], action: FailureAction): Promise<void> {
  const suffix = db.newId().slice(-6);
  const [names, last] = [["a", "b", "c"].map((name) => `${name}-${suffix}`), `d-${suffix}`];
  const world = await seedWorld(db, { applications: Object.fromEntries([...names, last].map((name) => [name, {}])) });
  const agent = await world.agent(`agent-${suffix}`);
  const versionId = await world.version(`v-${suffix}`);
  const id = await createDeployment(world.deps, {
    versionId,
    environmentId: world.environmentId,
    mustInOrder: [names[0]!, last],
    strategy: { type: "all", onFailure: { action } },
  }, world.actor);
  await startDeployment(world.deps, id, world.actor);

  const running = await claim(db, agent);
  expect(running.map((t) => t.name).sort()).toEqual(names);
  for (const n of order) {
    const task = running.find((t) => t.name === names[n])!;
    expect(await finish(db, task, good[n] ? success : failure())).toEqual([task.id]);
  }
  await playAll(db, [agent]);

  const rows = await db.sql<{ name: string; state: TaskState }[]>`
    select name, state from task where deployment_id = ${id} and not is_rollback`;
  const stateOf = (name: string) => rows.find((row) => row.name === name)!.state;
  const [deployment] = await db.sql<{ status: DeploymentState }[]>`select status from deployment where id = ${id}`;
  const { status } = deployment!;
  const model = expected(good, order, action);
  expect({ tasks: names.map(stateOf), after: stateOf(last), status }).toEqual(model);

  // The roll-up of the states that are left calls for no other move: the deployment is where they say it is.
  const count = (states: TaskState[]): StateCounts => {
    const counts: StateCounts = {};
    for (const state of states) counts[state] = (counts[state] ?? 0) + 1;
    return counts;
  };
  const forward = count(rows.map((row) => row.state));
  const back = await db.sql<{ state: TaskState }[]>`select state from task where deployment_id = ${id} and is_rollback`;
  const from = status === "paused" ? "paused" : status === "rolled_back" ? "rolling_back" : "running";
  const move = nextMove(from, forward, count(back.map((b) => b.state)), action, 0);
  expect(move).toBe(
    // One that asks already asks nothing new by asking again.
    { completed: "complete", failed: "fail", paused: "pause", rolled_back: "rolled_back" }[status as "paused"],
  );
  expectSound({ ...await readHistory(db.sql, [id]), mayPause: true });
}

describe("F37: three tasks side by side", () => {
  for (const action of ACTIONS) {
    it(
      `end in all eight ways, in ${
        ORDERS.length === 1 ? "one order" : "every order"
      }, under "${action}", as the model says`,
      async () => {
        for (const order of ORDERS) for (const good of OUTCOMES) await play(good, order, action);
      },
      240_000,
    );
  }
});
