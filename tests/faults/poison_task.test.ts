/**
 * F39: a task that kills its agent each time it is begun, and each time it is taken up again. It is handed out a few
 * times and then fails with its history; what else these agents run ends well, and does not wait for it.
 */
import { beforeAll, describe, expect, it } from "vitest";
import { createMemoryDisk } from "../../agents/memory_disk.ts";
import { createDeployment } from "../../db/deployments/create_deployment.ts";
import { startDeployment } from "../../db/deployments/start_deployment.ts";
import { MAX_LOSSES } from "../../db/tasks/lose_tasks.ts";
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
import { isThorough } from "./support/races.ts";

const OTHERS = 24;
const SLOTS = 4;
/** Seconds that the others' wait may differ for reasons of the machine that runs this. */
const SLACK_SECONDS = isThorough() ? 3 : 30;

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase({ max: 10 });
});

/** Runs all tasks on two agents; the one called `poison`, if any, ends its agent. @returns p95 of the others' wait */
async function playWith(poisoned: boolean) {
  const suffix = db.newId().slice(-6);
  const poison = `poison-${suffix}`;
  const others = Array.from({ length: OTHERS }, (_, n) => `work-${n}-${suffix}`);
  const names = poisoned ? [poison, ...others] : others;
  const world = await seedWorld(db, { applications: Object.fromEntries(names.map((name) => [name, {}])) });
  const programs = createKeptPrograms(() => ({ lines: 4, everyMs: 15 }));
  const parts = createMortalParts({ db, leaseSeconds: 2, sweepSeconds: 0.1, restartGraceSeconds: 0.2 });
  await parts.startMaster();
  let deaths = 0;
  let over = false;
  const lives = new Map<string, Life>();
  const keepAgent = async (id: string, disk = createMemoryDisk()): Promise<void> => {
    const life = createLife();
    lives.set(id, life);
    const plain = programs.operator();
    const operator: Operator = {
      ...plain,
      run(operation, context) {
        if (operation.app !== poison) return plain.run(operation, context);
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
    return isEnded(row!.status);
  }, "the end of the deployment");
  over = true;
  const history = await readHistory(db.sql, [id]);
  expectSound({ ...history, ledger: programs.ledger, boundSeconds: 60 });
  const of = (name: string) => history.tasks!.find((task) => task.name === name)!;
  for (const name of others) expect(of(name).status, name).toBe("success");
  const waits = others.map((name) => {
    const leased = history.events!.find((e) => e.taskId === of(name).id && e.kind === "task.leased")!;
    return (Date.parse(leased.at) - Date.parse(history.deployments![0]!.startedAt!)) / 1000;
  }).sort((a, b) => a - b);
  const told = poisoned ? history.events!.filter((e) => e.taskId === of(poison).id) : [];
  const state = poisoned
    ? (await db.sql`select state, attempt, reason from task where id = ${of(poison).id}`)[0]!
    : null;
  await parts.stop();
  for (const life of lives.values()) life.end("the test is over");
  await Promise.all(keeping.map((k) => k.kept));
  programs.endAll();
  return { p95: waits[Math.floor(waits.length * 0.95)]!, told, state, deaths };
}

describe("F39: a task that kills its agent", () => {
  it("fails after a few deliveries, with its history, and holds nobody up", async () => {
    const normal = await playWith(false);
    const poisoned = await playWith(true);
    expect(poisoned.state).toMatchObject({ state: "failed" });
    const deliveries = poisoned.told.filter((e) => e.kind === "task.leased");
    expect(deliveries.length).toBe(MAX_LOSSES);
    expect(poisoned.deaths).toBeGreaterThanOrEqual(MAX_LOSSES);
    // Each delivery left its line: handed to whom, lost how.
    expect(deliveries.map((e) => e.reason.params.attempt)).toEqual([1, 2, 3, 4, 5]);
    expect(poisoned.told.filter((e) => ["task.lost", "task.retrying"].includes(e.kind)).length).toBe(MAX_LOSSES - 1);
    console.info(
      `the others waited ${poisoned.p95.toFixed(2)} s (p95) beside the poison, ${
        normal.p95.toFixed(2)
      } s without it; ` +
        `it killed ${poisoned.deaths} agents`,
    );
    expect(poisoned.p95).toBeLessThan(2 * normal.p95 + SLACK_SECONDS);
  }, 180_000);
});
