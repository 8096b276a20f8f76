/**
 * F39: a task that kills its agent each time it is begun, and each time it is taken up again. It is handed out a few
 * times and then fails with its history; what else these agents run ends well, and does not wait for it.
 * Judged by order and by counts: how long anything takes is the machine's business.
 */
import { beforeAll, expect, it } from "vitest";
import { createMemoryDisk } from "../../agents/memory_disk.ts";
import { createDeployment } from "../../db/deployments/create_deployment.ts";
import { startDeployment } from "../../db/deployments/start_deployment.ts";
import { isEnded } from "../../domain/deployment_state.ts";
import type { DeploymentState } from "../../domain/deployment_state.ts";
import type { Operator } from "../../operators/operator.ts";
import { seedWorld } from "../helpers/seed_release.ts";
import { until } from "../helpers/start_scheduler.ts";
import { createTestDatabase } from "../helpers/test_database.ts";
import type { TestDatabase } from "../helpers/test_database.ts";
import { expectSound, readHistory } from "./support/history.ts";
import { createKeptPrograms } from "./support/kept_programs.ts";
import { createLife, createMortalParts } from "./support/mortal_parts.ts";
import type { Life } from "./support/mortal_parts.ts";

const OTHERS = 24;
const SLOTS = 4;
/** What is promised, and not read from the product. */
const DELIVERIES = 5;

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase({ max: 10 });
});

it("F39: a task that kills its agent fails after a few deliveries; nothing else is touched or waits", async () => {
  const suffix = db.newId().slice(-6);
  const poison = `poison-${suffix}`;
  const others = Array.from({ length: OTHERS }, (_, n) => `work-${n}-${suffix}`);
  const world = await seedWorld(db, {
    applications: Object.fromEntries([poison, ...others].map((name) => [name, {}])),
  });
  const programs = createKeptPrograms(() => ({ lines: 4, everyMs: 15 }));
  const parts = createMortalParts({ db, leaseSeconds: 30, sweepSeconds: 0.1, restartGraceSeconds: 0.2 });
  await parts.startMaster();
  const haveOthersEnded = async () => {
    const [row] = await db.sql<{ n: number }[]>`
      select count(*)::int as n from task where name = any(${others}) and state = 'success'`;
    return row!.n === OTHERS;
  };
  let deaths = 0;
  let mostAttempts = 0;
  let over = false;
  const lives = new Map<string, Life>();
  const keepAgent = async (id: string, disk = createMemoryDisk()): Promise<void> => {
    const life = createLife();
    lives.set(id, life);
    const plain = programs.operator();
    const operator: Operator = {
      ...plain,
      async run(operation, context) {
        if (operation.app !== poison) return plain.run(operation, context);
        mostAttempts = Math.max(mostAttempts, context.attempt);
        // The last delivery waits for the others: if they waited for it, neither would ever end.
        if (context.attempt === DELIVERIES) await until(parts.hints, haveOthersEnded, "the end of the others");
        deaths++;
        life.end("poisoned");
        return new Promise(() => {});
      },
    };
    await parts.startAgent(id, { operators: [operator], disk, slots: SLOTS }, life);
    await life.died;
    if (!over) await keepAgent(id, disk);
  };
  const keeping = await Promise.all(["left", "right"].map(async (name) => {
    const id = await world.agent(`${name}-${suffix}`);
    return { kept: keepAgent(id) };
  }));
  const versionId = await world.version(`v-${suffix}`);
  const id = await createDeployment(world.deps, {
    versionId,
    environmentId: world.environmentId,
    strategy: { type: "all", onFailure: { action: "continue" } },
  }, world.actor);
  await startDeployment(world.deps, id, world.actor);
  parts.hints.announce("tasks");
  await until(parts.hints, async () => {
    const [row] = await db.sql<{ status: DeploymentState }[]>`select status from deployment where id = ${id}`;
    return isEnded(row!.status) || mostAttempts > DELIVERIES;
  }, "the end of the deployment");
  over = true;
  const { events, tasks, deployments } = await readHistory(db.sql, [id]);
  await parts.stop();
  for (const life of lives.values()) life.end("the test is over");
  await Promise.all(keeping.map((k) => k.kept));
  programs.endAll();

  expect(mostAttempts).toBe(DELIVERIES);
  expectSound({
    events: events!,
    tasks: tasks!,
    deployments: deployments!,
    ledger: programs.ledger,
    boundSeconds: 60,
  });
  const told = (name: string) => {
    const task = tasks!.find((one) => one.name === name)!;
    return { task, story: events!.filter((event) => event.taskId === task.id) };
  };
  const killer = told(poison);
  expect(killer.task).toMatchObject({ status: "failed", attempt: DELIVERIES });
  expect(deaths).toBeGreaterThanOrEqual(DELIVERIES);
  // Each delivery left its line: handed to whom, lost how.
  const deliveries = killer.story.filter((e) => e.kind === "task.leased");
  expect(deliveries.map((e) => e.reason.params.attempt)).toEqual([1, 2, 3, 4, 5]);
  const losses = killer.story.filter((e) => ["task.lost", "task.retrying"].includes(e.kind));
  expect(losses.length).toBe(DELIVERIES - 1);
  const failed = killer.story.at(-1)!;
  expect(failed.kind).toBe("task.failed");
  for (const name of others) {
    const { task, story } = told(name);
    // Begun once, though the agent under it died again and again; and ended before the poison had. A task that was handed
    // out to an agent in the moment of its death is handed out again: nothing of it had begun.
    expect(task, name).toMatchObject({ status: "success" });
    expect(programs.ledger.filter((line) => line.task === task.id && line.what === "start"), name).toHaveLength(1);
    expect(story.at(-1)!.id, name).toBeLessThan(failed.id);
  }
}, 180_000);
