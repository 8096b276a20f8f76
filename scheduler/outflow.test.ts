import { describe, expect, it } from "vitest";
import { createVirtualClock } from "../tests/helpers/virtual_clock.ts";
import { BURST_MS, createOutflow, LAST_LOOK_MS } from "./outflow.ts";

const MIB = 1024 * 1024;

function setUp() {
  const clock = createVirtualClock();
  const outflow = createOutflow(clock, 10 * MIB);
  const ended: string[] = [];
  const reasons: string[] = [];
  const open = (name: string, mib = 0) => {
    const share = outflow.open((why) => {
      ended.push(name);
      reasons.push(why);
    });
    share.note(mib * MIB);
    return share;
  };
  return { clock, outflow, open, ended, reasons };
}

describe("what waits for all agents", () => {
  it("is not more than the limit for long: who holds most and reads nothing is let go, and told why", async () => {
    const { clock, outflow, open, ended, reasons } = setUp();
    open("small", 2);
    const [most, other] = [open("most", 5), open("other", 4)];
    await clock.advance(BURST_MS + LAST_LOOK_MS - 1);
    expect(ended).toEqual([]);
    await clock.advance(1);
    expect(ended).toEqual(["most"]);
    expect(reasons).toEqual([
      "11.0 MiB wait for all agents, 5.0 MiB of it for this one, and nothing of it leaves; " +
      "see whether its process hangs. It may connect again",
    ]);
    expect(outflow.waiting).toBe(6 * MIB);
    // Its end comes later, and what it noted is gone already.
    most.note(5 * MIB);
    most.end();
    expect(outflow.waiting).toBe(6 * MIB);
    // What grows from here on has its own moment.
    other.note(9 * MIB);
    await clock.advance(BURST_MS);
    expect(ended).toEqual(["most"]);
  });

  it("lets go as many as it takes, and none besides", async () => {
    const { clock, open, ended } = setUp();
    for (const mib of [1, 9, 2, 8, 3]) open(`${mib}`, mib);
    await clock.advance(BURST_MS + LAST_LOOK_MS);
    expect(ended).toEqual(["9", "8"]);
  });

  it("keeps who reads, however much waits for it: the line may be the master's own", async () => {
    const { clock, open, ended } = setUp();
    const reader = open("reader", 9);
    for (const mib of [3, 4]) open(`${mib}`, mib);
    await clock.advance(BURST_MS);
    reader.note(8.9 * MIB); // told at the last look only, as after a standstill
    reader.note(9 * MIB);
    await clock.advance(LAST_LOOK_MS);
    expect(ended).toEqual(["4", "3"]);
    open("third", 3);
    await clock.advance(BURST_MS + LAST_LOOK_MS);
    expect(ended).toEqual(["4", "3", "reader"]); // nothing has left since it was watched anew
  });

  it("is never more than twice the limit for long, whoever reads", async () => {
    const { clock, open, ended, reasons } = setUp();
    open("nothing waits for this one");
    const readers = [open("first", 8), open("second", 9), open("third", 6)];
    for (const reader of readers) reader.note(0);
    [8, 9, 6].forEach((mib, n) => readers[n]!.note(mib * MIB));
    for (const [n, reader] of readers.entries()) reader.note(([8, 9, 6][n]! - 0.1) * MIB);
    await clock.advance(BURST_MS + LAST_LOOK_MS);
    expect(ended).toEqual(["second"]);
    expect(reasons[0]).toContain("more than for any other");
    // Still beyond the limit: it is looked at again, and who has read nothing since is let go.
    await clock.advance(BURST_MS + LAST_LOOK_MS);
    expect(ended).toEqual(["second", "first"]);
  });

  it("may be more for the moment of a burst, of each anew", async () => {
    const { clock, open, ended } = setUp();
    const [one, other] = [open("one"), open("other")];
    for (let n = 0; n < 5; n++) {
      one.note(11 * MIB);
      await clock.advance(0.6 * BURST_MS);
      one.note(0);
      await clock.advance(0.6 * BURST_MS);
    }
    one.note(9 * MIB);
    other.note(9 * MIB);
    other.end();
    await clock.advance(5 * BURST_MS);
    expect(ended).toEqual([]);
  });
});
