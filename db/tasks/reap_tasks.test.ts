/** What counts as a loss of a task, and what a person reads when there were too many. */
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { expire, lease, reap, seedLeases } from "../../tests/helpers/hold_leases.ts";
import { claim, finish, success } from "../../tests/helpers/play_tasks.ts";
import type { World } from "../../tests/helpers/seed_release.ts";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";
import type { TestDatabase } from "../../tests/helpers/test_database.ts";
import { connectAgent } from "../agents/connect_agent.ts";
import { acceptTasks } from "./accept_tasks.ts";
import type { ClaimedTask } from "./claim_tasks.ts";
import { MAX_LOSSES } from "./lose_tasks.ts";
import { retryTask } from "./retry_task.ts";

let db: TestDatabase;
let world: World;
let mine: string;
beforeAll(async () => {
  db = await createTestDatabase();
});
beforeEach(async () => {
  let other: string;
  ({ world, mine, other } = await seedLeases(db));
  const [rest] = await claim(db, other, 1); // one task is left for the test
  await finish(db, rest!, success);
});

const read = async (id: string) =>
  (await db.sql<{ state: string; losses: number; attempt: number; reason: { code: string; text: string } }[]>`
    select state, losses, attempt, reason from task where id = ${id}`)[0]!;
const hold = async (): Promise<ClaimedTask> => {
  await db.sql`update task set run_after = boreas_now() where state = 'pending'`;
  return (await claim(db, mine, 1))[0]!;
};
/** Its lease ends, or it is back without the task. */
const ways = {
  async "an agent that is never heard of again"({ id }: ClaimedTask) {
    await expire(db, id);
    await reap(db);
  },
  async "an agent that comes back without it"({ agentId }: ClaimedTask) {
    const arrival = { agentId, sessionId: db.newId(), slots: 4, facts: {}, versions: {}, resumes: [] };
    await connectAgent(db, arrival, { leaseSeconds: 30, chance: () => 0.5 });
  },
};

describe.each(Object.entries(ways))("a task that is lost with %s", (_, lose) => {
  it("counts each time, begun or not, and says of how many attempts it was ever heard", async () => {
    let held = await hold();
    for (let losses = 1; losses < MAX_LOSSES; losses++) {
      if (losses <= 2) await acceptTasks(db, [lease(held)]);
      await lose(held);
      expect(await read(held.id)).toMatchObject({ state: "pending", losses });
      held = await hold();
    }
    await lose(held);
    const failed = await read(held.id);
    expect(failed).toMatchObject({ state: "failed", attempt: MAX_LOSSES, reason: { code: "task.losses_used_up" } });
    expect(failed.reason.text).toMatch(/^Given up: handed out and lost 5 times, the last time with mine-/);
    expect(failed.reason.text).toContain("Of its 5 attempts in all, agents said of 2 that they had begun.");
    expect(failed.reason.text).not.toContain("handing it out again");
  });

  it("begins to count anew when a person has it tried again", async () => {
    let held = await hold();
    for (let losses = 1; losses <= MAX_LOSSES; losses++) {
      await lose(held);
      if (losses < MAX_LOSSES) held = await hold();
    }
    await retryTask(world.deps, held.id, world.actor);
    held = await hold();
    await lose(held);
    expect(await read(held.id)).toMatchObject({ state: "pending", losses: 1, attempt: MAX_LOSSES + 1 });
  });
});
