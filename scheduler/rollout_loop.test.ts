/** When a machine that is away is given up: not while agents are on their way back to a leader that has just begun. */
import { beforeEach, describe, expect, it } from "vitest";
import { createHints } from "../db/hints.ts";
import { createClock } from "../host/clock.ts";
import { rolloutFleets } from "../tests/helpers/rollout_fleet.ts";
import { quiet } from "../tests/helpers/start_scheduler.ts";
import { createTestDatabase } from "../tests/helpers/test_database.ts";
import type { SchedulerDeps } from "./deps.ts";
import { soleLeader } from "./leadership.ts";
import { createRolloutLoop } from "./rollout_loop.ts";

const [LEASE, GRACE] = [30, 60];
const BATCH = { strategy: { type: "rolling", batch: 1 } };
const SKIPPED = { offline: { action: "skip", deadline: "1s" } };

const db = await createTestDatabase({ max: 1 }); // `boreas.now` is a connection's own
const { fleet, offline } = rolloutFleets(db);
let now = Date.parse("2030-01-01T00:00:00.000Z");
async function pass(seconds: number) {
  now += seconds * 1000;
  await db.sql`select set_config('boreas.now', ${new Date(now).toISOString()}, false)`;
}

/** A master that leads; each look is a run of its loop. */
function startMaster(more: Partial<SchedulerDeps> = {}) {
  let term = 1;
  const loop = createRolloutLoop({
    ...{ db, hints: createHints(), clock: createClock(), logger: quiet, chance: () => 0.5 },
    ...{ leaseSeconds: LEASE, sweepSeconds: 5, restartGraceSeconds: GRACE },
    leadership: { ...soleLeader, term: () => term },
    ...more,
  } as unknown as SchedulerDeps);
  return {
    loop,
    async look() {
      loop.start();
      await loop.stop();
    },
    leadAgain: () => void term++,
  };
}

/** A machine is away and its turn has come: whether it was given up. */
async function loseMachine(): Promise<() => Promise<boolean>> {
  const world = await fleet(1, BATCH, SKIPPED);
  await offline(world.ids[0]!, 0);
  const id = await world.deploy("v1");
  return async () => (await world.status(id)) !== "running";
}
/** Looks every few seconds until it is given up. @returns after how long that was */
async function giveUp(isGivenUp: () => Promise<boolean>, every: number, look: (second: number) => Promise<void>) {
  for (let second = every; second <= 600; second += every) {
    await pass(every);
    await look(second);
    if (await isGivenUp()) return second;
  }
  return Infinity;
}

beforeEach(async () => {
  await pass(3600);
  await db.sql`delete from setting where key = 'rollouts'`;
});

describe("a machine that is away", () => {
  it("is given up when the grace of the leader is over, and later ones without another", async () => {
    const isGivenUp = await loseMachine();
    const master = startMaster();
    await master.look();
    expect(await giveUp(isGivenUp, 5, master.look)).toBe(GRACE);
    expect(await giveUp(await loseMachine(), 5, master.look)).toBe(5);
  });

  it.each([
    { who: "the only master begins anew every 10 s", every: 10, starts: 10 },
    { who: "the only master begins anew every 40 s", every: 40, starts: 40 },
    { who: "the only master begins anew every 50 s, and looks between", every: 10, starts: 50 },
  ])("is given up within twice the grace while $who", async ({ every, starts }) => {
    let master = startMaster();
    await master.look();
    for (let round = 0; round < 3; round++) {
      const seconds = await giveUp(await loseMachine(), every, async (second) => {
        if (second % starts === 0) master = startMaster();
        await master.look();
      });
      expect(seconds).toBeLessThanOrEqual(2 * GRACE + 2 * every);
    }
  });

  it("gets a whole grace again when a leader was away for long, however long the one before was", async () => {
    const isGivenUp = await loseMachine();
    await startMaster().look();
    for (let times = 0; times < 2; times++) {
      await pass(50);
      await startMaster().look();
    }
    await pass(4 * LEASE);
    const master = startMaster();
    await master.look();
    expect(await isGivenUp()).toBe(false);
    expect(await giveUp(isGivenUp, 5, master.look)).toBe(GRACE);
  });

  it("gets one again when the lead comes back to the same master", async () => {
    const master = startMaster();
    await master.look();
    await pass(GRACE);
    await master.look();
    const isGivenUp = await loseMachine();
    master.leadAgain();
    await master.look();
    expect(await giveUp(isGivenUp, 5, master.look)).toBe(GRACE);
  });

  it("is given up all the same by a leader whose looks take long", async () => {
    const isGivenUp = await loseMachine();
    const master = startMaster();
    await master.look();
    expect(await giveUp(isGivenUp, 3 * LEASE, master.look)).toBe(3 * LEASE);
  });

  it("is looked for lease by lease while a grace is on, so that the next leader knows that one was there", async () => {
    const waits: number[] = [];
    const clock = createClock();
    const { loop } = await new Promise<ReturnType<typeof startMaster>>((resolve) => {
      const master: ReturnType<typeof startMaster> = startMaster({
        sweepSeconds: 600,
        clock: {
          ...clock,
          after(milliseconds) {
            waits.push(milliseconds);
            resolve(master);
            return { cancel() {} };
          },
        },
      });
      master.loop.start();
    });
    await loop.stop();
    expect(waits).toEqual([LEASE * 1000]);
  });
});
