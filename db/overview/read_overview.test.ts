import { expect, it } from "vitest";
import { seedWork } from "../../tests/helpers/seed_work.ts";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";
import { Overview } from "../../protocol/http_api.ts";
import { readOverview } from "./read_overview.ts";

const db = await createTestDatabase();

it("counts what there is, of this project alone", async () => {
  const seed = seedWork(db, await seedWork(db).project());
  const environmentId = await seed.environment();
  await seed.application("a", [environmentId]);
  await seed.agent();
  await seed.agent({ status: "disconnected" });
  await seed.agent({ status: "revoked" });
  const running = await seed.deployment({ environmentId, status: "running" });
  await seed.task({
    deploymentId: running.id,
    environmentId,
    name: "approval",
    type: "approval",
    isLeaf: false,
  });
  await seed.deployment({ environmentId, status: "awaiting_approval" });
  const old = await seed.deployment({ environmentId, status: "completed" });
  for (let i = 0; i < 10; i++) await seed.deployment({ environmentId, status: "completed" });
  const pending = await seed.deployment({ environmentId, status: "pending" });
  const overview = await readOverview(db, seed.projectId);
  expect(Overview.parse(overview)).toEqual(overview);
  expect(overview.counts).toEqual({
    applications: 1,
    environments: 1,
    repositories: 0,
    agents: 2,
    agentsConnected: 1,
    deploymentsActive: 1,
    deploymentsWaiting: 3,
    failedDeliveries: 0,
  });
  const shown = overview.deployments.map((d) => d.id);
  expect(shown[0]).toBe(pending.id);
  expect(shown).toHaveLength(12); // ten recent ones, and two that are open for longer
  expect(shown).not.toContain(old.id);
});

it("counts deliveries that failed within a day", async () => {
  const seed = seedWork(db, await seedWork(db).project());
  const repositoryId = db.newId();
  await db
    .sql`insert into repository (id, project_id, url, provider, branch, config_paths, webhook_secret, poll_seconds, reason, created_by)
    values (${repositoryId}, ${seed.projectId}, 'u', 'generic', 'main', '{}', '\\x00', 60, '{}', 'seed')`;
  const deliver = (id: string, status: string) =>
    db.sql`insert into delivery (id, project_id, repository_id, delivery_key, source, event, status, reason)
      values (${id}, ${seed.projectId}, ${repositoryId}, ${id}, 'webhook', 'push', ${status}, '{}')`;
  await deliver(db.newId(), "failed");
  await deliver(db.newId(), "processed");
  await deliver("01000000-0000-7000-8000-000000000000", "failed"); // made in 2004
  expect((await readOverview(db, seed.projectId)).counts).toMatchObject({ repositories: 1, failedDeliveries: 1 });
});

it("shows each application and environment by the worst of its targets", async () => {
  const seed = seedWork(db, await seedWork(db).project());
  const [staging, prod] = [await seed.environment("a-staging"), await seed.environment("b-prod")];
  const bound = await seed.application("bound", [staging]);
  const running = await seed.application("running");
  const [v1, v2] = [await seed.version("v1"), await seed.version("v2")];
  const state = (target: string, versionId: string, health: string) =>
    db.sql`insert into app_state (environment_id, application_id, target, project_id, version_id, health, sync)
      values (${prod}, ${running}, ${target}, ${seed.projectId}, ${versionId}, ${health}, 'synced')`;
  await state("n1", v2, "healthy");
  await state("n2", v1, "degraded");
  await state("n3", v2, "progressing");
  const { grid } = await readOverview(db, seed.projectId);
  expect(grid).toEqual([
    { applicationId: bound, environmentId: staging, version: null, health: "missing", targets: 0 },
    { applicationId: running, environmentId: prod, version: "v1", health: "degraded", targets: 3 },
  ]);
});
