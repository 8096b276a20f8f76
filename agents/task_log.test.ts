import fc from "../tests/helpers/fast_check.ts";
import { describe, expect, it } from "vitest";
import { createMemoryDisk } from "./memory_disk.ts";
import { maskText } from "./redact.ts";
import { openSpool, type Spool } from "./spool.ts";
import { createTaskLog } from "./task_log.ts";

const SECRETS = ["hunter2!", "unterwegs"];
const bytesOf = (text: string) => new TextEncoder().encode(text);
const open = (disk = createMemoryDisk()) => openSpool(disk, "spool/t.1", { used: 0, cap: 1 << 30 }, () => {});
async function textOf(spool: Spool) {
  while (await spool.cut(Infinity));
  const parts = await Promise.all(spool.cuts.map((cut) => spool.read(cut)));
  return parts.map((part) => new TextDecoder().decode(part)).join("");
}

describe("task log", () => {
  it("masks a secret that two calls share, and holds the position back with the bytes", async () => {
    const spool = await open();
    const log = createTaskLog(spool, SECRETS);
    await log.log("key hunt", 8);
    expect([spool.end, spool.position]).toEqual([4, 4]);
    await log.log("er2! ok\n", 16);
    expect(spool.position).toBe(16);
    expect(await textOf(spool)).toBe("key *** ok\n");
  });

  it("keeps a call together whose bytes are not its source's", async () => {
    const spool = await open();
    const log = createTaskLog(spool, SECRETS);
    void log.log("[12:00] key hunt", 8);
    await log.log("ing\n", 12);
    expect(spool.position).toBe(12);
    expect(await textOf(spool)).toBe("[12:00] key hunting\n");
  });

  it("lets the held end go when the task ends", async () => {
    const spool = await open();
    const log = createTaskLog(spool, SECRETS);
    await log.log("hunt");
    await log.finish();
    expect(spool.finished).toBe(true);
    expect(await textOf(spool)).toBe("hunt");
  });

  it("gives the same log when the agent dies anywhere and the operator reads on from the position it is told", async () => {
    const piece = fc.constantFrom("hunt", "hunter2!", "er2!", "unterwegs", "u", "\n", "x", "hu");
    await fc.assert(
      fc.asyncProperty(
        fc.array(piece, { maxLength: 30 }),
        fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 30 }),
        fc.nat(20),
        fc.boolean(),
        async (pieces, sizes, crashAfter, says) => {
          const source = bytesOf(pieces.join(""));
          const disk = createMemoryDisk();
          let spool = await open(disk);
          let log = createTaskLog(spool, SECRETS);
          let calls = 0;
          for (let at = spool.position, i = 0; at < source.length; i++) {
            const end = Math.min(source.length, at + (sizes[i % (sizes.length || 1)] ?? 5));
            await log.log(source.slice(at, end), end);
            at = end;
            if (++calls === crashAfter) {
              spool = await open(disk);
              log = createTaskLog(spool, SECRETS);
              at = spool.position;
            }
            if (says && i === 2) await log.log("");
          }
          await log.finish();
          // Two secrets that touch are one mask, unless the crash fell between them.
          expect((await textOf(spool)).replace(/(\*{3})+/g, "***")).toBe(maskText(pieces.join(""), SECRETS));
        },
      ),
      { numRuns: 200 },
    );
  });
});
