/** The lead over a real database: one holder per term, by the database's clock, trusted no longer than it is held. */
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { resignLead, takeLead } from "../db/leader/take_lead.ts";
import { quiet } from "../tests/helpers/start_scheduler.ts";
import { createTestDatabase } from "../tests/helpers/test_database.ts";
import type { TestDatabase } from "../tests/helpers/test_database.ts";
import { createVirtualClock } from "../tests/helpers/virtual_clock.ts";
import { createCandidate } from "./candidate.ts";
import { createLoop } from "./loop.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});
beforeEach(async () => {
  await db.sql`delete from leader`;
});
const [one, two] = ["00000000-0000-7000-8000-000000000001", "00000000-0000-7000-8000-000000000002"] as const;
/** As if so many seconds had passed for the row. */
const age = (seconds: number) => db.sql`update leader set expires_at = expires_at - make_interval(secs => ${seconds})`;

describe("the row of the lead", () => {
  it("has one holder, who renews it within the same term", async () => {
    expect(await takeLead(db, one, 15)).toBe(1);
    expect(await takeLead(db, two, 15)).toBeUndefined();
    expect(await takeLead(db, one, 15)).toBe(1);
  });

  it("passes on with a new term when its time has run out, also back to the same holder", async () => {
    await takeLead(db, one, 15);
    await age(15.5);
    expect(await takeLead(db, two, 15)).toBe(2);
    expect(await takeLead(db, one, 15)).toBeUndefined();
    await age(15.5);
    expect(await takeLead(db, two, 15)).toBe(3);
  });

  it("is given back by its holder in that very term only", async () => {
    await takeLead(db, one, 15);
    await resignLead(db, one, 7);
    expect(await takeLead(db, two, 15)).toBeUndefined();
    await resignLead(db, one, 1);
    expect(await takeLead(db, two, 15)).toBe(2);
    await resignLead(db, one, 1);
    expect(await takeLead(db, one, 15)).toBeUndefined();
  });

  it("goes to one of many that ask at once", async () => {
    const ids = Array.from({ length: 12 }, () => db.newId());
    const terms = await Promise.all(ids.map((id) => takeLead(db, id, 15)));
    expect(terms.filter((term) => term !== undefined)).toEqual([1]);
  });
});

describe("a candidate", () => {
  const candidate = (clock = createVirtualClock(), answer: { term: number | undefined | Error } = { term: 1 }) => {
    const resigned: number[] = [];
    const made = createCandidate({
      take: () => answer.term instanceof Error ? Promise.reject(answer.term) : Promise.resolve(answer.term),
      resign: (term) => Promise.resolve(void resigned.push(term)),
      ttlSeconds: 10,
      clock,
      logger: quiet,
    });
    return { made, clock, answer, resigned };
  };

  it("leads while its renewals come through, and not a moment longer than the row holds for it", async () => {
    const { made, clock, answer } = candidate();
    made.start();
    await clock.settle();
    expect(made.term()).toBe(1);
    await clock.advance(60_000);
    expect(made.isLeader()).toBe(true);
    answer.term = new Error("the database is away");
    await clock.advance(10_000);
    expect(made.isLeader()).toBe(false);
    expect(made.term()).toBeUndefined();
    await made.stop();
  });

  it("tells when it begins to lead, once per term", async () => {
    const { made, clock, answer } = candidate(createVirtualClock(), { term: undefined });
    let gained = 0;
    made.onGain(() => gained++);
    made.start();
    await clock.advance(20_000);
    expect(gained).toBe(0);
    answer.term = 4;
    await clock.advance(20_000);
    expect([gained, made.term()]).toEqual([1, 4]);
    await made.stop();
  });

  it("gives the lead back when it stops", async () => {
    const { made, clock, resigned } = candidate(createVirtualClock(), { term: 9 });
    made.start();
    await clock.settle();
    await made.stop();
    expect([resigned, made.isLeader()]).toEqual([[9], false]);
  });

  it("keeps a loop still until it leads, and wakes it then", async () => {
    const { made, clock, answer } = candidate(createVirtualClock(), { term: undefined });
    let runs = 0;
    const loop = createLoop({
      name: "a poller",
      sweepSeconds: 1,
      clock,
      logger: quiet,
      onlyLeader: made,
      run: () => Promise.resolve(void runs++),
    });
    made.start();
    loop.start();
    await clock.advance(30_000);
    expect(runs).toBe(0);
    answer.term = 1;
    await clock.advance(4_000);
    expect(runs).toBeGreaterThan(0);
    answer.term = undefined;
    await clock.advance(4_000);
    const before = runs;
    await clock.advance(30_000);
    expect(runs).toBe(before);
    await loop.stop();
    await made.stop();
  });
});

it("lets a loop that rests run once for all that woke it meanwhile", async () => {
  const clock = createVirtualClock();
  let runs = 0;
  const loop = createLoop({
    name: "a timer",
    sweepSeconds: 60,
    restSeconds: 1,
    clock,
    logger: quiet,
    run: () => Promise.resolve(void runs++),
  });
  loop.start();
  await clock.settle();
  for (let i = 0; i < 100; i++) loop.wake();
  await clock.settle();
  expect(runs).toBe(1);
  await clock.advance(1_000);
  expect(runs).toBe(2);
  await clock.advance(10_000);
  loop.wake();
  await clock.settle();
  expect(runs).toBe(3);
  await loop.stop();
});
