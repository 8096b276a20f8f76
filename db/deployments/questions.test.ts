import { beforeAll, describe, expect, it } from "vitest";
import { claim, failure, finish, success } from "../../tests/helpers/play_tasks.ts";
import { seedWorld } from "../../tests/helpers/seed_release.ts";
import type { World } from "../../tests/helpers/seed_release.ts";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";
import type { TestDatabase } from "../../tests/helpers/test_database.ts";
import { catchUp } from "../rollouts/catch_up.ts";
import { decideTask } from "../tasks/decide_task.ts";
import { reapTasks } from "../tasks/reap_tasks.ts";
import { getTasksOfDeployment } from "../tasks/read_tasks.ts";
import { answerQuestions } from "./answer_questions.ts";
import { createDeployment } from "./create_deployment.ts";
import { editDeployment } from "./edit_deployment.ts";
import { endRollbacks } from "./end_rollbacks.ts";
import { pauseDeployment, resumeDeployment } from "./pause_deployment.ts";
import { rollbackDeployment } from "./rollback_deployment.ts";
import { startDeployment } from "./start_deployment.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});

interface Fleet extends World {
  machines: string[];
  names: string[];
  deploy(version: string): Promise<string>;
  /** Each machine does what it is given, and fails at what `fails` names. */
  play(fails?: (machine: string, task: string) => boolean): Promise<string[]>;
  read(id: string): Promise<{ status: string; code: string; text: string; onFailure: string; askUntil: string | null }>;
  shape(id: string): Promise<string[]>;
  taskOf(id: string, machine: string): Promise<string>;
}
let count = 0;

async function fleet(
  size: number,
  onFailure: Record<string, unknown>,
  strategy: Record<string, unknown> = {},
): Promise<Fleet> {
  const suffix = `q${++count}`;
  const type = { type: "rolling", batch: 1, ...strategy, onFailure };
  const runtime = { script: { deploy: "d.sh" } };
  const world = await seedWorld(db, {
    type: "pm",
    applications: {
      [`order-${suffix}`]: { runtime, strategy: type },
      [`pay-${suffix}`]: { runtime, strategy: type, needs: [`order-${suffix}`] },
    },
  });
  const machines: string[] = [];
  const names = Array.from({ length: size }, (_, i) => `m${i + 1}-${suffix}`);
  for (const name of names) machines.push(await world.agent(name));
  const bare = (text: string) => text.replaceAll(`-${suffix}`, "");
  return {
    ...world,
    machines,
    names,
    async deploy(version) {
      const versionId = await world.version(`${version}-${suffix}`);
      const id = await createDeployment(world.deps, { versionId, environmentId: world.environmentId }, world.actor);
      await startDeployment(world.deps, id, world.actor);
      return id;
    },
    async play(fails = () => false) {
      const played: string[] = [];
      for (let more = true; more;) {
        more = false;
        for (const [i, agent] of machines.entries()) {
          for (const task of await claim(db, agent, 5)) {
            more = true;
            const app = bare(String(task.payload.app));
            played.push(`${app} m${i + 1}`);
            await finish(db, task, fails(`m${i + 1}`, app) ? failure(`${app} broke on m${i + 1}.`) : success);
          }
        }
      }
      return played;
    },
    async read(id) {
      const [row] = await db.sql<
        { status: string; code: string; text: string; onFailure: string; askUntil: string | null }[]
      >`select status, reason ->> 'code' as code, reason ->> 'text' as text, on_failure, ask_until from deployment where id = ${id}`;
      return { ...row!, text: bare(row!.text) };
    },
    shape: async (id) =>
      (await getTasksOfDeployment(db, id)).filter((t) => t.parentId !== null).map((t) =>
        `${bare(String(t.payload.app))} ${bare(t.name)} ${t.step === "blocked" ? "blocked" : t.status}`
      ),
    taskOf: async (id, machine) =>
      (await getTasksOfDeployment(db, id)).find((t) => bare(t.name) === machine && t.status === "failed")!.id,
  };
}
const overdue = (id: string) =>
  db.sql`update deployment set ask_until = ask_until - interval '1 h', rollback_until = rollback_until - interval '1 h' where id = ${id}`;
const ASK = { action: "pause" };

describe("a failure that asks", () => {
  it("pauses: what runs goes on, nothing new starts, and the failed task is decided about, not resumed over", async () => {
    const world = await fleet(3, ASK, { batch: 2 });
    const id = await world.deploy("v1");
    const [bad] = await claim(db, world.machines[0]!, 1);
    const [other] = await claim(db, world.machines[1]!, 1);
    await finish(db, bad!, failure("The port is taken."));
    expect(await world.read(id)).toMatchObject({
      status: "paused",
      text: "Paused because m1 failed: The port is taken. Decide: fail, retry, ignore or exclude it, or roll back.",
      askUntil: null,
    });
    expect(await finish(db, other!, success)).toEqual([other!.id]);
    expect(await world.play()).toEqual([]);
    expect((await world.read(id)).status).toBe("paused");
    await expect(resumeDeployment(world.deps, id, world.actor)).rejects.toThrow(
      /Answer with POST \/tasks\/:id\/decide/,
    );
    await expect(decideTask(world.deps, other!.id, "ignore", world.actor)).rejects.toThrow(/Nobody is asked/);
  });

  it("fail: ends as a stop would, and what waited is skipped", async () => {
    const world = await fleet(2, ASK);
    const id = await world.deploy("v1");
    await world.play((m) => m === "m1");
    await decideTask(world.deps, await world.taskOf(id, "m1"), "fail", world.actor, "not today");
    expect((await world.read(id)).status).toBe("failed");
    expect(await world.shape(id)).toEqual(["order m1 failed", "order m2 skipped", "pay m1 skipped", "pay m2 skipped"]);
  });

  it("retry: does the task again, and asks again when it fails again", async () => {
    const world = await fleet(2, ASK);
    const id = await world.deploy("v1");
    await world.play((m) => m === "m1");
    await decideTask(world.deps, await world.taskOf(id, "m1"), "retry", world.actor);
    expect((await world.read(id)).status).toBe("running");
    expect(await world.play((m) => m === "m1")).toEqual(["order m1"]);
    expect((await world.read(id)).code).toBe("deployment.paused_on_failure");
    await decideTask(world.deps, await world.taskOf(id, "m1"), "retry", world.actor);
    expect(await world.play()).toEqual(["order m1", "order m2", "pay m1", "pay m2"]);
    expect((await world.read(id)).status).toBe("completed");
  });

  it("ignore: counts as done, is told as ignored by whom, and the choice is in the audit", async () => {
    const world = await fleet(2, ASK);
    const id = await world.deploy("v1");
    await world.play((m, app) => m === "m2" && app === "order");
    const task = await world.taskOf(id, "m2");
    await decideTask(world.deps, task, "ignore", world.actor, "Known trouble.");
    const told = (await getTasksOfDeployment(db, id)).find((t) => t.id === task)!;
    expect([told.status, told.reason.text]).toEqual([
      "success",
      "Counts as done, because tester ignored its failure: Known trouble. It had failed: order broke on m2.",
    ]);
    expect(await world.play()).toEqual(["pay m1", "pay m2"]);
    expect((await world.read(id)).status).toBe("completed");
    const [audit] = await db
      .sql`select actor, detail from audit where target = ${`task:${task}`} and action = 'task.decide'`;
    expect(audit).toEqual({ actor: "tester", detail: { choice: "ignore", note: "Known trouble." } });
  });

  it("exclude: leaves the machine out of all that is to come, and it catches up only when somebody asks", async () => {
    const world = await fleet(3, ASK);
    const id = await world.deploy("v1");
    await world.play((m) => m === "m2");
    const task = await world.taskOf(id, "m2");
    await decideTask(world.deps, task, "exclude", world.actor, "Its disk is dying.");
    expect(await world.play()).toEqual(["order m3", "pay m1", "pay m3"]);
    expect(await world.shape(id)).toEqual([
      ...["order m1 success", "order m2 skipped", "order m3 success"],
      ...["pay m1 success", "pay m2 skipped", "pay m3 success"],
    ]);
    expect(await world.read(id)).toMatchObject({ status: "completed", text: expect.stringContaining("but not on m2") });
    expect(await catchUp(world.deps)).toBe(0);
    await decideTask(world.deps, task, "retry", world.actor);
    expect(await catchUp(world.deps)).toBe(1);
    expect(await world.play()).toEqual(["order m2"]);
  });

  it("exclude: what has not begun can be cut anew, and waits for nobody who is left out", async () => {
    const world = await fleet(6, ASK, { batch: 2 });
    const id = await world.deploy("v1");
    await world.play((m) => m === "m3");
    await decideTask(world.deps, await world.taskOf(id, "m3"), "exclude", world.actor);
    await editDeployment(world.deps, id, { strategy: { batch: 1 } }, world.actor);
    expect(await world.play()).toEqual([
      ...["order m4", "order m5", "order m6"],
      ...["pay m1", "pay m2", "pay m4", "pay m5", "pay m6"],
    ]);
    expect(await world.read(id)).toMatchObject({ status: "completed", text: expect.stringContaining("but not on m3") });
  });

  it("exclude: a machine that is left out of its batch draws no other back with it", async () => {
    const ask = { action: "pause", scope: "batch", askFor: "10m", default: "rollback" };
    const world = await fleet(4, ask);
    const id = await world.deploy("v1");
    await world.play((m) => m === "m2");
    await decideTask(world.deps, await world.taskOf(id, "m2"), "exclude", world.actor);
    const [third] = await claim(db, world.machines[2]!, 1);
    await editDeployment(world.deps, id, { strategy: { batch: 2 } }, world.actor);
    await finish(db, third!, failure("broken"));
    await overdue(id);
    expect(await answerQuestions(db)).toBe(1);
    expect((await world.play()).sort()).toEqual(["order m2", "order m3"]);
  });

  it("of two tasks asks about both: one answered, it asks about the other", async () => {
    const world = await fleet(2, ASK, { batch: 2 });
    const id = await world.deploy("v1");
    const both = [...await claim(db, world.machines[0]!, 1), ...await claim(db, world.machines[1]!, 1)];
    for (const task of both) await finish(db, task, failure("broken"));
    await decideTask(world.deps, await world.taskOf(id, "m1"), "ignore", world.actor);
    expect(await world.read(id)).toMatchObject({
      status: "paused",
      text: expect.stringMatching(/first m2: broken/),
    });
    await decideTask(world.deps, await world.taskOf(id, "m2"), "retry", world.actor);
    expect(await world.play()).toEqual(["order m2", "pay m1", "pay m2"]);
    expect((await world.read(id)).status).toBe("completed");
  });

  it("is asked of the whole too: one answer for all its failed parts", async () => {
    const world = await fleet(2, ASK, { batch: 2 });
    const id = await world.deploy("v1");
    const both = [...await claim(db, world.machines[0]!, 1), ...await claim(db, world.machines[1]!, 1)];
    for (const task of both) await finish(db, task, failure("broken"));
    const readWhole = async () => (await getTasksOfDeployment(db, id)).find((t) => t.parentId === null)!;
    await decideTask(world.deps, (await readWhole()).id, "retry", world.actor);
    expect((await readWhole()).status).toBe("pending"); // none of them has begun again yet
    expect(await world.play()).toHaveLength(4);
    expect((await world.read(id)).status).toBe("completed");
  });

  it("is asked also when a person had paused before it failed", async () => {
    const world = await fleet(2, ASK);
    const id = await world.deploy("v1");
    const [task] = await claim(db, world.machines[0]!, 1);
    await pauseDeployment(world.deps, id, world.actor);
    await finish(db, task!, failure("late"));
    expect((await world.read(id)).code).toBe("deployment.paused_on_failure");
    await decideTask(world.deps, task!.id, "ignore", world.actor);
    expect(await world.play()).toHaveLength(3);
  });

  it("with a tolerated failure before it counts nobody's wait twice", async () => {
    const world = await fleet(4, ASK, { batch: 2, maxFailures: 1 });
    const id = await world.deploy("v1");
    await world.play((m, app) => app === "order" && (m === "m1" || m === "m3"));
    expect((await world.read(id)).status).toBe("paused");
    await decideTask(world.deps, await world.taskOf(id, "m1"), "ignore", world.actor);
    await world.play();
    expect((await world.read(id)).status).toBe("completed");
  });
});

describe("a question with an end", () => {
  const until = (answer: string) => ({ action: "pause", askFor: "10m", default: answer });
  it.each([
    ["rollback", "rolling_back"],
    ["fail", "failed"],
    ["ignore", "running"],
    ["exclude", "running"],
    ["retry", "running"],
  ])("answers itself with %s", async (answer, status) => {
    const world = await fleet(2, until(answer));
    await world.play();
    const id = await world.deploy("v1");
    await world.play((m) => m === "m1");
    expect(await world.read(id)).toMatchObject({
      status: "paused",
      text: expect.stringMatching(new RegExp(`Answers itself with ${answer} at \\d.*Z\\.$`)),
    });
    expect(await answerQuestions(db)).toBe(0);
    await overdue(id);
    expect(await answerQuestions(db)).toBe(1);
    expect(await world.read(id)).toMatchObject({ status, askUntil: null });
    const [audit] = await db
      .sql`select actor, detail ->> 'choice' as choice from audit a join task t on a.target = 'task:' || t.id
      where t.deployment_id = ${id} and a.action = 'task.decide'`;
    expect(audit).toEqual({ actor: "the default answer", choice: answer });
  });

  it("tries again by itself once, and then fails", async () => {
    const world = await fleet(1, until("retry"));
    const id = await world.deploy("v1");
    for (let tries = 0; tries < 2; tries++) {
      expect(await world.play(() => true)).toEqual(["order m1"]);
      await overdue(id);
      expect(await answerQuestions(db)).toBe(1);
    }
    expect((await world.read(id)).status).toBe("failed");
  });

  it("is over when a person has answered, and asks first also before a rollback", async () => {
    const world = await fleet(2, { action: "rollback", askFor: "10m" });
    const id = await world.deploy("v1");
    await world.play((m) => m === "m1");
    expect((await world.read(id)).text).toMatch(/Answers itself with rollback at/);
    await decideTask(world.deps, await world.taskOf(id, "m1"), "ignore", world.actor);
    await overdue(id);
    expect(await answerQuestions(db)).toBe(0);
    expect((await world.read(id)).status).toBe("running");
  });
});

describe("a rollback", () => {
  const BACK = { action: "rollback", deadline: "10m" };
  const fails = async (world: Fleet) => {
    await world.deploy("v1");
    await world.play();
    const id = await world.deploy("v2");
    let times = 0;
    await world.play((m) => m === "m2" && times++ === 0);
    return id;
  };
  it("that has not ended by its deadline has failed, and says what is not back", async () => {
    const world = await fleet(2, BACK, { batch: 2 });
    await world.deploy("v1");
    await world.play();
    const id = await world.deploy("v2");
    const [one] = await claim(db, world.machines[0]!, 1);
    const [two] = await claim(db, world.machines[1]!, 1);
    await finish(db, one!, success);
    await finish(db, two!, failure("broken"));
    const [back] = await claim(db, world.machines[0]!, 1);
    await finish(db, back!, success);
    // The other machine is away for ever.
    await overdue(id);
    expect(await endRollbacks(db)).toBe(1);
    const now = await world.read(id);
    expect([now.status, now.text]).toEqual([
      "rollback_failed",
      "The rollback failed at order: 1 of 2 parts failed, first m2: Not back after 600 s, the most that this rollback may take. The targets need a person.",
    ]);
    await rollbackDeployment(world.deps, id, world.actor);
    await world.play();
    expect((await world.read(id)).status).toBe("rolled_back");
  });
  it("whose agent neither answers nor lets go is given up, and its late word counts no more", async () => {
    const world = await fleet(1, BACK);
    await world.deploy("v1");
    await world.play();
    const id = await world.deploy("v2");
    const [task] = await claim(db, world.machines[0]!, 1);
    await finish(db, task!, failure("broken"));
    const [back] = await claim(db, world.machines[0]!, 1);
    await db.sql`update deployment set rollback_until = boreas_now() - interval '1 s' where id = ${id}`;
    expect(await endRollbacks(db)).toBe(1);
    expect((await world.read(id)).status).toBe("rolling_back"); // it is asked to stop
    expect(await endRollbacks(db)).toBe(0);
    await overdue(id);
    expect(await endRollbacks(db)).toBe(1);
    expect((await world.read(id)).status).toBe("rollback_failed");
    expect(await finish(db, back!, success)).toEqual([]);
    await reapTasks(db, { leaseSeconds: 30, graceSeconds: 0, chance: () => 0 });
    const locks = await db.sql`select 1 from deployment_lock where deployment_id = ${id}`;
    expect(locks).toHaveLength(0);
  });
  it("in time leaves no deadline behind", async () => {
    const world = await fleet(2, BACK);
    const id = await fails(world);
    expect((await world.read(id)).status).toBe("rolled_back");
    const [row] = await db.sql`select rollback_until from deployment where id = ${id}`;
    expect(row!.rollbackUntil).toBeNull();
  });
});
