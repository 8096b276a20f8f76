import { expect, it } from "vitest";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";
import { seedWork } from "../../tests/helpers/seed_work.ts";
import { createLineIndex } from "./line_index.ts";

const db = await createTestDatabase();
const seed = seedWork(db);
const { id: deploymentId, environmentId } = await seed.deployment();
const newTask = () => seed.task({ deploymentId, environmentId, state: "running" });
const texts = (found: { lines: { text: string }[] }) => found.lines.map((l) => l.text);

it("finds any line by its number, wherever the chunks were cut, also while the log grows", async () => {
  const taskId = await newTask();
  const index = createLineIndex(db);
  expect(await index.lines(taskId, 1, 0, 10)).toEqual({ total: 0, lines: [] });
  const all = Array.from({ length: 500 }, (_, i) => `line ${i} \0 \\ é`);
  const bytes = new TextEncoder().encode(all.join("\n"));
  for (let i = 0; i < bytes.length; i += 97) {
    await seed.log(taskId, 1, bytes.subarray(i, i + 97));
    if (i % (97 * 20) === 0) await index.lines(taskId, 1, 3, 1);
  }
  for (const from of [0, 1, 2, 99, 100, 101, 250, 498, 499]) {
    const found = await index.lines(taskId, 1, from, 3);
    expect(found.total).toBe(500);
    expect(texts(found), `from ${from}`).toEqual(all.slice(from, from + 3));
    for (const line of found.lines) {
      const start = new TextEncoder().encode(line.text);
      expect([...bytes.subarray(line.offset, line.offset + start.length)]).toEqual([...start]);
    }
  }
  expect(texts(await index.lines(taskId, 1, 500, 3))).toEqual([]);
});

it("counts empty lines, and no line after the last newline", async () => {
  const taskId = await newTask();
  await seed.log(taskId, 1, "\n", "\n", "a\n");
  const index = createLineIndex(db);
  expect(await index.lines(taskId, 1, 0, 9)).toMatchObject({
    total: 3,
    lines: [{ text: "" }, { text: "" }, { text: "a" }],
  });
  expect(texts(await index.lines(taskId, 1, 2, 9))).toEqual(["a"]);
  await seed.log(taskId, 1, "b");
  expect(await index.lines(taskId, 1, 3, 9)).toMatchObject({ total: 4, lines: [{ offset: 4, text: "b", cut: false }] });
});

it("cuts a line that is longer than all that is read at once, and finds the next one", async () => {
  const taskId = await newTask();
  const piece = new Uint8Array(32 * 1024).fill(120);
  await seed.log(taskId, 1, "first\n", ...Array.from({ length: 160 }, () => piece), "\nnext\n");
  const index = createLineIndex(db);
  const found = await index.lines(taskId, 1, 0, 3);
  expect(texts(found)).toEqual(["first"]);
  const [long] = (await index.lines(taskId, 1, 1, 3)).lines;
  expect(long).toMatchObject({ offset: 6, cut: true });
  expect(long!.text).toHaveLength(64 * 1024);
  expect(texts(await index.lines(taskId, 1, 2, 3))).toEqual(["next"]);
});
