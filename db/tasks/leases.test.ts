/** Each guard of a lease, one test: take the guard out of the SQL and the test fails. */
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { expire, lease, readTask, reap, reclaimed, seedLeases } from "../../tests/helpers/hold_leases.ts";
import { claim, failure, finish, success } from "../../tests/helpers/play_tasks.ts";
import type { World } from "../../tests/helpers/seed_release.ts";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";
import type { TestDatabase } from "../../tests/helpers/test_database.ts";
import { waitingForLocks } from "../../tests/helpers/waiting_for_locks.ts";
import { cancelDeployment } from "../deployments/cancel_deployment.ts";
import { appendChunks } from "../logs/append_chunks.ts";
import { acceptTasks, renewLeases } from "./accept_tasks.ts";
import { claimTasks } from "./claim_tasks.ts";

let db: TestDatabase;
let world: World;
let mine: string;
let other: string;
let deployment: string;

beforeAll(async () => {
  db = await createTestDatabase();
});
beforeEach(async () => {
  ({ world, mine, other, deployment } = await seedLeases(db));
});
const bytes = (text: string) => new TextEncoder().encode(text);

describe("a claim", () => {
  it("gives each task to one agent, however many ask at once", async () => {
    const all = await Promise.all([mine, other, mine, other].map((id) => claim(db, id)));
    expect(all.flat().length).toBe(2);
    expect(new Set(all.flat().map((t) => t.id)).size).toBe(2);
  });

  it("gives no agent more than it has room for", async () => {
    expect((await claim(db, mine, 1)).length).toBe(1);
  });

  it("gives nothing of an environment that the agent is not bound to", async () => {
    await db.sql`delete from agent_environment where agent_id = ${mine}`;
    expect(await claim(db, mine)).toEqual([]);
  });

  it("gives a task that is meant for a machine to that machine only", async () => {
    await db.sql`update task set target_agent_id = ${other} where deployment_id = ${deployment}`;
    expect(await claim(db, mine)).toEqual([]);
    expect((await claim(db, other)).length).toBe(2);
  });

  it("serves the agents of one statement together, and takes each task once", async () => {
    const claimed = await claimTasks(db, [{ agentId: mine, agentName: "m", free: 2 }, {
      agentId: other,
      agentName: "o",
      free: 2,
    }], 30);
    expect(claimed.length).toBe(2);
    expect(new Set(claimed.map((t) => t.id)).size).toBe(2);
  });

  it("gives nothing to a connection whose agent has come back on another", async () => {
    const [older, newer] = [db.newId(), db.newId()];
    await db.sql`update agent set session_id = ${newer} where id = ${mine}`;
    const ask = (sessionId: string) => claimTasks(db, [{ agentId: mine, agentName: "m", free: 1, sessionId }], 30);
    expect(await ask(older)).toEqual([]);
    expect((await ask(newer)).length).toBe(1);
  });

  it("waits until a retry is due", async () => {
    await db.sql`update task set run_after = boreas_now() + interval '1 hour' where deployment_id = ${deployment}`;
    expect(await claim(db, mine)).toEqual([]);
  });

  it("skips rows that another transaction holds, instead of waiting for them", async () => {
    await db.sql.begin(async (tx) => {
      const [held] =
        await tx`select id from task where deployment_id = ${deployment} order by position limit 1 for update`;
      const claimed = await claim(db, mine);
      expect(claimed.length).toBe(1);
      expect(claimed[0]!.id).not.toBe(held!.id);
    });
  });
});

describe("an old fence", () => {
  it("ends nothing", async () => {
    const { first, again } = await reclaimed(db, mine, other);
    expect(await finish(db, first, success)).toEqual([]);
    expect(await readTask(db, first.id)).toMatchObject({ state: "leased", fence: again.fence });
  });

  it("ends nothing, not even for the agent that holds the task again", async () => {
    const [first] = await claim(db, mine, 1);
    await expire(db, first!.id);
    await reap(db);
    const again = (await claim(db, mine)).find((t) => t.id === first!.id)!;
    expect(again.fence).toBe(first!.fence + 1);
    expect(await finish(db, first!, success)).toEqual([]);
    expect(await finish(db, again, success)).toEqual([first!.id]);
  });

  it("renews nothing and accepts nothing", async () => {
    const { first } = await reclaimed(db, mine, other);
    expect(await renewLeases(db, [{ ...lease(first), agentId: other }], 30)).toEqual([]);
    expect(await acceptTasks(db, [{ ...lease(first), agentId: other }])).toEqual([]);
  });

  it("writes no log", async () => {
    const { first, again } = await reclaimed(db, mine, other);
    const chunk = { sequence: 0, offset: 0, data: bytes("late") };
    const [old, live] = [{ ...chunk, ...lease(first) }, { ...chunk, ...lease(again) }];
    expect(await appendChunks(db, [old])).toEqual([]);
    // The two may meet in one batch, in any order: the live one is answered all the same.
    expect(await appendChunks(db, [live, old])).toEqual([{
      taskId: first.id,
      fence: again.fence,
      agentId: other,
      attempt: 2,
      offset: 4,
    }]);
  });

  it("writes no log, not even for the agent that holds the task again", async () => {
    const [first] = await claim(db, mine, 1);
    await expire(db, first!.id);
    await reap(db);
    const again = (await claim(db, mine)).find((t) => t.id === first!.id)!;
    const chunk = { sequence: 0, offset: 0, data: bytes("late") };
    expect(await appendChunks(db, [{ ...chunk, ...lease(first!) }])).toEqual([]);
    expect((await appendChunks(db, [{ ...chunk, ...lease(again) }]))[0]).toMatchObject({ attempt: 2, offset: 4 });
  });
});

describe("a lease", () => {
  it("is believed only from its holder", async () => {
    const [held] = await claim(db, mine, 1);
    const stolen = { ...held!, agentId: other };
    expect(await finish(db, stolen, success)).toEqual([]);
    expect(await renewLeases(db, [lease(stolen)], 30)).toEqual([]);
    expect(await acceptTasks(db, [lease(stolen)])).toEqual([]);
    expect(await finish(db, held!, success)).toEqual([held!.id]);
  });

  it("ends once: a second result changes nothing", async () => {
    const [held] = await claim(db, mine, 1);
    await finish(db, held!, success);
    expect(await finish(db, held!, failure())).toEqual([]);
    expect((await readTask(db, held!.id)).state).toBe("success");
  });

  it("that was renewed is not ended by a reaper that saw it expired", async () => {
    const [held] = await claim(db, mine, 1);
    await expire(db, held!.id);
    await renewLeases(db, [lease(held!)], 30);
    expect(await reap(db)).toBe(0);
    expect((await readTask(db, held!.id)).state).toBe("leased");
  });

  it("of a task that ended while the reaper waited for the row stays ended", async () => {
    const [held] = await claim(db, mine, 1);
    await expire(db, held!.id);
    let reaping: Promise<number> | undefined;
    await db.sql.begin(async (tx) => {
      await tx`select 1 from deployment where id = ${deployment} for update`;
      reaping = reap(db);
      // It has read its candidates and waits for the deployment's row; only now does the task end.
      await expect.poll(() => waitingForLocks(db)).toBe(1);
      await tx`select 1 from task where id = ${held!.id} for update`;
      await tx`update task set state = 'success', agent_id = null, lease_expires_at = null, completed_at = boreas_now() where id = ${
        held!.id
      }`;
    });
    expect(await reaping).toBe(0);
    expect((await readTask(db, held!.id)).state).toBe("success");
  });

  it("that nobody renewed hands the task out again, and counts as a loss, not as a failed attempt", async () => {
    const { first, again } = await reclaimed(db, mine, other);
    expect(again).toMatchObject({ fence: first.fence + 1, attempt: 2 });
    expect(await readTask(db, first.id)).toMatchObject({ losses: 1 });
  });

  it("that kills its agent each time ends as failed, with the history in the reason", async () => {
    const [first] = await claim(db, mine, 1);
    for (let i = 0; i < 5; i++) {
      await expire(db, first!.id);
      await reap(db);
      await db.sql`update task set run_after = boreas_now() where id = ${first!.id}`;
      await claim(db, mine);
    }
    const [row] = await db.sql<
      { state: string; text: string }[]
    >`select state, reason ->> 'text' as text from task where id = ${first!.id}`;
    expect(row).toMatchObject({ state: "failed", text: expect.stringContaining("handed out and lost 5 times") });
  });

  it("of a task that is being cancelled ends it as cancelled", async () => {
    const [held] = await claim(db, mine, 1);
    await cancelDeployment(world.deps, deployment, world.actor);
    await expire(db, held!.id);
    await reap(db);
    expect((await readTask(db, held!.id)).state).toBe("cancelled");
  });

  it("does not end within the grace after a gap in which nobody swept", async () => {
    const [held] = await claim(db, mine, 1);
    await expire(db, held!.id);
    await db
      .sql`insert into setting (key, value, updated_at) values ('sweep', '{"graceUntil": "2000-01-01T00:00:00Z"}', boreas_now() - interval '1 hour')
      on conflict (key) do update set value = excluded.value, updated_at = excluded.updated_at`;
    expect(await reap(db, 60)).toBe(0);
    await db.sql`update setting set value = '{"graceUntil": "2000-01-01T00:00:00Z"}' where key = 'sweep'`;
    expect(await reap(db, 60)).toBe(1);
  });
});

describe("a failure", () => {
  const due = (id: string) => db.sql`update task set run_after = boreas_now() where id = ${id}`;
  const outcome = (retryable: boolean) => ({
    status: "failed" as const,
    message: "The machine is leaving.",
    retryable,
  });

  it("that another attempt may mend is tried again, a bounded number of times, without counting as the task's own", async () => {
    const [first] = await claim(db, mine, 1);
    let held = first!;
    for (let i = 1; i < 5; i++) {
      await finish(db, held, outcome(true));
      expect(await readTask(db, first!.id)).toMatchObject({ state: "pending", losses: i });
      await due(first!.id);
      held = (await claim(db, mine)).find((t) => t.id === first!.id)!;
    }
    await finish(db, held, outcome(true));
    expect((await readTask(db, first!.id)).state).toBe("failed");
  });

  it("of the task's own is final when its attempts are used up", async () => {
    const [held] = await claim(db, mine, 1);
    await finish(db, held!, outcome(false));
    expect((await readTask(db, held!.id)).state).toBe("failed");
  });
});

describe("log chunks", () => {
  const append = (
    t: { id: string; fence: number; agentId: string },
    ...chunks: [sequence: number, offset: number, text: string][]
  ) =>
    appendChunks(
      db,
      chunks.map(([sequence, offset, text]) => ({ ...lease(t), sequence, offset, data: bytes(text) })),
    );
  const stored = async (id: string) =>
    (await db.sql<
      { text: string }[]
    >`select string_agg(convert_from(data, 'utf8'), '' order by sequence) as text from log_chunk where task_id = ${id}`)[
      0
    ]!.text;

  it("are stored once and in order, whatever comes twice or shuffled", async () => {
    const [t] = await claim(db, mine, 1);
    await append(t!, [0, 0, "one "], [1, 4, "two "]);
    const heads = await append(t!, [2, 8, "three"], [1, 4, "two "], [0, 0, "one "]);
    expect(heads[0]!.offset).toBe(13);
    expect(await stored(t!.id)).toBe("one two three");
  });

  it("come only from who held the lease, also after the end", async () => {
    const [t] = await claim(db, mine, 1);
    expect(await append({ ...t!, agentId: other }, [0, 0, "forged"])).toEqual([]);
    await finish(db, t!, success);
    expect((await append(t!, [0, 0, "last words"]))[0]!.offset).toBe(10);
  });

  it("that would leave a gap are refused, and the answer says where to go on", async () => {
    const [t] = await claim(db, mine, 1);
    expect((await append(t!, [1, 4, "two"]))[0]!.offset).toBe(0);
    await append(t!, [0, 0, "one "]);
    expect((await append(t!, [2, 9, "x"]))[0]!.offset).toBe(4);
    expect((await append(t!, [1, 9, "x"]))[0]!.offset).toBe(4);
    expect(await stored(t!.id)).toBe("one ");
  });
});
