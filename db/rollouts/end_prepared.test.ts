import { beforeAll, describe, expect, it } from "vitest";
import { claim, finish, playAll, success } from "../../tests/helpers/play_tasks.ts";
import { seedWorld } from "../../tests/helpers/seed_release.ts";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";
import type { TestDatabase } from "../../tests/helpers/test_database.ts";
import { cancelDeployment } from "../deployments/cancel_deployment.ts";
import { createDeployment } from "../deployments/create_deployment.ts";
import { getDeployments } from "../deployments/read_deployments.ts";
import { rollbackDeployment } from "../deployments/rollback_deployment.ts";
import { endPrepared } from "./end_prepared.ts";
import { settleMissing } from "./settle_missing.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});
let count = 0;

/** Two machines with a blue-green release that waits for an approval before its switch, or has been cancelled there. */
async function prepared() {
  const app = `order-${++count}`;
  const strategy = { type: "blueGreen", steps: [{ approve: { count: 1 } }] };
  const world = await seedWorld(db, {
    type: "pm",
    applications: { [app]: { runtime: { script: { deploy: "d.sh" } }, strategy } },
  });
  const machines = [`a-${count}`, `b-${count}`];
  const agents: string[] = [];
  for (const name of machines) agents.push(await world.agent(name));
  const deploy = async (version: string) => {
    const versionId = await world.version(`${version}-${count}`);
    const given = { versionId, environmentId: world.environmentId, autoStart: true };
    return await createDeployment(world.deps, given, world.actor);
  };
  const id = await deploy("v1");
  const [first, second] = agents as [string, string];
  return { ...world, app, id, machines, agents, first, second, deploy };
}
const cleanUps = async (id: string) =>
  (await db.sql<{ name: string; state: string; code: string }[]>`
    select name, state, reason ->> 'code' as code from task where deployment_id = ${id} and payload ? 'cleanUp' order by position`)
    .map(({ name, state, code }) => [name, state, code]);
const said = async (id: string) => (await getDeployments(db, [id]))[0]!;

describe("what a cancelled deployment had only prepared", () => {
  it("is said by the cancel, ended by tasks of its own, and asked for once", async () => {
    const { id, deps, actor, agents, machines, app } = await prepared();
    await playAll(db, agents);
    await cancelDeployment(deps, id, actor);
    const { status, reason } = await said(id);
    expect([status, reason.code]).toEqual(["cancelled", "deployment.cancelled_prepared"]);
    expect(reason.params.places).toBe(machines.map((name) => `${app} on ${name}`).join(", "));
    expect(await endPrepared(db)).toBe(true);
    expect(await endPrepared(db)).toBe(false);
    const played = await playAll(db, agents);
    expect(played.map((step) => [step.name, step.action])).toEqual(
      machines.map((name) => [`${app}: clean up ${name}`, "finish"]),
    );
    expect((await said(id)).status).toBe("cancelled");
  });

  it("is only what stands prepared: a prepare that stopped with the cancel leaves nothing", async () => {
    const { id, deps, actor, first, second, machines, app } = await prepared();
    const [done] = await claim(db, first);
    await finish(db, done!, success);
    const [begun] = await claim(db, second);
    await cancelDeployment(deps, id, actor);
    expect((await said(id)).status).toBe("cancelling");
    await finish(db, begun!, { status: "cancelled", message: "Stopped." });
    expect((await said(id)).reason.params.places).toBe(`${app} on ${machines[0]}`);
    await endPrepared(db);
    expect((await cleanUps(id)).map(([name]) => name)).toEqual([`${app}: clean up ${machines[0]}`]);
  });

  it("waits for a machine that is away, for as long as that is, and goes when it is back", async () => {
    const { id, deps, actor, agents, second, machines, app } = await prepared();
    await playAll(db, agents);
    await db
      .sql`update agent set status = 'disconnected', last_seen_at = boreas_now() - interval '2 h' where id = ${second}`;
    await cancelDeployment(deps, id, actor);
    await endPrepared(db);
    await settleMissing(db);
    expect(await cleanUps(id)).toEqual([
      [`${app}: clean up ${machines[0]}`, "pending", "task.ready"],
      [`${app}: clean up ${machines[1]}`, "pending", "task.clean_up_waiting"],
    ]);
    await db.sql`update agent set status = 'connected' where id = ${second}`;
    await playAll(db, agents);
    expect((await cleanUps(id)).map(([, state]) => state)).toEqual(["success", "success"]);
  });

  it("is no longer waited for once its machine is revoked, or the cancelled deployment is rolled back", async () => {
    const [revoked, undone] = [await prepared(), await prepared()];
    for (const { id, deps, actor, agents, second } of [revoked, undone]) {
      await playAll(db, agents);
      await db.sql`update agent set status = 'disconnected' where id = ${second}`;
      await cancelDeployment(deps, id, actor);
      await endPrepared(db);
      await playAll(db, agents.slice(0, 1));
    }
    await db.sql`update agent set status = 'revoked' where id = ${revoked.second}`;
    await endPrepared(db);
    expect((await cleanUps(revoked.id)).map(([, state]) => state)).toEqual(["success", "skipped"]);
    await rollbackDeployment(undone.deps, undone.id, undone.actor);
    expect((await cleanUps(undone.id)).map(([, state]) => state)).toEqual(["success", "skipped"]);
  });

  it("is left to a later deployment where one has begun", async () => {
    const { id, deps, actor, agents, deploy } = await prepared();
    await playAll(db, agents);
    await cancelDeployment(deps, id, actor);
    await endPrepared(db);
    await deploy("v2");
    expect(await endPrepared(db)).toBe(true);
    expect((await cleanUps(id)).map(([, state]) => state)).toEqual(["skipped", "skipped"]);
  });
});
