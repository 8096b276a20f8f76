import { expect, it } from "vitest";
import { seedPast } from "../tests/helpers/seed_past.ts";
import { seedWork } from "../tests/helpers/seed_work.ts";
import { createTestDatabase } from "../tests/helpers/test_database.ts";
import { createVirtualClock } from "../tests/helpers/virtual_clock.ts";
import { createRetentionLoop } from "./retention_loop.ts";

const db = await createTestDatabase();
const seed = seedWork(db);

it("rests, then takes away what is old in small steps, and says what it took", async () => {
  const clock = createVirtualClock();
  const said: [string, unknown][] = [];
  const loop = createRetentionLoop({
    db,
    clock,
    logger: { log: (level, message, context) => void said.push([`${level} ${message}`, context]) },
    retention: { days: 90, deployments: 0, logDays: 30, logDeployments: 0, events: 0 },
  });
  const { past, environmentId } = await seedPast(db, seed, "a");
  const [old, , aged] = [
    await past(),
    await past({ daysAgo: 40, tasks: { a: "success" } }),
    await past({ daysAgo: 1 }),
  ];
  const failed = await past({ status: "failed", tasks: { a: "failed" }, daysAgo: 100 });
  for (const { taskIds } of [old, aged, failed]) await seed.log(taskIds[0]!, 1, "a line\n");
  const middle = (await db.sql<{ id: string }[]>`
    select t.id from task t join deployment d on d.id = t.deployment_id
    where d.environment_id = ${environmentId} and d.completed_at between boreas_now() - interval '50 days' and boreas_now() - interval '30 days'`)[
    0
  ]!;
  await seed.log(middle.id, 1, "aged\n");
  await seed.event({ topic: "agent" });
  await db.sql`update event set created_at = boreas_now() - interval '100 days'`;

  loop.start();
  await clock.advance(60_000);
  expect(await db.sql`select 1 from deployment where id = ${old.id}`).toHaveLength(1);
  await clock.advance(240_000);
  // The database answers in its own time: the clock goes on from pause to pause until the round is over.
  await expect.poll(async () => {
    await clock.advance(50);
    return said.length;
  }, { interval: 5 }).toBe(1);
  await loop.stop();
  expect(said).toEqual([["INFO retention removed what is old", { deployments: 1, rows: 3, logChunks: 1, events: 1 }]]);
  expect(await db.sql`select 1 from deployment where id = ${old.id}`).toHaveLength(0);
  const logs = await db.sql<{ taskId: string }[]>`select task_id from log_chunk order by task_id`;
  expect(logs.map((l) => l.taskId)).toEqual([aged.taskIds[0], failed.taskIds[0]].sort());
});

it("goes by counts where nothing goes by days, and keeps the last failure's log whatever is newer", async () => {
  const clock = createVirtualClock();
  const said: unknown[] = [];
  const loop = createRetentionLoop({
    db,
    clock,
    logger: { log: (_level, _message, context) => void said.push(context) },
    retention: { days: 0, deployments: 0, logDays: 0, logDeployments: 2, events: 3 },
  });
  const { past, environmentId } = await seedPast(db, seed, "a");
  const all: { id: string; taskIds: string[] }[] = [];
  for (const status of ["completed", "failed", "completed", "completed", "completed"] as const) {
    all.push(await past({ daysAgo: 1, status, tasks: { a: status === "failed" ? "failed" : "success" } }));
  }
  for (const { taskIds } of all) await seed.log(taskIds[0]!, 1, "a line\n");
  for (let n = 0; n < 7; n++) await seed.event({ topic: "agent" });
  await db.sql`update event set created_at = boreas_now() - interval '2 hours'`;

  loop.start();
  await expect.poll(async () => {
    await clock.advance(said.length === 0 && clock.monotonic() < 300_000 ? 300_000 : 50);
    return said.length;
  }, { interval: 5 }).toBe(1);
  await loop.stop();
  expect(said).toEqual([{ logChunks: 2, events: 4 }]);
  const logs = await db.sql<{ deploymentId: string }[]>`
    select t.deployment_id from log_chunk c join task t on t.id = c.task_id where t.environment_id = ${environmentId} order by 1`;
  expect(logs.map((l) => l.deploymentId)).toEqual([1, 3, 4].map((n) => all[n]!.id));
  expect(await db.sql`select 1 from deployment where environment_id = ${environmentId}`).toHaveLength(5);
});
