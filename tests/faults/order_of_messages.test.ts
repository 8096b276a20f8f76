/**
 * F47: between agent and master every message may come twice, late, and after ones that were sent behind it. The end is
 * the same as with a quiet line: each task once, its log whole, whatever its seed; what is said twice has no effect twice.
 */
import { beforeAll, describe, expect } from "vitest";
import { cancelTask } from "../../db/tasks/cancel_task.ts";
import { createDeployment } from "../../db/deployments/create_deployment.ts";
import { startDeployment } from "../../db/deployments/start_deployment.ts";
import { isEnded } from "../../domain/deployment_state.ts";
import type { DeploymentState } from "../../domain/deployment_state.ts";
import { createMemoryDisk } from "../../agents/memory_disk.ts";
import { seedWorld } from "../helpers/seed_release.ts";
import { until } from "../helpers/start_scheduler.ts";
import { createTestDatabase } from "../helpers/test_database.ts";
import type { TestDatabase } from "../helpers/test_database.ts";
import { expectSound, readHistory } from "./support/history.ts";
import { createKeptPrograms } from "./support/kept_programs.ts";
import { createMortalParts } from "./support/mortal_parts.ts";
import { race } from "./support/races.ts";
import { createUnrulyLink } from "./support/unruly_link.ts";

const NAMES = ["first", "second", "beside", "stuck"] as const;

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase({ max: 10 });
});

interface Row {
  id: string;
  name: string;
  state: string;
  attempt: number;
}

/** @returns what became of everything, to compare one run with another */
async function deployOver(line: { random: () => number; repeat: number; lateMs: number; cuts: number }) {
  const suffix = db.newId().slice(-6);
  const [first, second, beside, stuck] = NAMES.map((name) => `${name}-${suffix}`) as [string, string, string, string];
  const world = await seedWorld(db, {
    applications: Object.fromEntries([first, second, beside, stuck].map((name) => [name, {}])),
  });
  const programs = createKeptPrograms((app) => ({ lines: app === stuck ? null : 12, everyMs: 10 }));
  const parts = createMortalParts({
    db,
    leaseSeconds: 3,
    sweepSeconds: 0.2,
    restartGraceSeconds: 0.5,
    between: (link) => createUnrulyLink(link, line),
  });
  await parts.startMaster();
  const agent = await parts.startAgent(await world.agent(`agent-${suffix}`), {
    operators: [programs.operator()],
    disk: createMemoryDisk(),
  });
  const versionId = await world.version(`v-${suffix}`);
  const id = await createDeployment(world.deps, {
    versionId,
    environmentId: world.environmentId,
    mustInOrder: [first, second],
    strategy: { type: "all", onFailure: { action: "continue" } },
  }, world.actor);
  await startDeployment(world.deps, id, world.actor);
  parts.hints.announce("tasks");
  const read = () => db.sql<Row[]>`select id, name, state, attempt from task where deployment_id = ${id} order by name`;
  const of = (rows: readonly Row[], name: string) => rows.find((row) => row.name === name)!;

  // A cancel that may well arrive before the dispatch that it is about.
  const held = await until(parts.hints, async () => {
    const row = of(await read(), stuck);
    return ["leased", "running"].includes(row.state) && row;
  }, "somebody holds the task");
  await cancelTask({ ...world.deps, hints: parts.hints }, held.id, world.actor);
  for (let n = 0; n < line.cuts; n++) {
    await new Promise((resolve) => setTimeout(resolve, 40 * line.random()));
    agent.cut();
  }
  const status = async () =>
    (await db.sql<{ status: DeploymentState }[]>`select status from deployment where id = ${id}`)[0]!.status;
  await until(parts.hints, async () => isEnded(await status()), "the end of the deployment");
  const rows = await read();
  const logs = async () =>
    await Promise.all([first, second, beside].map(async (name) => {
      const { id: task, attempt } = of(rows, name);
      const chunks = await db.sql<{ data: Uint8Array }[]>`
        select data from log_chunk where task_id = ${task} and attempt = ${attempt} order by sequence`;
      const stored = Buffer.concat(chunks.map((chunk) => chunk.data)).toString();
      return { task, attempt, emitted: programs.printed(task, attempt), stored };
    }));
  await until(parts.hints, async () => (await logs()).every((l) => l.stored.length >= l.emitted.length), "the logs");
  // Nothing is left to be told: the agent has let go of everything.
  await until(parts.hints, () => {
    const { running, unacknowledged } = agent.agent.status();
    return Promise.resolve(running === 0 && unacknowledged === 0);
  }, "an agent at rest");
  expectSound({
    ...await readHistory(db.sql, [id]),
    ledger: programs.ledger,
    logs: await logs(),
    exclusive: true,
    boundSeconds: 30,
  });
  const end = {
    status: await status(),
    tasks: rows.map((row) => [row.name.split("-")[0], row.state, row.attempt]),
    log: (await logs()).map((l) => l.stored.replaceAll(suffix, "")),
  };
  await parts.stop();
  programs.endAll();
  return end;
}

describe("F47: messages that come twice and out of order", () => {
  let quiet: Awaited<ReturnType<typeof deployOver>>;
  beforeAll(async () => {
    quiet = await deployOver({ random: () => 0, repeat: 0, lateMs: 0, cuts: 0 });
    expect(quiet.tasks).toEqual([
      ...[["beside", "success", 1], ["first", "success", 1], ["second", "success", 1], ["stuck", "cancelled", 1]],
    ]);
  });

  race("F47: end as on a quiet line", 30, async (_seed, random) => {
    expect(await deployOver({ random, repeat: 0.3, lateMs: 40, cuts: 0 })).toEqual(quiet);
  }, { quick: 2 });

  // A cut may swallow a dispatch: then another attempt does the same.
  const anyAttempt = ({ status, tasks, log }: typeof quiet) => ({
    status,
    tasks: tasks.map((task) => task.slice(0, 2)),
    log: log.map((text) => text.replaceAll(/attempt \d+/g, "attempt")),
  });
  race("F47: end as on a quiet line, though the line is cut in between", 20, async (_seed, random) => {
    expect(anyAttempt(await deployOver({ random, repeat: 0.3, lateMs: 40, cuts: 2 }))).toEqual(anyAttempt(quiet));
  }, { quick: 2 });
});
