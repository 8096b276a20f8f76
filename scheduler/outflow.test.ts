import { describe, expect, it } from "vitest";
import { createVirtualClock } from "../tests/helpers/virtual_clock.ts";
import { createOutflow } from "./outflow.ts";

const MIB = 1024 * 1024;

function setUp() {
  const clock = createVirtualClock();
  const outflow = createOutflow(clock, 10 * MIB);
  const ended: string[] = [];
  const reasons: string[] = [];
  const open = (name: string) =>
    outflow.open((why) => {
      ended.push(name);
      reasons.push(why);
    });
  return { clock, outflow, open, ended, reasons };
}

describe("what waits for all agents", () => {
  it("is not more than the limit for long: whoever holds most is let go, and told why", async () => {
    const { clock, outflow, open, ended, reasons } = setUp();
    const [small, most, other] = [open("small"), open("most"), open("other")];
    small.note(2 * MIB);
    most.note(5 * MIB);
    other.note(4 * MIB);
    expect(ended).toEqual([]);
    await clock.advance(1000);
    small.note(2 * MIB);
    expect(ended).toEqual(["most"]);
    expect(reasons).toEqual([
      "11.0 MiB wait that agents do not read, and most of it, 5.0 MiB, for this one; " +
      "see whether its process hangs or its line is too slow. It may connect again",
    ]);
    expect(outflow.waiting).toBe(6 * MIB);
    // Its end comes later, and what it noted is gone already.
    most.note(5 * MIB);
    most.end();
    expect(outflow.waiting).toBe(6 * MIB);
    // What grows from here on has its own moment.
    other.note(9 * MIB);
    expect(ended).toEqual(["most"]);
  });

  it("lets go as many as it takes, and none besides", async () => {
    const { clock, open, ended } = setUp();
    const links = [1, 9, 2, 8, 3].map((mib) => ({ mib, share: open(`${mib}`) }));
    for (const { mib, share } of links) share.note(mib * MIB);
    await clock.advance(1000);
    links[0]!.share.note(MIB);
    expect(ended).toEqual(["9", "8"]);
  });

  it("may be more for the moment of a burst, of each anew", async () => {
    const { clock, open, ended } = setUp();
    const [one, other] = [open("one"), open("other")];
    for (let n = 0; n < 5; n++) {
      one.note(11 * MIB);
      await clock.advance(600);
      one.note(0);
      await clock.advance(600);
    }
    one.note(9 * MIB);
    other.note(9 * MIB);
    other.end();
    await clock.advance(5000);
    one.note(9 * MIB);
    expect(ended).toEqual([]);
  });
});
