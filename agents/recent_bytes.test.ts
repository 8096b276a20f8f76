import fc from "../tests/helpers/fast_check.ts";
import { expect, it } from "vitest";
import { createRecentBytes } from "./recent_bytes.ts";

it("gives exactly the bytes it still has, or nothing", () => {
  const piece = fc.uint8Array({ minLength: 1, maxLength: 20 });
  fc.assert(fc.property(fc.array(piece), fc.integer({ min: 1, max: 60 }), fc.nat(200), (pieces, limit, forgotten) => {
    const recent = createRecentBytes(limit);
    const all: number[] = [];
    for (const bytes of pieces) {
      recent.add(all.length, bytes);
      all.push(...bytes);
    }
    recent.forget(forgotten);
    for (let from = 0; from <= all.length; from++) {
      for (const length of [1, 7, 30]) {
        const found = recent.read(from, length);
        if (found) expect([...found]).toEqual(all.slice(from, from + length));
        else if (from + length <= all.length) {
          const isOld = all.length - from > limit - 20 || from < forgotten;
          expect(isOld, `${from}+${length} of ${all.length}, limit ${limit}`).toBe(true);
        }
      }
    }
  }));
});
