/**
 * F36: several deployments of one application to one environment, started and cancelled at once, with an agent that is
 * cut off at random. They go one after the other, and what landed once is never overwritten by an older one.
 */
import { beforeAll, describe, expect, it } from "vitest";
import { createMemoryDisk } from "../../agents/memory_disk.ts";
import { cancelDeployment } from "../../db/deployments/cancel_deployment.ts";
import { createDeployment } from "../../db/deployments/create_deployment.ts";
import { AppError } from "../../domain/app_error.ts";
import { isEnded } from "../../domain/deployment_state.ts";
import type { DeploymentState } from "../../domain/deployment_state.ts";
import type { Operation, OutcomeInput } from "../../protocol/operation.ts";
import type { Operator } from "../../operators/operator.ts";
import { stoppedOutcome, wait } from "../../operators/stopped.ts";
import { createFakeMaster, dispatchOf, memoryDialer } from "../helpers/fake_master.ts";
import { seedWorld } from "../helpers/seed_release.ts";
import { until } from "../helpers/start_scheduler.ts";
import { createTestAgent } from "../helpers/test_agent.ts";
import { createTestDatabase } from "../helpers/test_database.ts";
import type { TestDatabase } from "../helpers/test_database.ts";
import { createVirtualClock } from "../helpers/virtual_clock.ts";
import { expectSound, readHistory } from "./support/history.ts";
import { createMortalParts } from "./support/mortal_parts.ts";
import { race } from "./support/races.ts";

const DEPLOYMENTS = 5;

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase({ max: 10 });
});

/** Takes a random while, then lands: the last thing it does to the machine. */
function createLandingOperator(random: () => number, landed: { deploymentId: string; generation: number }[]): Operator {
  async function act(operation: Operation, context: Parameters<Operator["run"]>[1]): Promise<OutcomeInput> {
    await wait(clock, 5 + random() * 40, context.signal);
    context.signal.throwIfAborted();
    await context.trusted();
    landed.push({ deploymentId: operation.deploymentId, generation: operation.generation });
    await wait(clock, random() * 20, context.signal);
    return { status: "success", message: "Landed." };
  }
  return {
    kind: "mock",
    async run(operation, context) {
      try {
        return await act(operation, context);
      } catch (error: unknown) {
        if (!context.signal.aborted) throw error;
        return stoppedOutcome(context.signal, "It never landed.");
      }
    },
    async *observe() {},
  };
}
const clock = {
  now: () => new Date(),
  monotonic: () => performance.now(),
  after(milliseconds: number, call: () => void) {
    const timer = setTimeout(call, milliseconds);
    return { cancel: () => clearTimeout(timer) };
  },
};

describe("deployments of one application to one environment", () => {
  race("F36: go one after the other, and no older one lands after a newer", 20, async (_seed, random) => {
    const app = `app-${db.newId().slice(-6)}`;
    const world = await seedWorld(db, { applications: { [app]: {} } });
    const landed: { deploymentId: string; generation: number }[] = [];
    const parts = createMortalParts({ db, leaseSeconds: 1.5, sweepSeconds: 0.1, restartGraceSeconds: 0.2 });
    await parts.startMaster();
    const agent = await parts.startAgent(await world.agent(`agent-${app}`), {
      operators: [createLandingOperator(random, landed)],
      disk: createMemoryDisk(),
    });
    const deps = { ...world.deps, hints: parts.hints };
    const versions: string[] = [];
    for (let n = 0; n < DEPLOYMENTS; n++) versions.push(await world.version(`v${n}-${app}`));
    const pause = () => new Promise((resolve) => setTimeout(resolve, random() * 60));
    const ids = await Promise.all(versions.map(async (versionId) => {
      await pause();
      return await createDeployment(
        deps,
        { versionId, environmentId: world.environmentId, autoStart: true },
        world.actor,
      );
    }));
    const trouble = Promise.all([
      ...ids.filter(() => random() < 0.3).map(async (id) => {
        await pause();
        await cancelDeployment(deps, id, world.actor).catch((error: unknown) => {
          if (!(error instanceof AppError)) throw error; // it had ended by then
        });
      }),
      (async () => {
        for (let n = 0; n < 3; n++) {
          await pause();
          agent.cut();
        }
      })(),
    ]);
    await until(parts.hints, async () => {
      const rows = await db.sql<
        { status: DeploymentState }[]
      >`select status from deployment where id = any(${ids}::uuid[])`;
      return rows.every((row) => isEnded(row.status));
    }, "the end of all");
    await trouble;

    const history = await readHistory(db.sql, ids);
    expectSound({ ...history, boundSeconds: 30 });
    let active: string | undefined;
    let begun = 0;
    for (const { kind, deploymentId, taskId } of history.events!) {
      if (taskId !== null) continue;
      if (kind === "deployment.running") {
        expect(active, `${deploymentId} began while another was under way`).toBe(undefined);
        active = deploymentId;
        begun++;
      } else if (active === deploymentId && /\.(completed|failed|cancelled|rolled_back)$/.test(kind)) {
        active = undefined;
      }
    }
    expect(begun).toBe(history.deployments!.filter((d) => d.startedAt !== null).length);
    const generations = landed.map((l) => l.generation);
    expect(generations).toEqual([...generations].sort((a, b) => a - b));
    // What the database says runs there is what landed last; also of one that was cancelled when its work was done.
    const [state] = await db.sql<{ deploymentId: string }[]>`
      select d.id as deployment_id from app_state s join deployment d on d.version_id = s.version_id
      where s.environment_id = ${world.environmentId} and d.environment_id = s.environment_id`;
    const [last] = await db.sql<{ id: string }[]>`
      select deployment_id as id from task where deployment_id = any(${ids}::uuid[]) and state = 'success'
      order by completed_at desc limit 1`;
    expect(state?.deploymentId).toBe(last?.id);
    await parts.stop();
  }, { quick: 4 });

  it("F36: are refused by the agent when an older one comes after a newer, also after a restart of the agent", async () => {
    const timer = createVirtualClock();
    const master = createFakeMaster();
    const place = dispatchOf("none").operation;
    const first = createTestAgent({ clock: timer, dialer: memoryDialer(master) });
    await first.agent.start();
    await timer.settle();
    master.send(dispatchOf("new", { operation: { ...place, generation: 7 } }));
    await timer.settle();
    first.runs[0]!.end();
    await timer.settle();
    expect(master.results.length).toBe(1);
    const stopped = first.agent.stop({ drain: true });
    await timer.advance(15_000);
    await stopped;

    const second = createTestAgent({ clock: timer, dialer: memoryDialer(master), disk: first.disk });
    await second.agent.start();
    await timer.settle();
    master.send(dispatchOf("old", { operation: { ...place, generation: 6 } }));
    master.send(dispatchOf("same", { operation: { ...place, generation: 7 } }));
    await timer.settle();
    expect(master.ofType("task.refuse").map((m) => [m.taskId, m.retryable])).toEqual([["old", false]]);
    expect(second.runs.map((r) => r.operation.generation)).toEqual([7]);
  });
});
