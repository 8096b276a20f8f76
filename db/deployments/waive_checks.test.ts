/** What a file and a policy ask for holds for a single deployment too: with another strategy, and when it is tried again. */
import { beforeAll, describe, expect, it } from "vitest";
import { claim, finish } from "../../tests/helpers/play_tasks.ts";
import { seedWorld } from "../../tests/helpers/seed_release.ts";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";
import type { TestDatabase } from "../../tests/helpers/test_database.ts";
import type { Actor } from "../database.ts";
import { approveDeployment } from "./approve_deployment.ts";
import { createDeployment } from "./create_deployment.ts";
import { editDeployment } from "./edit_deployment.ts";
import { previewDeployment } from "./preview_deployment.ts";
import { retryDeployment } from "./retry_deployment.ts";
import { startDeployment } from "./start_deployment.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});

const CAREFUL = {
  type: "canary",
  steps: [{ target: 1 }, { approve: { roles: ["lead"], notAuthor: true } }, { target: "100%" }],
};
let count = 0;
async function start(policy: Record<string, unknown> = {}, strategy: Record<string, unknown> = CAREFUL) {
  const app = `app-${++count}`;
  const w = await seedWorld(db, {
    applications: { [app]: { strategy } },
    environmentConfig: { targets: ["m1", "m2", "m3"] },
    policy,
  });
  const versionId = await w.version(`v-${count}`);
  const as = (role: string): Actor => ({ ...w.actor, role, ...(role === "incident" && { base: "deployer" as const }) });
  return { ...w, app, as, input: { versionId, environmentId: w.environmentId } };
}
const refusal = (work: Promise<unknown>) => work.then(() => null, (error: { code: string; message: string }) => error);
const EVERYWHERE = { strategy: { type: "all" as const } };
const waiver = async (id: string) => ({
  audit: await db.sql`select actor, detail from audit where target = ${`deployment:${id}`}
    and action = 'deployment.override_strategy' order by id`,
  told: await db.sql`select data -> 'reason' ->> 'text' as text from event where deployment_id = ${id}
    and kind = 'deployment.checks_waived'`,
});

describe("a strategy for one deployment that drops an approval of the file's", () => {
  it("is refused with what it drops, and the preview says so before", async () => {
    const w = await start();
    const dropped = `${w.app}: approval by 1 of lead after 1 of 3`;
    const error = await refusal(createDeployment(w.deps, { ...w.input, ...EVERYWHERE }, w.as("admin")));
    expect(error).toMatchObject({ code: "strategy.drops_checks", message: expect.stringContaining(dropped) });
    const { warnings } = await previewDeployment(w.deps, { ...w.input, ...EVERYWHERE }, w.as("deployer"));
    expect(warnings).toEqual([expect.stringContaining(dropped)]);
    const id = await createDeployment(w.deps, w.input, w.as("deployer"));
    expect(await refusal(editDeployment(w.deps, id, EVERYWHERE, w.as("deployer")))).toMatchObject({
      code: "strategy.drops_checks",
    });
  });

  it("needs the role that the policy names, and a reason that stands in audit and timeline", async () => {
    const w = await start({ strategyOverride: { role: "incident" } });
    const ask = { ...w.input, ...EVERYWHERE };
    const override = { reason: "The shop is down" };
    expect(await refusal(createDeployment(w.deps, { ...ask, override }, w.as("deployer")))).toMatchObject({
      code: "strategy.role",
      message: expect.stringContaining("let incident give it"),
    });
    expect(await refusal(createDeployment(w.deps, { ...ask, override: { reason: " " } }, w.as("incident"))))
      .toMatchObject(
        { code: "strategy.reason" },
      );
    const id = await createDeployment(w.deps, { ...ask, override }, w.as("incident"));
    const { audit, told } = await waiver(id);
    expect(audit).toMatchObject([{ detail: override }]);
    expect(told[0]!.text).toBe(
      `tester gave it a strategy without ${w.app}: approval by 1 of lead after 1 of 3: The shop is down`,
    );
    // The word was given for this deployment: whoever starts it needs none of their own.
    await startDeployment(w.deps, id, w.as("deployer"));
    const [row] = await db.sql`select status from deployment where id = ${id}`;
    expect(row!.status).toBe("running");
  });

  it("may be given in place of another while it is edited, and is forgotten when the file's steps are back", async () => {
    const w = await start();
    const id = await createDeployment(w.deps, w.input, w.as("deployer"));
    await editDeployment(w.deps, id, { ...EVERYWHERE, override: { reason: "now" } }, w.as("admin"));
    await editDeployment(w.deps, id, { strategy: { type: "rolling", batch: 2 } }, w.as("deployer")); // the same is left out
    await editDeployment(w.deps, id, { strategy: CAREFUL as never }, w.as("deployer"));
    expect(await refusal(editDeployment(w.deps, id, EVERYWHERE, w.as("deployer")))).toMatchObject({
      code: "strategy.drops_checks",
    });
  });
});

describe("trying a failed deployment again", () => {
  async function fail(policy = {}, approver?: Actor) {
    const w = await start(policy, { type: "all", onFailure: { action: "stop" } });
    const id = await createDeployment(w.deps, w.input, w.actor);
    if (approver) await approveDeployment(w.deps, id, approver);
    else await startDeployment(w.deps, id, w.actor);
    const agent = await w.agent(`agent-${count}`);
    for (const task of await claim(db, agent, 10)) await finish(db, task, { status: "failed", message: "no" });
    const set = (what: ReturnType<TestDatabase["sql"]>) =>
      db.sql`update environment set ${what} where id = ${w.environmentId}`;
    return { ...w, id, set, retry: () => refusal(retryDeployment(w.deps, id, w.actor)) };
  }

  it("is refused where the environment was switched off meanwhile", async () => {
    const w = await fail();
    await w.set(db.sql`status = 'inactive'`);
    expect(await w.retry()).toMatchObject({ code: "environment.inactive" });
    await w.set(db.sql`status = 'active'`);
    expect(await w.retry()).toBe(null);
  });

  it("is refused where the policy asks for more approvals by now, or for another branch", async () => {
    const w = await fail();
    await w.set(db.sql`policy = ${db.sql.json({ approvals: { count: 2 } })}`);
    expect(await w.retry()).toMatchObject({
      code: "policy.approvals",
      message: expect.stringContaining("takes 2 approvals by who may deploy by now, and 0 of those"),
    });
    await w.set(db.sql`policy = ${db.sql.json({ branches: ["main"] })}`);
    expect(await w.retry()).toMatchObject({ code: "policy.refused" });
  });

  it("is refused where the policy means others than those who approved it, and not where it means them", async () => {
    const approver: Actor = { ...(await seedWorld(db, { applications: {} })).actor, name: "lea", role: "deployer" };
    await db
      .sql`insert into member (project_id, user_id, role) values (${approver.projectId}, ${approver.userId}, 'deployer')`;
    const w = await fail({ approvals: { count: 1 } }, approver);
    const ask = (approvals: Record<string, unknown>) => w.set(db.sql`policy = ${db.sql.json({ approvals } as never)}`);
    await ask({ count: 1, roles: ["lead"] });
    expect(await w.retry()).toMatchObject({
      code: "policy.approvals",
      message: expect.stringContaining("takes 1 approval by lead by now, and 0 of those"),
    });
    await ask({ count: 1, notAuthor: true });
    await db.sql`update deployment set author_id = ${approver.userId} where id = ${w.id}`;
    expect(await w.retry()).toMatchObject({ code: "policy.approvals" });
    // It was given for the plan as it was then.
    await ask({ count: 1 });
    await db.sql`update deployment set plan_hash = plan_hash || '-other' where id = ${w.id}`;
    expect(await w.retry()).toMatchObject({ code: "policy.approvals" });
    await db.sql`update deployment set plan_hash = replace(plan_hash, '-other', '') where id = ${w.id}`;
    expect(await w.retry()).toBe(null);
  });
});
