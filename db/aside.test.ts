import { expect, it } from "vitest";
import type { DeploymentState } from "../domain/deployment_state.ts";
import type { SeedTask } from "../tests/helpers/seed_work.ts";
import { seedWork } from "../tests/helpers/seed_work.ts";
import { createTestDatabase } from "../tests/helpers/test_database.ts";
import { createVirtualClock } from "../tests/helpers/virtual_clock.ts";
import { type Aside, createAside } from "./aside.ts";
import { answerQuestions } from "./deployments/answer_questions.ts";
import { endRollbacks } from "./deployments/end_rollbacks.ts";
import { endUnclaimedHooks } from "./rollouts/end_unclaimed_hooks.ts";
import { settleMissing } from "./rollouts/settle_missing.ts";
import { endPauses } from "./tasks/end_pauses.ts";
import { reapTasks } from "./tasks/reap_tasks.ts";

const db = await createTestDatabase();
const seed = seedWork(db);
await db.sql.unsafe(`
  create table poisoned (id uuid primary key);
  create function refuse_poisoned() returns trigger language plpgsql as $$ begin
    if exists (select from poisoned where id = new.id) then raise exception 'poisoned'; end if;
    return new;
  end $$;
  create trigger poison before update on task for each row execute function refuse_poisoned();
  create trigger poison before update on deployment for each row execute function refuse_poisoned();`);
const poison = (id: string) => db.sql`insert into poisoned values (${id})`;
const heal = () => db.sql`delete from poisoned`;

function watched() {
  const clock = createVirtualClock();
  const said: Record<string, unknown>[] = [];
  const logger = { log: (_level: string, _message: string, context = {}) => void said.push(context) };
  return { clock, said, aside: createAside({ clock, logger }, "a row") };
}
const past = db.sql`boreas_now() - interval '1 day'`;

/** What each sweep would end, as rows; every task here is due. */
const SWEEPS: Record<string, {
  sweep(aside: Aside): Promise<unknown>;
  task: Partial<SeedTask>;
  status?: DeploymentState;
  target?: boolean;
}> = {
  "waits that are over": { sweep: (aside) => endPauses(db, aside), task: { type: "pause", isLeaf: false } },
  "leases that nobody renewed": {
    sweep: (aside) => reapTasks(db, { leaseSeconds: 30, graceSeconds: 0, chance: () => 0, aside }),
    task: { state: "running" },
  },
  "questions that nobody answered": {
    sweep: (aside) => answerQuestions(db, aside),
    task: { state: "failed" },
    status: "paused",
  },
  "rollbacks that are over their time": {
    sweep: (aside) => endRollbacks(db, aside),
    task: { isRollback: true },
    status: "rolling_back",
  },
  "hooks that no agent takes": {
    sweep: (aside) => endUnclaimedHooks(db, aside),
    task: { type: "hook", isRollback: true, payload: { timeoutSeconds: 60 } },
    status: "rolling_back",
  },
  "machines that are away": { sweep: (aside) => settleMissing(db, aside), task: {}, target: true },
};

it.each(Object.entries(SWEEPS))("%s: one that cannot be ended keeps no other from its end", async (_name, row) => {
  const { said, aside, clock } = watched();
  const due = async () => {
    const deployment = await seed.deployment({ status: row.status ?? "running" });
    const taskId = await seed.task({
      deploymentId: deployment.id,
      environmentId: deployment.environmentId,
      ...row.task,
    });
    await db.sql`update task set run_after = ${past}, state_since = ${past},
      lease_expires_at = case when agent_id is not null then ${past} end where id = ${taskId}`;
    if (row.target) {
      const agentId = await seed.agent({ status: "disconnected" });
      await db.sql`update agent set last_seen_at = ${past} where id = ${agentId}`;
      await db.sql`update task set target_agent_id = ${agentId} where id = ${taskId}`;
    }
    await db.sql`update deployment set ask_until = ${row.status === "paused" ? past : null}, ask_default = 'fail',
      rollback_until = ${row.status === "rolling_back" ? past : null}, rollback_seconds = 60,
      reason = case when ${
      row.status === "paused"
    } then '{"code": "deployment.paused_on_failure", "params": {}, "text": ""}'::jsonb else reason end
      where id = ${deployment.id}`;
    return { taskId, deploymentId: deployment.id };
  };
  const seen = async ({ taskId, deploymentId }: { taskId: string; deploymentId: string }) =>
    (await db.sql`select t.state, t.reason ->> 'code' as code, d.status, d.reason ->> 'code' as why
      from task t join deployment d on d.id = t.deployment_id where t.id = ${taskId} and d.id = ${deploymentId}`)[0];
  const [bad, good] = [await due(), await due()];
  const before = await seen(bad);
  await poison(row.status === "paused" ? bad.deploymentId : bad.taskId);
  await row.sweep(aside);
  expect(await seen(bad)).toEqual(before);
  expect(await seen(good)).not.toEqual(before);
  expect(said).toEqual([expect.objectContaining({ failures: 1, error: expect.stringContaining("poisoned") })]);
  expect([bad.taskId, bad.deploymentId]).toContain(said[0]!.id);
  // It is let alone for a while, then tried again, for longer and longer; and goes on by itself when that is mended.
  await row.sweep(aside);
  expect(said).toHaveLength(1);
  await clock.advance(5_001);
  await row.sweep(aside);
  expect(said.map((one) => one.againInSeconds)).toEqual([5, 10]);
  await heal();
  await clock.advance(10_001);
  await row.sweep(aside);
  expect(await seen(bad)).toEqual(await seen(good));
  expect(aside.ids()).toEqual([]);
});

it.each([
  ["is away", "ECONNREFUSED"],
  ["has no name any more", "ENOTFOUND"],
  ["has a full disk", "53100"],
])("while the database %s (%s) nothing is put aside, and the sweep ends", async (_why, code) => {
  const { aside, said } = watched();
  const away = Object.assign(new Error("no"), { code });
  await expect(aside.attempt("a", () => Promise.reject(away))).rejects.toBe(away);
  await expect(aside.attemptAll(["a", "b"], () => Promise.reject(away))).rejects.toBe(away);
  expect([aside.ids(), said]).toEqual([[], []]);
});
