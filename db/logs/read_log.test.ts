import { expect, it } from "vitest";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";
import { seedWork } from "../../tests/helpers/seed_work.ts";
import { findGrownLogs } from "./find_grown_logs.ts";
import { concatBytes, findTaskLog, readLog, readLogRange } from "./read_log.ts";

const db = await createTestDatabase();
const seed = seedWork(db);
const { id: deploymentId, environmentId } = await seed.deployment();
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

it("gives any range of the stored bytes, whatever the chunks", async () => {
  const taskId = await seed.task({ deploymentId, environmentId, state: "running" });
  const bytes = new Uint8Array(3000).map((_, i) => (i * 7) % 256);
  await seed.log(
    taskId,
    1,
    bytes.subarray(0, 1),
    bytes.subarray(1, 1000),
    bytes.subarray(1000, 1003),
    bytes.subarray(1003),
  );
  for (const [from, to] of [[0, 3000], [0, 1], [1, 2], [999, 1004], [1500, 1501], [2999, 5000], [3000, 4000], [0, 0]]) {
    expect([...await readLogRange(db, taskId, 1, from!, to!)], `${from}-${to}`).toEqual([...bytes.subarray(from, to)]);
  }
  const parts: Uint8Array[] = [];
  for (let offset = 0; offset < 3000;) {
    const part = (await readLog(db, taskId, { attempt: 1, offset }, 700))!;
    expect(part).toMatchObject({ attempt: 1, offset, head: 3000, isEnd: false });
    offset += part.bytes.length;
    parts.push(part.bytes);
  }
  expect([...concatBytes(parts)]).toEqual([...bytes]);
});

it("holds nothing of what was stored when it says that nothing more is there", async () => {
  const taskId = await seed.task({ deploymentId, environmentId, state: "running" });
  await seed.log(taskId, 1, "x".repeat(50_000), "y".repeat(50_000));
  const part = (await readLog(db, taskId, { attempt: 1, offset: 100_000 }, 700))!;
  expect(part).toMatchObject({ attempt: 1, offset: 100_000, next: 100_000, head: 100_000, isEnd: false });
  expect(part.bytes.buffer.byteLength).toBe(0);
  // Nor more than the little that there is.
  const little = (await readLog(db, taskId, { attempt: 1, offset: 99_990 }, 700))!;
  expect([little.bytes.length, little.bytes.buffer.byteLength]).toEqual([10, 10]);
});

it("goes on with the next attempt and says the end only when the task is final", async () => {
  const taskId = await seed.task({ deploymentId, environmentId, state: "running", attempt: 3 });
  await seed.log(taskId, 1, "one");
  await seed.log(taskId, 3, "three");
  const first = (await readLog(db, taskId, { attempt: 1, offset: 1 }, 100))!;
  expect([text(first.bytes), first.isEnd]).toEqual(["ne", false]);
  // Attempt 2 wrote nothing.
  const next = (await readLog(db, taskId, { attempt: 1, offset: 3 }, 3))!;
  expect(next).toMatchObject({ attempt: 3, offset: 0, isEnd: false });
  expect(text(next.bytes)).toBe("thr");
  expect(await readLog(db, taskId, { attempt: 3, offset: 5 }, 3)).toMatchObject({ isEnd: false });
  await seed.moveTask(taskId, "success");
  expect(await readLog(db, taskId, { attempt: 3, offset: 0 }, 3)).toMatchObject({ isEnd: false });
  expect(await readLog(db, taskId, { attempt: 3, offset: 3 }, 3)).toMatchObject({ isEnd: true });
  expect(await readLog(db, db.newId(), { attempt: 1, offset: 0 }, 3)).toBeUndefined();
});

it("finds the latest attempt of a leaf, and of each part of a parent in order", async () => {
  const parent = await seed.task({ deploymentId, environmentId, isLeaf: false, name: "shop" });
  const second = await seed.task({
    deploymentId,
    environmentId,
    parentId: parent,
    name: "n2",
    position: 902,
    attempt: 2,
  });
  const first = await seed.task({ deploymentId, environmentId, parentId: parent, name: "n1", position: 901 });
  await seed.log(second, 1, "old");
  await seed.log(second, 2, "newer");
  const log = (await findTaskLog(db, seed.projectId, parent))!;
  expect(log).toMatchObject({ isLeaf: false, isFinal: false });
  expect(log.sources).toEqual([
    { taskId: first, name: "n1", attempt: 1, bytes: 0 },
    { taskId: second, name: "n2", attempt: 2, bytes: 5 },
  ]);
  expect((await findTaskLog(db, seed.projectId, second, 1))!.sources).toEqual([
    { taskId: second, name: "n2", attempt: 1, bytes: 3 },
  ]);
  expect((await findTaskLog(db, seed.projectId, second))!.sources[0]).toMatchObject({ attempt: 2, bytes: 5 });
  expect(await findTaskLog(db, await seed.project(), second)).toBeUndefined();
});

it("finds the logs that have something to say beyond a reader's position", async () => {
  const tasks = await Promise.all(
    (["running", "running", "running", "success", "success"] as const).map((state) =>
      seed.task({ deploymentId, environmentId, state, attempt: 1 })
    ),
  );
  const [grown, quiet, tried, ended, known] = tasks as [string, string, string, string, string];
  for (const taskId of tasks) await seed.log(taskId, 1, "12345");
  await db.sql`update task set attempt = 2 where id = ${tried}`;
  const at = (taskId: string, offset: number, isEnded = false) => ({ taskId, attempt: 1, offset, isEnded });
  const found = await findGrownLogs(db, [at(grown, 4), at(quiet, 5), at(tried, 5), at(ended, 5), at(known, 5, true)]);
  expect(found.sort()).toEqual([grown, tried, ended].sort());
  expect(await findGrownLogs(db, [])).toEqual([]);
});
