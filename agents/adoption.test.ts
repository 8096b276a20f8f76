import { describe, expect, it } from "vitest";
import { createVirtualClock } from "../tests/helpers/virtual_clock.ts";
import { createAdoptions, MAX_ADOPTIONS, PROBATION_MS } from "./adoption.ts";
import type { Orphan } from "./adoption.ts";

function setUp() {
  const clock = createVirtualClock();
  const adoptions = createAdoptions(clock);
  const said: string[] = [];
  const orphan = (name: string, counted: number, ends = new Promise<void>(() => {})): Orphan => ({
    adoptions: counted,
    count: async (times) => void said.push(`${name} counted ${times}`),
    run: () => (said.push(`${name} runs`), ends),
    stop: () => void said.push(`${name} stopped`),
    giveUp: async () => void said.push(`${name} given up`),
  });
  return { clock, adoptions, said, orphan };
}

describe("taking up what an agent left", () => {
  it("takes up together what nobody suspects, and forgets the count once it has lived on with them", async () => {
    const { clock, adoptions, said, orphan } = setUp();
    void adoptions.take(orphan("a", 0), false);
    void adoptions.take(orphan("b", 0), false);
    await clock.settle();
    expect(said.sort()).toEqual(["a counted 1", "a runs", "b counted 1", "b runs"]);
    await clock.advance(PROBATION_MS);
    expect(said.slice(4).sort()).toEqual(["a counted 0", "b counted 0"]);
  });

  it("takes up suspects one after the other, the least suspicious first", async () => {
    const { clock, adoptions, said, orphan } = setUp();
    void adoptions.take(orphan("worse", 2), false);
    void adoptions.take(orphan("bad", 1), false);
    await clock.settle();
    expect(said).toEqual(["bad counted 2", "bad runs"]);
    await clock.advance(PROBATION_MS);
    expect(said.slice(2)).toEqual([
      "bad counted 0",
      `worse counted ${MAX_ADOPTIONS + 1}`,
      "worse stopped",
      "worse runs",
    ]);
  });

  it("goes on with the next one at once when one ends within its probation", async () => {
    const { clock, adoptions, said, orphan } = setUp();
    const first = adoptions.take(orphan("first", 1, Promise.resolve()), false);
    void adoptions.take(orphan("second", 1), false);
    await first;
    await clock.settle();
    expect(said).toEqual(["first counted 2", "first runs", "second counted 2", "second runs"]);
    await clock.advance(PROBATION_MS);
    expect(said).not.toContain("first counted 0");
  });

  it("gives up what ended the agent even while it was stopped, without touching it", async () => {
    const { adoptions, said, orphan } = setUp();
    await adoptions.take(orphan("poison", MAX_ADOPTIONS + 1), false);
    expect(said).toEqual(["poison given up"]);
  });

  it("lets nothing wait that has been told to stop", async () => {
    const { clock, adoptions, said, orphan } = setUp();
    void adoptions.take(orphan("suspect", 1), false);
    void adoptions.take(orphan("cancelled", 1), true);
    await clock.settle();
    expect(said).toContain("cancelled runs");
    expect(clock.waiting).toBe(2);
  });
});
