import { beforeAll, expect, it } from "vitest";
import { seedWork } from "../../tests/helpers/seed_work.ts";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";
import type { TestDatabase } from "../../tests/helpers/test_database.ts";
import { removeRuns } from "./remove_runs.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});

/** Runs of one trigger, so many per age in days; oldest first. */
async function seed(ages: Record<number, number>): Promise<string> {
  const projectId = await seedWork(db).project();
  const id = db.newId();
  await db.sql`insert into trigger (id, project_id, source, name, kind, environment, start, rule, created_by)
    values (${id}, ${projectId}, 'api', 'often', 'api', 'prod', 'manual', '{}', 'ada')`;
  for (const [days, count] of Object.entries(ages).sort(([a], [b]) => Number(b) - Number(a))) {
    await db.sql`
      insert into trigger_run (id, project_id, trigger_id, trigger, environment, event, outcome, reason, actor, created_at)
      select u.id, ${projectId}, ${id}, 'often', 'prod', 'api', case when u.n = 1 then 'waiting' else 'not_fired' end, '{}',
        'ada', boreas_now() - make_interval(days => ${Number(days)})
      from unnest(${Array.from({ length: count }, () => db.newId())}::uuid[]) with ordinality as u(id, n)`;
  }
  return id;
}
async function removeAll(days: number): Promise<void> {
  for (let after: string | undefined, first = true; first || after !== undefined; first = false) {
    after = (await removeRuns(db, days, after)).next;
  }
}
const left = async (id: string) =>
  await db.sql`
    select extract(day from boreas_now() - created_at)::int as days, count(*)::int as count from trigger_run
    where trigger_id = ${id} group by 1 order by 1`;

it("removes what is older than is kept, and never what waits or is the memory of a week", async () => {
  const id = await seed({ 100: 5, 20: 5, 3: 5 });
  await removeAll(1);
  expect(await left(id)).toEqual([{ days: 3, count: 5 }, { days: 20, count: 1 }, { days: 100, count: 1 }]);
});

it("keeps the newest thousand of each trigger where everything is kept for ever", async () => {
  const id = await seed({ 30: 700, 20: 600, 3: 10 });
  await removeAll(0);
  const rows = await left(id);
  expect(rows.slice(0, 2)).toEqual([{ days: 3, count: 10 }, { days: 20, count: 600 }]);
  expect(rows[2]!.count).toBeLessThanOrEqual(391); // the rest of a thousand, and the one that waits
});
