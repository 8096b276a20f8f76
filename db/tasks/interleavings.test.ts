/**
 * Verbs that meet on the same rows, statement by statement in every order that fast-check thinks of, each on a connection
 * of its own. Whoever comes first: one of them has its way, the other is told so, and the tree adds up.
 */
import fc from "../../tests/helpers/fast_check.ts";
import { beforeAll, describe, expect, it } from "vitest";
import { createStage } from "../../tests/helpers/interleave.ts";
import type { Act, Stage } from "../../tests/helpers/interleave.ts";
import { modelRuns } from "../../tests/helpers/model_runs.ts";
import { claim, failure, finish, playAll, success } from "../../tests/helpers/play_tasks.ts";
import { seedWorld } from "../../tests/helpers/seed_release.ts";
import type { World } from "../../tests/helpers/seed_release.ts";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";
import type { TestDatabase } from "../../tests/helpers/test_database.ts";
import { connectAgent } from "../agents/connect_agent.ts";
import { cancelDeployment } from "../deployments/cancel_deployment.ts";
import { createDeployment } from "../deployments/create_deployment.ts";
import { startDeployment } from "../deployments/start_deployment.ts";
import { acceptTasks, renewLeases } from "./accept_tasks.ts";
import { cancelTask } from "./cancel_task.ts";
import { claimTasks } from "./claim_tasks.ts";
import type { ClaimedTask } from "./claim_tasks.ts";
import { reapTasks } from "./reap_tasks.ts";

const RUNS = 20;
let db: TestDatabase;
let stage: Stage;
beforeAll(async () => {
  db = await createTestDatabase();
  stage = await createStage(db, 3);
});

interface Row {
  id: string;
  name: string;
  parentId: string | null;
  state: string;
  unmet: number;
  losses: number;
  fence: number;
}
/** Application `first` on two machines at once, then `then` on the same. */
interface Scene {
  world: World;
  id: string;
  machines: string[];
  sessions: string[];
}

async function setUp(): Promise<Scene> {
  await db.sql`delete from deployment`;
  const suffix = db.newId().slice(-8);
  const runtime = { script: { deploy: "d.sh" } };
  const strategy = { type: "all", onFailure: { action: "continue" } };
  const applications = {
    [`first-${suffix}`]: { runtime, strategy },
    [`then-${suffix}`]: { runtime, strategy, needs: [`first-${suffix}`] },
  };
  const world = await seedWorld(db, { type: "pm", applications });
  const machines = [await world.agent(`m1-${suffix}`), await world.agent(`m2-${suffix}`)];
  const sessions = machines.map(() => db.newId());
  for (const [i, id] of machines.entries()) {
    await db.sql`update agent set session_id = ${sessions[i]!} where id = ${id}`;
  }
  const versionId = await world.version(`v-${suffix}`);
  const id = await createDeployment(world.deps, { versionId, environmentId: world.environmentId }, world.actor);
  await startDeployment(world.deps, id, world.actor);
  return { world, id, machines, sessions };
}

const tasks = ({ id }: Scene) =>
  db.sql<
    Row[]
  >`select id, name, parent_id, state, unmet, losses, fence from task where deployment_id = ${id} order by position`;
const status = async ({ id }: Scene) =>
  (await db.sql<{ status: string }[]>`select status from deployment where id = ${id}`)[0]!.status;
const expire = (id: string) =>
  db.sql`update task set lease_expires_at = boreas_now() - interval '1 s' where id = ${id}`;
const reap = (on: { sql: TestDatabase["sql"]; newId: () => string }) =>
  reapTasks(on, { leaseSeconds: 1000, graceSeconds: 0, chance: () => 0 });
const lease = (t: ClaimedTask) => ({ taskId: t.id, fence: t.fence, agentId: t.agentId });
const arrival = (agentId: string, sessionId: string) => ({
  ...{ agentId, sessionId, slots: 2, facts: {}, versions: {}, resumes: [] },
});

/** Runs the acts in one order after the other, each on a fresh scene. */
async function everyOrder(
  what: string,
  play: (scene: Scene, scheduler: fc.Scheduler, choice: number) => Promise<void>,
) {
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), fc.nat(5), async (scheduler, choice) => {
      const scene = await setUp();
      await play(scene, scheduler, choice);
      await expectWhole(scene);
      await goOn(scene);
    }),
    modelRuns(what, RUNS),
  );
}

/** What is true of a tree at any moment. */
async function expectWhole(scene: Scene): Promise<void> {
  const rows = await tasks(scene);
  for (const whole of rows) {
    const parts = rows.filter((t) => t.parentId === whole.id).map((t) => t.state);
    if (parts.length === 0) continue;
    const over = parts.every((state) => ["success", "failed", "cancelled", "skipped"].includes(state));
    const held = parts.some((state) => ["leased", "running", "cancelling"].includes(state));
    const shown = `${whole.name} is ${whole.state} of ${parts}`;
    expect(["success", "failed", "cancelled", "skipped"].includes(whole.state), shown).toBe(over);
    if (held) expect(whole.state, shown).toBe("running");
  }
}

/** Nothing is left that nobody moves: leases end, agents work, the deployment ends. */
async function goOn(scene: Scene): Promise<void> {
  for (let round = 0; round < 10; round++) {
    if (["completed", "failed", "cancelled"].includes(await status(scene))) break;
    await db
      .sql`update task set lease_expires_at = boreas_now() - interval '1 s' where deployment_id = ${scene.id} and agent_id is not null`;
    await reap(db);
    await db.sql`update task set run_after = boreas_now() where deployment_id = ${scene.id}`;
    await playAll(db, scene.machines);
  }
  expect(["completed", "failed", "cancelled"]).toContain(await status(scene));
  await expectWhole(scene);
}

describe("in any order of their statements,", () => {
  it("a cancel and two claims leave nothing to an agent that was not asked to stop", async () => {
    await everyOrder("cancel, claim, claim", async (scene, scheduler, choice) => {
      const { world, id, machines } = scene;
      const first = (await tasks(scene)).find((t) => t.parentId === null)!;
      const whole = choice % 2 === 0;
      await stage.together(scheduler, {
        one: (on) => claim(on, machines[0]!),
        cancel: (on) =>
          whole
            ? cancelDeployment({ ...world.deps, db: on }, id, world.actor)
            : cancelTask({ ...world.deps, db: on }, first.id, world.actor),
        two: (on) => claim(on, machines[1]!),
      });
      const parts = (await tasks(scene)).filter((t) => t.parentId === first.id);
      for (const part of parts) expect(["cancelling", "cancelled"]).toContain(part.state);
    });
  }, 300_000);

  it("a cancel and a result end a task once, and the agent's success stands", async () => {
    await everyOrder("cancel, finish", async (scene, scheduler, choice) => {
      const { world, id, machines } = scene;
      const [one] = await claim(db, machines[0]!);
      const outcome = choice % 2 === 0 ? success : failure();
      const answers = await stage.together(scheduler, {
        finish: (on) => finish(on, one!, outcome),
        cancel: (on) => cancelDeployment({ ...world.deps, db: on }, id, world.actor),
      });
      expect(answers.finish, "the word of a holder is taken").toEqual([one!.id]);
      const { state } = (await tasks(scene)).find((t) => t.id === one!.id)!;
      expect(choice % 2 === 0 ? ["success"] : ["failed", "cancelled"]).toContain(state);
    });
  }, 300_000);

  it("F11: a reaper and an agent's word on a lease that has ended: one of them has it", async () => {
    await everyOrder("reap, word", async (scene, scheduler, choice) => {
      const [one] = await claim(db, scene.machines[0]!);
      await expire(one!.id);
      const words: Act<string[]>[] = [
        (on) => finish(on, one!, success),
        (on) => finish(on, one!, failure()),
        (on) => renewLeases(on, [lease(one!)], 1000),
      ];
      const which = choice % words.length;
      const { word, reaped } = await stage.together(scheduler, { word: words[which]!, reaped: (on) => reap(on) });
      const row = (await tasks(scene)).find((t) => t.id === one!.id)!;
      expect(reaped).toBe((word as string[]).length === 0 ? 1 : 0);
      expect(row.state).toBe(reaped === 1 ? "pending" : ["success", "failed", "leased"][which]);
      expect(row.losses).toBe(reaped);
    });
  }, 300_000);

  it("an acceptance and a reaper: the task runs, or it is handed out again", async () => {
    await everyOrder("reap, accept", async (scene, scheduler) => {
      const [one] = await claim(db, scene.machines[0]!);
      await expire(one!.id);
      await stage.together(scheduler, { accept: (on) => acceptTasks(on, [lease(one!)]), reap: (on) => reap(on) });
      const row = (await tasks(scene)).find((t) => t.id === one!.id)!;
      expect(row).toMatchObject({ state: "pending", losses: 1 });
    });
  }, 300_000);

  it(
    "the last two results of a whole and a reaper unblock what waits once, and roll up as if one came after the other",
    async () => {
      await everyOrder("finish, finish, reap", async (scene, scheduler, choice) => {
        const { machines } = scene;
        const [one] = await claim(db, machines[0]!);
        const [two] = await claim(db, machines[1]!);
        const ends = [success, choice % 3 === 0 ? failure() : success] as const;
        const answers = await stage.together(scheduler, {
          one: (on) => finish(on, one!, ends[0]),
          two: (on) => finish(on, two!, ends[1]),
          reap: (on) => reap(on),
        });
        expect([answers.one, answers.two, answers.reap]).toEqual([[one!.id], [two!.id], 0]);
        const rows = await tasks(scene);
        const good = ends[1] === success;
        const tops = rows.filter((t) => t.parentId === null);
        expect(tops.map((t) => t.state)).toEqual(good ? ["success", "pending"] : ["failed", "skipped"]);
        const followers = rows.filter((t) => t.parentId === tops[1]!.id);
        expect(followers.map((t) => t.state)).toEqual(good ? ["pending", "pending"] : ["skipped", "skipped"]);
        if (good) expect(followers.map((t) => t.unmet)).toEqual([0, 0]);
      });
    },
    300_000,
  );

  it("a repeated result is taken once", async () => {
    await everyOrder("finish twice", async (scene, scheduler) => {
      const [one] = await claim(db, scene.machines[0]!);
      const again = (on: Parameters<Act>[0]) => finish(on, one!, success);
      const answers = await stage.together(scheduler, { once: again, twice: again });
      expect([...answers.once as string[], ...answers.twice as string[]]).toEqual([one!.id]);
    });
  }, 300_000);

  it(
    "a claim for a connection and the agent's next one: what the new one does not know of is handed out again",
    async () => {
      await everyOrder("connect, claim", async (scene, scheduler) => {
        const { machines, sessions } = scene;
        const [agentId, sessionId, newer] = [machines[0]!, sessions[0]!, db.newId()];
        const answers = await stage.together(scheduler, {
          claim: (on) => claimTasks(on, [{ agentId, agentName: "m1", free: 2, sessionId }], 1000),
          connect: (on) => connectAgent(on, arrival(agentId, newer), { leaseSeconds: 1000, chance: () => 0 }),
        });
        const given = (answers.claim as ClaimedTask[]).map((t) => t.id);
        for (const row of await tasks(scene)) {
          // Given and taken back, or still its own: then its lease ends unrenewed, since its agent does not know of it.
          if (given.includes(row.id)) expect(row).toMatchObject({ fence: 1, losses: row.state === "pending" ? 1 : 0 });
          else expect(row.fence).toBe(0);
        }
        expect(await claimTasks(db, [{ agentId, agentName: "m1", free: 2, sessionId }], 1000)).toEqual([]);
      });
    },
    300_000,
  );
});
