/** Each guard of a lease, one test: take the guard out of the SQL and the test fails. */
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { reason } from "../../domain/reason.ts";
import { claim, failure, finish, success } from "../../tests/helpers/play_tasks.ts";
import { seedWorld } from "../../tests/helpers/seed_release.ts";
import type { World } from "../../tests/helpers/seed_release.ts";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";
import type { TestDatabase } from "../../tests/helpers/test_database.ts";
import { connectAgent } from "../agents/connect_agent.ts";
import { disconnectAgent } from "../agents/disconnect_agent.ts";
import { createDeployment } from "../deployments/create_deployment.ts";
import { startDeployment } from "../deployments/start_deployment.ts";
import { cancelDeployment } from "../deployments/cancel_deployment.ts";
import { appendChunks } from "../logs/append_chunks.ts";
import { acceptTasks, renewLeases } from "./accept_tasks.ts";
import { claimTasks } from "./claim_tasks.ts";
import { endPauses } from "./end_pauses.ts";
import { reapTasks } from "./reap_tasks.ts";
import { cancelTasks } from "./stop_tasks.ts";

let db: TestDatabase;
let world: World;
let mine: string;
let other: string;
let deployment: string;

beforeAll(async () => {
  db = await createTestDatabase();
});
beforeEach(async () => {
  const suffix = db.newId().slice(-6);
  world = await seedWorld(db, { applications: { [`a-${suffix}`]: {}, [`b-${suffix}`]: {} } });
  mine = await world.agent(`mine-${suffix}`);
  other = await world.agent(`other-${suffix}`);
  const versionId = await world.version(`v-${suffix}`);
  deployment = await createDeployment(world.deps, { versionId, environmentId: world.environmentId }, world.actor);
  await startDeployment(world.deps, deployment, world.actor);
});

const task = async (id: string) =>
  (await db.sql<{ state: string; fence: number; attempt: number; agentId: string | null; losses: number }[]>`
    select state, fence, attempt, agent_id, losses from task where id = ${id}`)[0]!;
const expire = (id: string) =>
  db.sql`update task set lease_expires_at = boreas_now() - interval '1 second' where id = ${id}`;
const reap = (graceSeconds = 0) => reapTasks(db, { leaseSeconds: 30, graceSeconds, chance: () => 0 });
const lease = (t: { id: string; fence: number; agentId: string }) => ({
  taskId: t.id,
  fence: t.fence,
  agentId: t.agentId,
});
const bytes = (text: string) => new TextEncoder().encode(text);
const waitingForLocks = async () =>
  (await db.sql`select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`).length;
/** The first lease ends unseen, and another agent gets the task. */
async function reclaimed() {
  const [first] = await claim(db, mine, 1);
  await expire(first!.id);
  await reap();
  const again = (await claim(db, other)).find((t) => t.id === first!.id)!;
  return { first: first!, again };
}

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
    const { first, again } = await reclaimed();
    expect(await finish(db, first, success)).toEqual([]);
    expect(await task(first.id)).toMatchObject({ state: "leased", fence: again.fence });
  });

  it("ends nothing, not even for the agent that holds the task again", async () => {
    const [first] = await claim(db, mine, 1);
    await expire(first!.id);
    await reap();
    const again = (await claim(db, mine)).find((t) => t.id === first!.id)!;
    expect(again.fence).toBe(first!.fence + 1);
    expect(await finish(db, first!, success)).toEqual([]);
    expect(await finish(db, again, success)).toEqual([first!.id]);
  });

  it("renews nothing and accepts nothing", async () => {
    const { first } = await reclaimed();
    expect(await renewLeases(db, [{ ...lease(first), agentId: other }], 30)).toEqual([]);
    expect(await acceptTasks(db, [{ ...lease(first), agentId: other }])).toEqual([]);
  });

  it("writes no log", async () => {
    const { first, again } = await reclaimed();
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
    await expire(first!.id);
    await reap();
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
    expect((await task(held!.id)).state).toBe("success");
  });

  it("that was renewed is not ended by a reaper that saw it expired", async () => {
    const [held] = await claim(db, mine, 1);
    await expire(held!.id);
    await renewLeases(db, [lease(held!)], 30);
    expect(await reap()).toBe(0);
    expect((await task(held!.id)).state).toBe("leased");
  });

  it("of a task that ended while the reaper waited for the row stays ended", async () => {
    const [held] = await claim(db, mine, 1);
    await expire(held!.id);
    let reaping: Promise<number> | undefined;
    await db.sql.begin(async (tx) => {
      await tx`select 1 from deployment where id = ${deployment} for update`;
      reaping = reap();
      // It has read its candidates and waits for the deployment's row; only now does the task end.
      await expect.poll(() => waitingForLocks()).toBe(1);
      await tx`select 1 from task where id = ${held!.id} for update`;
      await tx`update task set state = 'success', agent_id = null, lease_expires_at = null, completed_at = boreas_now() where id = ${
        held!.id
      }`;
    });
    expect(await reaping).toBe(0);
    expect((await task(held!.id)).state).toBe("success");
  });

  it("that nobody renewed hands the task out again, and counts as a loss, not as a failed attempt", async () => {
    const { first, again } = await reclaimed();
    expect(again).toMatchObject({ fence: first.fence + 1, attempt: 2 });
    expect(await task(first.id)).toMatchObject({ losses: 1 });
  });

  it("that kills its agent each time ends as failed, with the history in the reason", async () => {
    const [first] = await claim(db, mine, 1);
    for (let i = 0; i < 5; i++) {
      await expire(first!.id);
      await reap();
      await db.sql`update task set run_after = boreas_now() where id = ${first!.id}`;
      await claim(db, mine);
    }
    const [row] = await db.sql<
      { state: string; text: string }[]
    >`select state, reason ->> 'text' as text from task where id = ${first!.id}`;
    expect(row).toMatchObject({ state: "failed", text: expect.stringContaining("Failed after 5 attempts") });
  });

  it("of a task that is being cancelled ends it as cancelled", async () => {
    const [held] = await claim(db, mine, 1);
    await cancelDeployment(world.deps, deployment, world.actor);
    await expire(held!.id);
    await reap();
    expect((await task(held!.id)).state).toBe("cancelled");
  });

  it("does not end within the grace after a gap in which nobody swept", async () => {
    const [held] = await claim(db, mine, 1);
    await expire(held!.id);
    await db
      .sql`insert into setting (key, value, updated_at) values ('sweep', '{"graceUntil": "2000-01-01T00:00:00Z"}', boreas_now() - interval '1 hour')
      on conflict (key) do update set value = excluded.value, updated_at = excluded.updated_at`;
    expect(await reap(60)).toBe(0);
    await db.sql`update setting set value = '{"graceUntil": "2000-01-01T00:00:00Z"}' where key = 'sweep'`;
    expect(await reap(60)).toBe(1);
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
      expect(await task(first!.id)).toMatchObject({ state: "pending", losses: i });
      await due(first!.id);
      held = (await claim(db, mine)).find((t) => t.id === first!.id)!;
    }
    await finish(db, held, outcome(true));
    expect((await task(first!.id)).state).toBe("failed");
  });

  it("of the task's own is final when its attempts are used up", async () => {
    const [held] = await claim(db, mine, 1);
    await finish(db, held!, outcome(false));
    expect((await task(held!.id)).state).toBe("failed");
  });
});

describe("an arrival", () => {
  const arrive = (
    agentId: string,
    resumes: { taskId: string; fence: number; state: "running" | "suspended" | "finished" }[],
    sessionId = db.newId(),
  ) =>
    connectAgent(db, { agentId, sessionId, slots: 1, facts: {}, versions: {}, resumes }, {
      leaseSeconds: 30,
      chance: () => 0,
    });

  it("confirms what the agent still holds, and takes back what it no longer knows", async () => {
    const held = await claim(db, mine);
    const answer = await arrive(mine, [{ taskId: held[0]!.id, fence: held[0]!.fence, state: "running" }]);
    expect(answer!.verdicts).toEqual([{
      taskId: held[0]!.id,
      fence: held[0]!.fence,
      verdict: "continue",
      logOffset: 0,
    }]);
    expect((await task(held[1]!.id)).state).toBe("pending");
  });

  it("tells an agent to drop what somebody else holds by now", async () => {
    const { first } = await reclaimed();
    const answer = await arrive(mine, [{ taskId: first.id, fence: first.fence, state: "running" }]);
    expect(answer!.verdicts[0]!.verdict).toBe("abort");
  });

  it("renews nothing of what another agent holds", async () => {
    const [held] = await claim(db, other, 1);
    await expire(held!.id);
    const answer = await arrive(mine, [{ taskId: held!.id, fence: held!.fence, state: "running" }]);
    expect(answer!.verdicts[0]).toMatchObject({ verdict: "abort", logOffset: 0 });
    expect(await reap()).toBe(1);
  });

  it("asks for a result that was not taken yet, and for one that was: the answer lets it go", async () => {
    const [held] = await claim(db, mine, 1);
    const resume = [{ taskId: held!.id, fence: held!.fence, state: "finished" as const }];
    expect((await arrive(mine, resume))!.verdicts[0]!.verdict).toBe("send_result");
    await finish(db, held!, success);
    expect((await arrive(mine, resume))!.verdicts[0]!.verdict).toBe("send_result");
  });

  it("lets no revoked agent in", async () => {
    await db.sql`update agent set status = 'revoked' where id = ${mine}`;
    expect(await arrive(mine, [])).toBeUndefined();
  });

  it("is not undone by the end of an older session", async () => {
    const [older, newer] = [db.newId(), db.newId()];
    await arrive(mine, [], older);
    await arrive(mine, [], newer);
    await disconnectAgent(db, mine, older);
    const [row] = await db.sql<{ status: string }[]>`select status from agent where id = ${mine}`;
    expect(row!.status).toBe("connected");
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

/** Of two machines the first has the release; the pause before the second is under way. */
async function betweenBatches() {
  const suffix = db.newId().slice(-6);
  const w = await seedWorld(db, {
    type: "pm",
    applications: {
      [`r-${suffix}`]: { runtime: { script: { deploy: "d.sh" } }, strategy: { type: "rolling", batch: 1, wait: "1h" } },
    },
  });
  const agents = [await w.agent(`m1-${suffix}`), await w.agent(`m2-${suffix}`)];
  const id = await createDeployment(w.deps, {
    versionId: await w.version(`v-${suffix}`),
    environmentId: w.environmentId,
  }, w.actor);
  await startDeployment(w.deps, id, w.actor);
  const claimAll = async () => (await Promise.all(agents.map((a) => claim(db, a)))).flat();
  const [first] = await claimAll();
  await finish(db, first!, success);
  expect(await claimAll()).toEqual([]);
  const letItBeDue = () =>
    db.sql`update task set run_after = boreas_now() where deployment_id = ${id} and type = 'pause'`;
  return { id, w, claimAll, letItBeDue };
}

it("a wait between batches ends when its time has come, not before", async () => {
  const { id, claimAll, letItBeDue } = await betweenBatches();
  const before = await endPauses(db);
  expect(before.ended).toBe(0);
  expect(before.nextInSeconds).toBeGreaterThan(3000);
  await letItBeDue();
  expect((await endPauses(db)).ended).toBe(1);
  const [second] = await claimAll();
  await finish(db, second!, success);
  const [row] = await db.sql<{ status: string }[]>`select status from deployment where id = ${id}`;
  expect(row!.status).toBe("completed");
});

it("a wait that is cancelled while its end waits for the row stays cancelled, and nothing goes on behind it", async () => {
  const { id, claimAll, letItBeDue } = await betweenBatches();
  await letItBeDue();
  let ending: ReturnType<typeof endPauses> | undefined;
  await db.sql.begin(async (tx) => {
    await tx`select 1 from deployment where id = ${id} for update`;
    ending = endPauses(db);
    // It has seen that the wait is due and stands before the deployment's row; only now is it cancelled.
    await expect.poll(() => waitingForLocks()).toBe(1);
    await cancelTasks(tx, id, reason("task.cancelled", { detail: "Ada cancelled it." }));
  });
  await ending;
  const states = await db.sql<{ state: string }[]>`
    select state from task where deployment_id = ${id} and (type = 'pause' or is_leaf) order by position`;
  expect(states.map((t) => t.state)).toEqual(["success", "cancelled", "cancelled"]);
  expect(await claimAll()).toEqual([]);
});
