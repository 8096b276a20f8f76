/** A log that outgrows its cap, seen by every reader. */
import { Buffer } from "node:buffer";
import fc from "../../tests/helpers/fast_check.ts";
import { expect, it } from "vitest";
import { parseGapMarker } from "../../domain/log_marker.ts";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";
import { seedWork } from "../../tests/helpers/seed_work.ts";
import { appendChunks } from "./append_chunks.ts";
import { createLineIndex } from "./line_index.ts";
import { findTaskLog, readLog } from "./read_log.ts";

const db = await createTestDatabase();
const seed = seedWork(db);
const { id: deploymentId, environmentId } = await seed.deployment();
const agentId = await seed.agent();

/** Appends as an agent does, some chunks at a time. */
async function writeLog(chunks: Uint8Array[], capBytes: number, perCall: number, after?: () => Promise<void>) {
  const taskId = await seed.task({ deploymentId, environmentId, agentId, state: "running" });
  await db.sql`update task set last_agent_id = ${agentId} where id = ${taskId}`;
  let offset = 0;
  const numbered = chunks.map((data, sequence) => {
    const chunk = { taskId, agentId, fence: 1, sequence, offset, data };
    offset += data.length;
    return chunk;
  });
  for (let i = 0; i < numbered.length; i += perCall) {
    const some = numbered.slice(i, i + perCall);
    const [head] = await appendChunks(db, some, capBytes);
    expect(head!.offset).toBe(some.at(-1)!.offset + some.at(-1)!.data.length);
    await after?.();
  }
  return taskId;
}

async function readAll(taskId: string, offset = 0): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for (let at = offset;;) {
    const part = (await readLog(db, taskId, { attempt: 1, offset: at }, 1000))!;
    if (part.bytes.length === 0) return Buffer.concat(parts);
    parts.push(part.bytes);
    at = part.next;
  }
}

const dropped = async (taskId: string) => (await findTaskLog(db, seed.projectId, taskId))!.sources[0]!.dropped;
const keptBytes = async (taskId: string) =>
  (await db.sql<
    { bytes: number }[]
  >`select coalesce(sum(length(data)), 0)::bigint as bytes from log_chunk where task_id = ${taskId}`)[0]!
    .bytes;
const newlines = (bytes: Uint8Array) => bytes.filter((b) => b === 10).length;

it("keeps all of a log that fits its cap to the byte", async () => {
  const taskId = await writeLog([Buffer.from("a\n".repeat(50)), Buffer.from("b\n".repeat(50))], 200, 1);
  expect(await dropped(taskId)).toBeUndefined();
  expect((await readAll(taskId)).toString()).toBe("a\n".repeat(50) + "b\n".repeat(50));
});

it("keeps the first and the last lines, and says exactly how much is missing, at every moment", async () => {
  const lines = Array.from({ length: 2000 }, (_, i) => `line ${i}\n`);
  const chunks = Array.from({ length: 100 }, (_, i) => Buffer.from(lines.slice(i * 20, i * 20 + 20).join("")));
  const cap = 4000;
  let taskId = "";
  taskId = await writeLog(chunks, cap, 3);
  const text = (await readAll(taskId)).toString();
  const shown = text.split("\n");
  const at = shown.findIndex((line) => parseGapMarker(line));
  const marker = parseGapMarker(shown[at]!)!;
  const [first, last] = [shown.slice(0, at), shown.slice(at + 1, -1)];
  expect(first).toEqual(lines.slice(0, at).map((l) => l.trimEnd()));
  expect(last).toEqual(lines.slice(-last.length).map((l) => l.trimEnd()));
  expect(marker).toEqual({
    cause: "cap",
    lines: 2000 - first.length - last.length,
    bytes: lines.slice(first.length, -last.length).join("").length,
  });
  expect(first.join("\n").length).toBeGreaterThan(cap / 2 - 20);
  expect(last.join("\n").length).toBeGreaterThan(cap / 2 - cap / 8 - 20);
  expect(await keptBytes(taskId)).toBeLessThan(cap + 2 * chunks[99]!.length);
  const index = createLineIndex(db);
  const all = await index.lines(taskId, 1, 0, 2000);
  expect(all.lines.map((l) => l.text)).toEqual(shown.slice(0, -1));
  for (const from of [0, 3, at - 1, at, at + 1, at + 5]) {
    const some = await index.lines(taskId, 1, from, 4);
    expect(some.total).toBe(shown.length - 1);
    expect(some.lines.map((l) => l.text), `from ${from}`).toEqual(shown.slice(0, -1).slice(from, from + 4));
  }
});

it("answers an offset in the dropped part with what is missing from there, and goes on behind it", async () => {
  const bytes = Buffer.from(Array.from({ length: 3000 }, (_, i) => `${i}\n`).join(""));
  const chunks = Array.from(
    { length: Math.ceil(bytes.length / 100) },
    (_, i) => bytes.subarray(i * 100, i * 100 + 100),
  );
  const taskId = await writeLog(chunks, 2000, 5);
  const { from, to } = (await dropped(taskId))!;
  for (const offset of [from, from + 1, to - 1]) {
    const part = (await readLog(db, taskId, { attempt: 1, offset }, 100))!;
    expect(part).toMatchObject({ isMarker: true, offset, next: to, isEnd: false });
    expect(parseGapMarker(Buffer.from(part.bytes).toString())).toMatchObject({ cause: "cap", bytes: to - offset });
    expect((await readAll(taskId, offset)).subarray(part.bytes.length).equals(bytes.subarray(to))).toBe(true);
  }
  expect((await readLog(db, taskId, { attempt: 1, offset: to }, 100))!.isMarker).toBe(false);
});

it("is read whichever way PostgreSQL looks for the chunks: through an index, or through all of them", async () => {
  const lines = Array.from({ length: 300 }, (_, i) => Buffer.from(`line ${i}\n`));
  const taskId = await writeLog(lines, 400, 5);
  const wanted = await findTaskLog(db, seed.projectId, taskId);
  const sorting = await db.sql.reserve();
  await sorting`set enable_indexscan = off`;
  try {
    expect(await findTaskLog({ ...db, sql: sorting }, seed.projectId, taskId)).toEqual(wanted);
  } finally {
    await sorting`reset enable_indexscan`;
    sorting.release();
  }
});

it("is exact for any bytes, cut and capped anyhow, and a reader that follows sees every byte or a count", async () => {
  const piece = fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 60 }),
    fc.string({ unit: "binary", minLength: 1, maxLength: 40 }).map((s) => new TextEncoder().encode(s)),
    fc.constantFrom("\n", "short\n", "x".repeat(200), "é🙂\n").map((s) => new TextEncoder().encode(s)),
  );
  const input = fc.record({
    chunks: fc.array(piece, { minLength: 1, maxLength: 40 }),
    cap: fc.integer({ min: 8, max: 400 }),
    perCall: fc.integer({ min: 1, max: 6 }),
  });
  await fc.assert(
    fc.asyncProperty(input, async ({ chunks, cap, perCall }) => {
      const emitted = Buffer.concat(chunks);
      const followed: Buffer[] = [];
      let at = 0;
      let id: string | undefined;
      const follow = async () => {
        id ??= (await db.sql<{ id: string }[]>`select id from task order by id desc limit 1`)[0]!.id;
        const part = (await readLog(db, id, { attempt: 1, offset: at }, 64))!;
        // In place of what it missed, the follower notes the bytes themselves: the count must lead to the right place.
        if (part.isMarker) {
          const gap = parseGapMarker(Buffer.from(part.bytes).toString("latin1").replace(/^\n/, ""))!;
          followed.push(emitted.subarray(at, at + gap.bytes));
        } else followed.push(Buffer.from(part.bytes));
        at = part.next;
      };
      const taskId = await writeLog(chunks, cap, perCall, follow);
      while (at < emitted.length) await follow();
      expect(Buffer.concat(followed).equals(emitted)).toBe(true);

      const gap = await dropped(taskId);
      expect(gap !== undefined).toBe(emitted.length > cap);
      if (!gap) return;
      const stored = await readAll(taskId);
      const line = `${gap.isMidLine ? "\n" : ""}[boreas: ${gap.to - gap.from} bytes (${
        newlines(emitted.subarray(gap.from, gap.to))
      } lines) of output passed over, the log is full]\n`;
      const wanted = Buffer.concat([emitted.subarray(0, gap.from), Buffer.from(line), emitted.subarray(gap.to)]);
      expect(stored.toString("latin1")).toBe(wanted.toString("latin1"));
      expect(gap.from + emitted.length - gap.to).toBeLessThanOrEqual(cap);
      const shown = stored.toString().replace(/\n$/, "").split("\n");
      const index = await createLineIndex(db).lines(taskId, 1, 0, 2000);
      expect(index.lines.map((l) => l.text)).toEqual(shown);
      expect(index.total).toBe(shown.length);
    }),
    { numRuns: 60, endOnFailure: true },
  );
});
