/** The logs of several attempts of one task, which share one cap. */
import { Buffer } from "node:buffer";
import { expect, it } from "vitest";
import fc from "../../tests/helpers/fast_check.ts";
import { seedWork } from "../../tests/helpers/seed_work.ts";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";
import { appendChunks } from "./append_chunks.ts";
import { createLineIndex } from "./line_index.ts";
import { findTaskLog, readLog } from "./read_log.ts";

const db = await createTestDatabase();
const seed = seedWork(db);
const { id: deploymentId, environmentId } = await seed.deployment();
const agentId = await seed.agent();

/** A task whose attempts follow one another as tries of the same work do. */
async function startTask() {
  const taskId = await seed.task({ deploymentId, environmentId, agentId, state: "running" });
  await db.sql`update task set last_agent_id = ${agentId} where id = ${taskId}`;
  const attempt = async (number: number, chunks: Uint8Array[], capBytes: number, after?: () => Promise<void>) => {
    await db.sql`update task set attempt = ${number}, fence = ${number} where id = ${taskId}`;
    let offset = 0;
    for (const [sequence, data] of chunks.entries()) {
      await appendChunks(db, [{ taskId, agentId, fence: number, sequence, offset, data }], capBytes);
      offset += data.length;
      await after?.();
    }
  };
  return { taskId, attempt };
}

async function readAll(taskId: string, attempt: number): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for (let offset = 0;;) {
    const part = (await readLog(db, taskId, { attempt, offset }, 1000))!;
    if (part.attempt > attempt || part.bytes.length === 0) return Buffer.concat(parts);
    parts.push(part.bytes);
    offset = part.next;
  }
}

const readGap = async (taskId: string, attempt: number) =>
  (await findTaskLog(db, seed.projectId, taskId, attempt))!.sources[0]!.dropped;
const keptBytes = async (taskId: string) =>
  (await db.sql<{ attempt: number; kept: number }[]>`
    select attempt, bytes - coalesce(dropped_to - dropped_from, 0) as kept from log_head where task_id = ${taskId} order by attempt`)
    .map((row) => row.kept);
const sum = (numbers: number[]) => numbers.reduce((all, one) => all + one, 0);
const newlines = (bytes: Uint8Array) => bytes.filter((byte) => byte === 10).length;

it("keeps of six long attempts together no more than the cap, and of each its fair share with both its ends", async () => {
  const { taskId, attempt } = await startTask();
  const chunks = (of: number) =>
    Array.from({ length: 40 }, (_, i) => Buffer.from(`${of} begins `.repeat(9) + `\nline ${i}\n`));
  const cap = 3000;
  for (let n = 1; n <= 6; n++) {
    await attempt(n, chunks(n), cap, async () => expect(sum(await keptBytes(taskId))).toBeLessThanOrEqual(cap));
  }
  const kept = await keptBytes(taskId);
  expect(kept).toHaveLength(6);
  // A fair share, less what is dropped ahead and what a line is long.
  for (const bytes of kept) expect(bytes).toBeGreaterThan(cap / 6 * 7 / 8 - 2 * 100);
  for (let n = 1; n <= 6; n++) {
    const text = (await readAll(taskId, n)).toString();
    expect(text.startsWith(`${n} begins`)).toBe(true);
    expect(text.endsWith("line 39\n")).toBe(true);
  }
});

it("leaves earlier attempts alone while there is room for all, and a short one whatever the others write", async () => {
  const { taskId, attempt } = await startTask();
  const lines = (count: number) => Array.from({ length: count }, (_, i) => Buffer.from(`line ${i % 10} is here\n`));
  await attempt(1, lines(10), 1000);
  await attempt(2, lines(20), 1000);
  expect(await keptBytes(taskId)).toEqual([150, 300]);
  await attempt(3, lines(200), 1000);
  expect(await readGap(taskId, 1)).toBeUndefined();
  expect(await readGap(taskId, 2)).toBeUndefined();
  const kept = await keptBytes(taskId);
  expect(kept.slice(0, 2)).toEqual([150, 300]);
  expect(kept[2]).toBeGreaterThan(550 * 7 / 8 - 30);
  expect(kept[2]).toBeLessThanOrEqual(550);
});

it("is exact in every attempt, for any bytes, after every chunk, for readers by byte and by line", async () => {
  const piece = fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 60 }),
    fc.constantFrom("\n", "short\n", "x".repeat(150), "é🙂\n", "a\nb\nc\n").map((s) => new TextEncoder().encode(s)),
  );
  const input = fc.record({
    attempts: fc.array(fc.array(piece, { minLength: 1, maxLength: 12 }), { minLength: 2, maxLength: 4 }),
    cap: fc.integer({ min: 8, max: 400 }),
  });
  await fc.assert(
    fc.asyncProperty(input, async ({ attempts, cap }) => {
      const { taskId, attempt } = await startTask();
      const index = createLineIndex(db);
      for (const [i, chunks] of attempts.entries()) {
        await attempt(i + 1, chunks, cap, async () => {
          // One that was cut before is looked at by the same reader again and again.
          await index.lines(taskId, 1, 0, 2000);
          expect(sum(await keptBytes(taskId))).toBeLessThanOrEqual(cap);
        });
      }
      for (const [i, chunks] of attempts.entries()) {
        const emitted = Buffer.concat(chunks);
        const gap = await readGap(taskId, i + 1);
        const line = gap &&
          `${gap.isMidLine ? "\n" : ""}[boreas: ${gap.to - gap.from} bytes (${
            newlines(emitted.subarray(gap.from, gap.to))
          } lines) of output passed over, the log is full]\n`;
        const wanted = gap
          ? Buffer.concat([emitted.subarray(0, gap.from), Buffer.from(line!), emitted.subarray(gap.to)])
          : emitted;
        const stored = await readAll(taskId, i + 1);
        expect(stored.toString("latin1")).toBe(wanted.toString("latin1"));
        const shown = stored.toString().replace(/\n$/, "").split("\n");
        expect((await index.lines(taskId, i + 1, 0, 2000)).lines.map((l) => l.text)).toEqual(shown);
      }
    }),
    { numRuns: 25, endOnFailure: true },
  );
});
