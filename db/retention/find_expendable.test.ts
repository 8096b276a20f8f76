import { describe, expect, it } from "vitest";
import { seedPast } from "../../tests/helpers/seed_past.ts";
import { seedWork } from "../../tests/helpers/seed_work.ts";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";
import { findExpendable } from "./find_expendable.ts";

const db = await createTestDatabase();
const seed = seedWork(db);

describe("what may go", () => {
  it("is what is old, and beyond the count of each of its applications", async () => {
    const { past, expendable } = await seedPast(db, seed, "a");
    const all = [];
    for (const daysAgo of [100, 95, 50, 40, 10, 1]) all.push((await past({ daysAgo })).id);
    expect(await expendable(90)).toEqual(all.slice(0, 2));
    expect(await expendable(30)).toEqual(all.slice(0, 4));
    expect(await expendable(0, 4)).toEqual(all.slice(0, 2));
    expect(await expendable(45, 5)).toEqual(all.slice(0, 3));
    expect(await expendable(0)).toEqual([]);
  });

  it("is counted per application: one that is deployed seldom keeps its own", async () => {
    const { past, expendable } = await seedPast(db, seed, "busy", "quiet");
    const rare = await past({ tasks: { quiet: "success", busy: "success" } });
    const busy = [];
    for (let i = 0; i < 5; i++) busy.push((await past({ tasks: { busy: "success" }, daysAgo: 1 })).id);
    expect(await expendable(0, 2)).toEqual(busy.slice(0, 3));
    expect(await expendable(0, 2)).not.toContain(rare.id);
  });

  it("is never the last success nor the last failure of any application, however old", async () => {
    const { past, expendable } = await seedPast(db, seed, "a", "b");
    const old = await past();
    await past();
    const aFails = await past({ status: "rolled_back", tasks: { a: "failed", b: "success" } });
    await past({ status: "failed", tasks: { a: "success", b: "failed" } });
    await past({ status: "failed", tasks: { a: "failed", b: "success" } });
    await past({ tasks: { a: "success" } });
    const cancelled = await past({ status: "cancelled", tasks: { a: "cancelled" } });
    expect(await expendable(90)).toEqual([old.id, aFails.id, cancelled.id]);
  });

  it("is never what runs, what is open, nor what a rollback of either would go back to", async () => {
    const { past, runs, expendable } = await seedPast(db, seed, "a");
    const [v1, v2, v3, v4] = [await seed.version(), await seed.version(), await seed.version(), await seed.version()];
    const first = await past({ versionId: v1 });
    await past({ versionId: v1 });
    await past({ versionId: v2, previous: v1 });
    const between = await past({ versionId: v3, previous: v2 });
    await past({ versionId: v4, previous: v2 });
    await runs("a", v2);
    expect(await expendable(90)).toEqual([first.id, between.id]);
    // Under way: it found v3, and would go back to it.
    await past({ status: "running", versionId: await seed.version(), previous: v3 });
    expect(await expendable(90)).toEqual([first.id]);
  });

  it("comes in pages that pass over what stays", async () => {
    const { environmentId, past, expendable } = await seedPast(db, seed, "a", "b");
    const keeper = await past({ status: "failed", tasks: { b: "failed" } });
    for (let i = 0; i < 6; i++) await past();
    const all = await expendable(90);
    expect(all).toHaveLength(5);
    const paged: string[] = [];
    let after: string | null = null;
    do {
      const page: { ids: string[]; next: string | null } = await findExpendable(db, environmentId, {
        days: 90,
        deployments: 0,
      }, { after, limit: 2 });
      paged.push(...page.ids);
      after = page.next;
    } while (after);
    expect(paged).toEqual(all);
    expect(paged).not.toContain(keeper.id);
  });
});
