/**
 * F48: master and agent die at every named point of lease, start, log, result, cancel and unblocking, one at a time, over
 * the real SQL. After the restart everything goes on to its end and I1-I9 hold. F34 and F35 are two of these points.
 */
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { cancelDeployment } from "../../db/deployments/cancel_deployment.ts";
import { createDeployment } from "../../db/deployments/create_deployment.ts";
import { startDeployment } from "../../db/deployments/start_deployment.ts";
import { createMemoryDisk } from "../../agents/memory_disk.ts";
import { isEnded } from "../../domain/deployment_state.ts";
import type { DeploymentState } from "../../domain/deployment_state.ts";
import { createTestDatabase } from "../helpers/test_database.ts";
import type { TestDatabase } from "../helpers/test_database.ts";
import { seedWorld } from "../helpers/seed_release.ts";
import { until } from "../helpers/start_scheduler.ts";
import { ELSEWHERE, readTaskPoints } from "./support/crash_points.ts";
import { expectSound, readHistory } from "./support/history.ts";
import { createKeptPrograms } from "./support/kept_programs.ts";
import { createLife, createMortalParts } from "./support/mortal_parts.ts";
import type { Life } from "./support/mortal_parts.ts";
import { isThorough } from "./support/races.ts";

const points = readTaskPoints();
/** Reached once only by a process that goes on. */
const ONCE = ["welcomed", "cancel_sent"];
/**
 * Which time a point is reached the process dies: the end of a task that lets another go and the last end of a
 * deployment are not the same. The chain below is as long as the most times.
 */
const CHAIN = ["first", "second", "third", "fourth"];
function timesOf(point: string): number[] {
  if (ONCE.includes(point)) return [1];
  if (isThorough()) return CHAIN.map((_, i) => i + 1);
  return point.startsWith("finish.") ? [2, CHAIN.length] : [1];
}

const LEASE = { leaseSeconds: 1.5, sweepSeconds: 0.1, restartGraceSeconds: 1 };

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase({ max: 10 });
});

describe("F48: a process that dies", () => {
  it("finds its points in the source, and knows those of another kind", () => {
    for (const [path, names] of Object.entries(ELSEWHERE)) {
      const text = readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
      for (const name of names) expect(text).toContain(`"${name}"`);
    }
    expect(points).toEqual(expect.arrayContaining(["claimed", "finish.ended", "finish.settled", "agent.accepted"]));
  });

  for (const point of points) {
    for (const times of timesOf(point)) {
      const more = point === "finish.ended" ? ", F34" : point === "finish.moved" ? ", F35" : "";
      it(`at "${point}"${times > 1 ? `, the ${times}. time` : ""}${more}: all goes on to its end`, () =>
        die(point, times));
    }
  }
});

async function die(point: string, times: number): Promise<void> {
  const suffix = db.newId().slice(-6);
  const inOrder = CHAIN.map((name) => `${name}-${suffix}`);
  const [beside, stuck] = [`beside-${suffix}`, `stuck-${suffix}`];
  const names = [...inOrder, beside, stuck];
  const world = await seedWorld(db, { applications: Object.fromEntries(names.map((name) => [name, {}])) });
  const programs = createKeptPrograms((app) => ({ lines: app === stuck ? null : 8, everyMs: 15 }));
  const parts = createMortalParts({ db, ...LEASE });
  const agentId = await world.agent(`agent-${suffix}`);
  const disk = createMemoryDisk();
  const isAgents = point.startsWith("agent.");
  const lives: Life[] = [];
  let over = false;

  const keepMaster = async (life: Life): Promise<void> => {
    lives.push(await parts.startMaster(life));
    await life.died;
    if (!over) await keepMaster(createLife());
  };
  const keepAgent = async (life: Life): Promise<void> => {
    lives.push(life);
    await parts.startAgent(agentId, { operators: [programs.operator()], disk }, life);
    await life.died;
    if (!over) await keepAgent(createLife());
  };
  const fatal = createLife(point, times);
  const keeping = [
    keepMaster(isAgents ? createLife() : fatal),
    keepAgent(isAgents ? fatal : createLife()),
  ];

  const deploy = async (applications: string[], mustInOrder: string[]) => {
    const versionId = await world.version(`v-${applications[0]}`, { changed: applications });
    const id = await createDeployment(
      world.deps,
      { versionId, environmentId: world.environmentId, applications, mustInOrder },
      world.actor,
    );
    await startDeployment(world.deps, id, world.actor);
    parts.hints.announce("tasks");
    return id;
  };
  const chain = await deploy([...inOrder, beside], inOrder);
  const hanging = await deploy([stuck], []);
  const task = (name: string) =>
    db.sql<{ id: string; state: string; attempt: number }[]>`select id, state, attempt from task where name = ${name}`;
  await until(parts.hints, async () => (await task(stuck))[0]!.state === "running", "the hanging task runs");
  await cancelDeployment({ ...world.deps, hints: parts.hints }, hanging, world.actor);

  const statusOf = async (id: string) =>
    (await db.sql<{ status: DeploymentState }[]>`select status from deployment where id = ${id}`)[0]!.status;
  await until(
    parts.hints,
    async () => isEnded(await statusOf(chain)) && isEnded(await statusOf(hanging)),
    `the end of both deployments after a crash at ${point}`,
  );
  await until(parts.hints, () => Promise.resolve(programs.running() === 0), "the end of every program");
  // The point was really reached; one that comes only with the next heartbeat may lie a little behind the last end.
  await until(parts.hints, () => Promise.resolve(fatal.dead), `a crash at ${point}, ${times} times reached`);
  over = true;
  const rows = await Promise.all([...inOrder, beside].map(async (name) => (await task(name))[0]!));
  const stored = async (id: string, attempt: number) =>
    Buffer.concat(
      (await db.sql<{ data: Uint8Array }[]>`select data from log_chunk where task_id = ${id} and attempt = ${attempt}
        order by sequence`).map((chunk) => chunk.data),
    ).toString();
  const wholeLogs = async () =>
    await Promise.all(rows.map(async ({ id, attempt }) => ({
      task: id,
      attempt,
      emitted: programs.printed(id, attempt),
      stored: await stored(id, attempt),
    })));
  // A result may be taken before the last chunk of its log: that one is sent again until it is.
  await until(
    parts.hints,
    async () => (await wholeLogs()).every((l) => l.stored.length >= l.emitted.length),
    "the logs",
  );
  const history = await readHistory(db.sql, [chain, hanging]);
  for (const { id, status } of history.tasks!) {
    const told = history.events!.filter((e) => e.taskId === id && e.kind === `task.${status}`);
    expect(told.length, `the end of ${id} was told once`).toBe(1);
  }
  expectSound({
    ...history,
    ledger: programs.ledger,
    logs: await wholeLogs(),
    exclusive: true,
    boundSeconds: 30,
  });
  expect(await statusOf(chain)).toBe("completed");
  expect(await statusOf(hanging)).toBe("cancelled");
  await parts.stop();
  for (const life of lives) life.end("the test is over");
  await Promise.all(keeping);
  programs.endAll();
}
