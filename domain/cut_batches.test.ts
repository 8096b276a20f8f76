import fc from "../tests/helpers/fast_check.ts";
import { expect, it } from "vitest";
import { cutBatches } from "./cut_batches.ts";
import type { CutPart } from "./cut_batches.ts";
import { batchSize } from "./strategy.ts";

/** `m1 m2 | p1 | m3`: parts of batches with waits between; `begun` of them, in order, are not waiting. */
function rollout(targets: number, size: number, begun: number, hasWait: boolean): CutPart[] {
  const parts: CutPart[] = [];
  for (let at = 0, batch = 1; at < targets; at += size, batch++) {
    if (hasWait && at > 0) parts.push({ id: `p${batch - 1}`, isPause: true, isWaiting: true, batch: 0 });
    for (let n = at; n < Math.min(targets, at + size); n++) {
      parts.push({ id: `m${n + 1}`, isPause: false, isWaiting: true, batch });
    }
  }
  parts.slice(0, begun).forEach((part) => part.isWaiting = false);
  return parts;
}

it("deals out anew what has not begun, behind the batch or the wait that is under way", () => {
  expect(cutBatches(rollout(6, 2, 1, true), 4, true)).toEqual({
    behind: ["m1", "m2"],
    batches: [{ number: 2, ids: ["m3", "m4", "m5", "m6"], hasNewPause: true }],
    dropped: ["p1", "p2"],
  });
  expect(cutBatches(rollout(6, 2, 3, true), 1, true)).toEqual({
    behind: ["p1"],
    batches: [
      { number: 2, ids: ["m3"], hasNewPause: false },
      { number: 3, ids: ["m4"], hasNewPause: true },
      { number: 4, ids: ["m5"], hasNewPause: true },
      { number: 5, ids: ["m6"], hasNewPause: true },
    ],
    dropped: ["p2"],
  });
});

it("keeps every target once and in order, and never touches what has begun", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 12 }),
      fc.integer({ min: 1, max: 5 }),
      fc.nat(14),
      fc.boolean(),
      fc.oneof(fc.integer({ min: 1, max: 6 }), fc.constantFrom("10%", "50%", "100%")),
      (targets, size, begun, hasWait, batch) => {
        const parts = rollout(targets, size, begun, hasWait);
        const { batches, behind, dropped } = cutBatches(parts, batch, hasWait);
        const recut = batches.flatMap((b) => b.ids);
        const stays = parts.filter((p) => !p.isPause && !recut.includes(p.id));
        expect([...stays.map((p) => p.id), ...recut]).toEqual(parts.filter((p) => !p.isPause).map((p) => p.id));
        expect(parts.filter((p) => recut.includes(p.id) || dropped.includes(p.id)).every((p) => p.isWaiting)).toBe(
          true,
        );
        // Whatever goes with a target that has begun has begun with it.
        for (const part of parts.filter((p) => !p.isPause && !p.isWaiting)) {
          expect(stays.map((p) => p.batch)).toContain(part.batch);
        }
        expect(batches.slice(0, -1).every((b) => b.ids.length === batchSize(batch, targets))).toBe(true);
        expect(behind.every((id) => !recut.includes(id) && !dropped.includes(id))).toBe(true);
        expect(behind.length > 0).toBe(stays.length > 0);
      },
    ),
    { numRuns: 1000 },
  );
});
