import { beforeAll, describe, expect, it } from "vitest";
import { failure, playAll, success } from "../../tests/helpers/play_tasks.ts";
import { seedWorld } from "../../tests/helpers/seed_release.ts";
import type { World } from "../../tests/helpers/seed_release.ts";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";
import type { TestDatabase } from "../../tests/helpers/test_database.ts";
import { approveDeployment } from "./approve_deployment.ts";
import { bindEnvironment } from "../applications/bind_environment.ts";
import { catchUp } from "../rollouts/catch_up.ts";
import { findHealable } from "../drift/find_drifted.ts";
import { settleMissing } from "../rollouts/settle_missing.ts";
import { endPauses } from "../tasks/end_pauses.ts";
import { createDeployment } from "./create_deployment.ts";
import { getDeployments } from "./read_deployments.ts";
import { hasDeployment, readPlaces, readStanding } from "./read_standing.ts";
import { previewRemoval, removeApplications } from "./remove_applications.ts";
import { retryDeployment } from "./retry_deployment.ts";
import { rollbackDeployment } from "./rollback_deployment.ts";
import { startDeployment } from "./start_deployment.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});

interface Place extends World {
  app(name: string): string;
  agents: string[];
  machines: string[];
  deploy(version: string, only?: string[]): Promise<string>;
  remove(names: string[], more?: Partial<Parameters<typeof removeApplications>[1]>): Promise<string>;
  runs(): Promise<string[]>;
  end(id: string): Promise<string>;
}
let count = 0;

/** `order` needs `user`; both run on every machine of one environment. */
async function place(machines: number, more: { policy?: object; config?: object } = {}): Promise<Place> {
  const suffix = `${++count}`;
  const app = (name: string) => `${name}-${suffix}`;
  const runtime = { runtime: { script: { deploy: "d.sh" } }, drift: { mode: "heal" } };
  const world = await seedWorld(db, {
    type: "pm",
    applications: { [app("user")]: runtime, [app("order")]: { ...runtime, needs: [app("user")] } },
    ...(more.policy && { policy: more.policy as Record<string, unknown> }),
    ...(more.config && { environmentConfig: more.config as Record<string, unknown> }),
  });
  const names = Array.from({ length: machines }, (_, i) => `m${i + 1}-${suffix}`);
  const agents: string[] = [];
  for (const name of names) agents.push(await world.agent(name));
  const remove: Place["remove"] = (names, given) =>
    removeApplications(
      world.deps,
      { environmentId: world.environmentId, applications: names.map(app), start: true, ...given },
      world.actor,
    );
  return {
    ...world,
    ...{ app, agents, remove, machines: names },
    async deploy(version, only) {
      const id = await createDeployment(world.deps, {
        versionId: await world.version(`${version}-${suffix}`),
        environmentId: world.environmentId,
        ...(only && { applications: only.map(app) }),
      }, world.actor);
      await startDeployment(world.deps, id, world.actor);
      await playAll(db, agents);
      return id;
    },
    async runs() {
      const rows = await db.sql<{ name: string; target: string }[]>`
        select a.name, s.target from app_state s join application a on a.id = s.application_id
        where s.environment_id = ${world.environmentId} order by a.name, s.target`;
      return rows.map((row) => `${row.name} on ${row.target}`);
    },
    async end(id) {
      const [row] = await getDeployments(db, [id]);
      return `${row!.status}: ${row!.reason.code}`;
    },
  };
}

describe("removing applications from an environment", () => {
  it("takes those first that need others, and nothing is left of them", async () => {
    const world = await place(2);
    await world.deploy("v1");
    const id = await world.remove(["user", "order"]);
    const played = await playAll(db, world.agents);
    expect(played.map((step) => step.action)).toEqual(["remove", "remove", "remove", "remove"]);
    const order = await db.sql<{ app: string }[]>`
      select a.name as app from task t join application a on a.id = t.app_id
      where t.deployment_id = ${id} and t.is_leaf order by t.completed_at, t.position`;
    expect(order.map((row) => row.app)).toEqual(["order", "order", "user", "user"].map(world.app));
    expect(await world.runs()).toEqual([]);
    expect(await world.end(id)).toBe("completed: deployment.removed");
  });

  it("refuses while another application still needs it, and says which and what to do", async () => {
    const world = await place(1);
    await world.deploy("v1");
    await expect(world.remove(["user"])).rejects.toMatchObject({ kind: "conflict", code: "removal.needed" });
    await expect(world.remove(["user"])).rejects.toThrow(`${world.app("order")} needs ${world.app("user")}`);
    expect(await world.end(await world.remove(["order"]))).toBe("running: deployment.started");
    await playAll(db, world.agents);
    const last = await world.remove(["user"]);
    await playAll(db, world.agents);
    expect(await world.end(last)).toBe("completed: deployment.removed");
  });

  it("refuses what does not run there, and a strategy that would start something", async () => {
    const world = await place(1);
    await expect(world.remove(["order"])).rejects.toMatchObject({ code: "removal.not_running" });
    await world.deploy("v1", ["user"]);
    await expect(world.remove(["order", "user"])).rejects.toThrow(`${world.app("order")} does not run in`);
    await expect(world.remove(["user"], { strategy: { type: "blueGreen" } })).rejects.toMatchObject({
      code: "removal.strategy",
    });
  });

  it("shows beforehand what would go from where, and stores nothing", async () => {
    const world = await place(2);
    await world.deploy("v1");
    const { environmentId, actor, deps } = world;
    const applications = ["order", "user"].map(world.app);
    const preview = await previewRemoval(deps, { environmentId, applications }, actor);
    expect(preview.summary.map((one) => [one.application, one.action, one.note])).toEqual(
      applications.map((name) => [name, "delete", `it runs on ${world.machines.join(", ")}`]),
    );
    expect(preview.tasks.filter((task) => task.action === "remove").map((task) => task.target)).toEqual([
      ...world.machines,
      ...world.machines,
    ]);
    const [stored] = await db.sql<{ n: number }[]>`select count(*)::int as n from deployment
      where environment_id = ${environmentId} and removes`;
    expect(stored!.n).toBe(0);
  });

  it("goes batch by batch where that is asked for, and stops at the first that fails", async () => {
    const world = await place(3);
    await world.deploy("v1", ["user"]);
    const id = await world.remove(["user"], { strategy: { type: "rolling", batch: 1 } });
    const bad = world.machines[1]!;
    for (let attempt = 0; attempt < 3; attempt++) {
      await playAll(db, world.agents, (task) => task.name === bad ? failure() : success);
      await db.sql`update task set run_after = boreas_now() where deployment_id = ${id} and state = 'pending'`;
    }
    expect(await world.end(id)).toBe("failed: deployment.failed");
    expect(await world.runs()).toEqual(world.machines.slice(1).map((name) => `${world.app("user")} on ${name}`));
    await retryDeployment(world.deps, id, world.actor);
    await playAll(db, world.agents);
    expect(await world.end(id)).toBe("completed: deployment.removed");
    expect(await world.runs()).toEqual([]);
  });

  it("is not brought back by a new version, but by somebody who names it", async () => {
    const world = await place(1);
    await world.deploy("v1");
    await world.remove(["order"]);
    await playAll(db, world.agents);
    const versionId = await world.version(`v2-${count}`);
    const placed = (await readPlaces(db, world.actor.projectId, versionId)).find((p) => p.id === world.environmentId)!;
    expect([placed.bound, placed.free]).toEqual([[world.app("user")], []]);
    const given = { versionId, environmentId: world.environmentId };
    const all = await createDeployment(world.deps, { ...given, autoStart: true }, world.actor);
    await playAll(db, world.agents);
    expect((await getDeployments(db, [all]))[0]!.applications).toEqual([world.app("user")]);
    const named = { ...given, applications: [world.app("order")], autoStart: true };
    await createDeployment(world.deps, named, world.actor);
    await playAll(db, world.agents);
    expect(await world.runs()).toContain(`${world.app("order")} on ${world.machines[0]}`);
    const after = await readPlaces(db, world.actor.projectId, versionId);
    expect(after.find((p) => p.id === world.environmentId)!.bound).toContain(world.app("order"));
  });

  it("may go there again once somebody binds it there again", async () => {
    const world = await place(1);
    await world.deploy("v1", ["user"]);
    await world.remove(["user"]);
    await playAll(db, world.agents);
    const applicationId = world.applications[world.app("user")]!;
    await bindEnvironment(world.deps, { applicationId, environmentId: world.environmentId, config: {} }, world.actor);
    const versionId = await world.version(`v2-${count}`);
    const placed = await readPlaces(db, world.actor.projectId, versionId);
    expect(placed.find((p) => p.id === world.environmentId)!.bound).toContain(world.app("user"));
  });

  it("counts as no deployment of the version that ran", async () => {
    const world = await place(1);
    await world.deploy("v1", ["user"]);
    const [row] = await db.sql<{ versionId: string }[]>`
      select version_id from app_state where environment_id = ${world.environmentId}`;
    await db.sql`delete from task where environment_id = ${world.environmentId}`;
    await db.sql`delete from deployment where environment_id = ${world.environmentId}`;
    await world.remove(["user"]);
    expect(await hasDeployment(db, row!.versionId, world.environmentId)).toBe(false);
    expect((await readStanding(db, world.environmentId, [world.app("user")])).map((s) => s.how)).toEqual(["runs"]);
  });

  it("is undone by rolling it back, and what went before it is not rolled back any more", async () => {
    const world = await place(2);
    await world.deploy("v1");
    const second = await world.deploy("v2");
    const removal = await world.remove(["order"]);
    await playAll(db, world.agents);
    await expect(rollbackDeployment(world.deps, second, world.actor)).rejects.toMatchObject({
      code: "deployment.removed",
    });
    await rollbackDeployment(world.deps, removal, world.actor, "it was needed");
    const played = await playAll(db, world.agents);
    expect(played.map((step) => [step.action, step.version, step.isRollback])).toEqual([
      ["deploy", `v2-${count}`, true],
      ["deploy", `v2-${count}`, true],
    ]);
    expect(await world.runs()).toHaveLength(4);
    const versions = await db.sql<{ status: string }[]>`select status from version where version = ${`v2-${count}`}`;
    expect(versions[0]!.status).toBe("normal");
    expect(
      (await db.sql`select from application_environment where removed_at is not null
      and environment_id = ${world.environmentId}`).length,
    ).toBe(0);
  });

  it("is rolled back only as long as nobody has removed it once more", async () => {
    const world = await place(1);
    await world.deploy("v1", ["user"]);
    const first = await world.remove(["user"]);
    await playAll(db, world.agents);
    await world.deploy("v2", ["user"]);
    const second = await world.remove(["user"]);
    await playAll(db, world.agents);
    await expect(rollbackDeployment(world.deps, first, world.actor)).rejects.toMatchObject({
      code: "deployment.removed",
    });
    await rollbackDeployment(world.deps, second, world.actor);
    expect((await playAll(db, world.agents)).map((step) => step.version)).toEqual([`v2-${count}`]);
  });

  it("never blames a version for what was taken away, nor when another runs by the time it begins", async () => {
    const world = await place(1);
    await world.deploy("v1", ["user"]);
    const removal = await world.remove(["user"], { start: false });
    await world.deploy("v2", ["user"]);
    await startDeployment(world.deps, removal, world.actor);
    await playAll(db, world.agents);
    await rollbackDeployment(world.deps, removal, world.actor, "it was needed");
    const played = await playAll(db, world.agents);
    expect(played.map((step) => [step.action, step.version])).toEqual([["deploy", `v2-${count}`]]);
    const bad = await db.sql`select version from version where version in ${
      db.sql([`v1-${count}`, `v2-${count}`])
    } and status = 'revert'`;
    expect(bad).toEqual([]);
  });

  it("leaves out what was removed since of a deployment that no person made, and ends one of nothing else", async () => {
    const world = await place(1);
    await world.deploy("v1");
    const push = { ...world.actor, userId: null, name: "push" };
    const made = (only: string[], versionId: string) =>
      createDeployment(world.deps, {
        ...{ versionId, environmentId: world.environmentId, applications: only.map(world.app) },
      }, push);
    const both = await made(["order", "user"], await world.version(`v2-${count}`));
    const alone = await made(["order"], await world.version(`v3-${count}`));
    await world.remove(["order"]);
    await playAll(db, world.agents);
    await startDeployment(world.deps, alone, push);
    expect(await world.end(alone)).toBe("superseded: deployment.removed_since");
    await startDeployment(world.deps, both, push);
    expect((await playAll(db, world.agents)).map((step) => step.action)).toEqual(["deploy"]);
    expect((await getDeployments(db, [both]))[0]).toMatchObject({
      status: "completed",
      applications: [world.app("user")],
    });
    expect(await world.runs()).toEqual([`${world.app("user")} on ${world.machines[0]}`]);
  });

  it("is not undone by the catching up of a machine that missed an earlier deployment", async () => {
    const world = await place(2, { config: { offline: { action: "skip", deadline: "0s" } } });
    const [here, away] = world.agents as [string, string];
    await db
      .sql`update agent set status = 'disconnected', last_seen_at = boreas_now() - interval '1 min' where id = ${away}`;
    const versionId = await world.version(`v1-${count}`);
    const given = { versionId, environmentId: world.environmentId, autoStart: true };
    const first = await createDeployment(world.deps, given, world.actor);
    await playAll(db, [here]);
    await settleMissing(db);
    await playAll(db, [here]);
    await settleMissing(db);
    expect(await world.end(first)).toBe("completed: deployment.completed_without");
    const removal = await world.remove(["order", "user"]);
    for (let attempt = 0; attempt < 3; attempt++) {
      await playAll(db, [here], (task) => task.payload.app === world.app("user") ? failure() : success);
      await db.sql`update task set run_after = boreas_now() where deployment_id = ${removal} and state = 'pending'`;
    }
    expect(await world.end(removal)).toBe("failed: deployment.failed");
    await db.sql`update agent set status = 'connected' where id = ${away}`;
    expect(await catchUp(world.deps)).toBe(0);
    expect(await world.runs()).toEqual([`${world.app("user")} on ${world.machines[0]}`]);
  });

  it("goes by another agent where it runs on no machine, whoever deployed it", async () => {
    const name = `job-${++count}`;
    const world = await seedWorld(db, { type: "mock", applications: { [name]: { runtime: { mock: {} } } } });
    const gone = await world.agent(`k1-${count}`);
    const { environmentId } = world;
    await createDeployment(world.deps, {
      ...{ versionId: await world.version(`v1-${count}`), environmentId, autoStart: true },
    }, world.actor);
    await playAll(db, [gone]);
    await db.sql`update agent set status = 'revoked' where id = ${gone}`;
    const other = await world.agent(`k2-${count}`);
    await removeApplications(world.deps, { environmentId, applications: [name], start: true }, world.actor);
    expect((await playAll(db, [other])).map((step) => step.action)).toEqual(["remove"]);
  });

  it("goes from a machine that was away when that is back, and is never deployed there instead", async () => {
    const world = await place(2, { config: { offline: { action: "skip", deadline: "0s" } } });
    await world.deploy("v1", ["user"]);
    const [, away] = world.agents;
    await db
      .sql`update agent set status = 'disconnected', last_seen_at = boreas_now() - interval '1 min' where id = ${away!}`;
    const id = await world.remove(["user"]);
    await playAll(db, world.agents.slice(0, 1));
    await settleMissing(db);
    expect(await world.end(id)).toBe("completed: deployment.removed_without");
    expect(await world.runs()).toEqual([`${world.app("user")} on ${world.machines[1]}`]);
    await db.sql`update agent set status = 'connected' where id = ${away!}`;
    await db.sql`update app_state set observed_at = boreas_now() - interval '1 h', drift = '[{"path": "replicas"}]'
      where environment_id = ${world.environmentId}`;
    await db.sql`update deployment set completed_at = boreas_now() - interval '1 h'
      where environment_id = ${world.environmentId}`;
    expect((await findHealable(db, 1)).filter((row) => row.environmentId === world.environmentId)).toEqual([]);
    expect(await catchUp(world.deps)).toBe(1);
    const played = await playAll(db, world.agents);
    expect(played.map((step) => step.action)).toEqual(["remove"]);
    expect(await world.runs()).toEqual([]);
  });

  it("forgets what ran on a machine that was revoked, also when that was the only one", async () => {
    const world = await place(1);
    await world.deploy("v1", ["user"]);
    await db.sql`update agent set status = 'revoked' where id = ${world.agents[0]!}`;
    const id = await world.remove(["user"]);
    expect(await world.runs()).toEqual([]);
    await endPauses(db);
    expect(await world.end(id)).toBe("completed: deployment.removed");
  });

  it("goes from a machine that was revoked and has enrolled anew under its name", async () => {
    const world = await place(1);
    await world.deploy("v1", ["user"]);
    const [machine] = world.machines as [string];
    await db.sql`update agent set status = 'revoked', name = name || '~1' where id = ${world.agents[0]!}`;
    const again = await world.agent(machine);
    const id = await world.remove(["user"]);
    expect(await world.runs()).toHaveLength(1);
    expect((await playAll(db, [again])).map((step) => step.action)).toEqual(["remove"]);
    expect(await world.end(id)).toBe("completed: deployment.removed");
    expect(await world.runs()).toEqual([]);
  });

  it("asks for the approvals of the environment, and begins with the last of them", async () => {
    const world = await place(1, { policy: { approvals: { count: 1 } } });
    const deployed = await createDeployment(world.deps, {
      versionId: await world.version(`v1-${count}`),
      environmentId: world.environmentId,
      autoStart: true,
    }, world.actor);
    await approveDeployment(world.deps, deployed, world.actor);
    await playAll(db, world.agents);
    const id = await world.remove(["order"]);
    expect(await world.end(id)).toBe("awaiting_approval: deployment.awaiting_approval");
    expect(await playAll(db, world.agents)).toEqual([]);
    await approveDeployment(world.deps, id, world.actor);
    expect((await playAll(db, world.agents)).map((step) => step.action)).toEqual(["remove"]);
    expect(await world.end(id)).toBe("completed: deployment.removed");
  });
});
