import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { seedWork } from "../../tests/helpers/seed_work.ts";
import { createTestDatabase, type TestDatabase } from "../../tests/helpers/test_database.ts";
import { waitingForLocks } from "../../tests/helpers/waiting_for_locks.ts";
import type { Observed } from "../../protocol/observed.ts";
import { DEFAULT_PROJECT } from "../database.ts";
import { type Observer, recordObserved } from "./record_observed.ts";

let db: TestDatabase;
let seed: ReturnType<typeof seedWork>;
let environmentId: string;
let versionId: string;
let observer: Observer;
let apps: Record<"order" | "user", string>;
let count = 0;

const state = async (app: "order" | "user" = "order") =>
  (await db.sql`select * from app_state where application_id = ${apps[app]}`)[0]!;
const name = (app: string) => `${app}-${count}`;
const seen = (more: Partial<Observed> = {}): Observed => ({
  application: name("order"),
  environmentId,
  target: "m1",
  version: name("v"),
  health: "healthy",
  resources: [{
    kind: "process",
    name: "pid 7",
    state: "running",
    startedAt: "2026-11-22T10:00:00Z",
    restarts: 0,
    details: {},
  }],
  differences: [],
  details: { pid: 7 },
  ...more,
});
const report = (...observed: Observed[]) => recordObserved(db, observer, { observed });

beforeAll(async () => {
  db = await createTestDatabase();
  seed = seedWork(db);
});
beforeEach(async () => {
  count++;
  environmentId = await seed.environment(`prod-${count}`, "pm");
  versionId = await seed.version(name("v"));
  const agentId = await seed.agent({ name: `m1-${count}`, environments: [environmentId] });
  observer = { agentId, projectId: DEFAULT_PROJECT };
  apps = { order: await seed.application(name("order")), user: await seed.application(name("user")) };
  const spec = { drift: { mode: "report", ignore: ["labels"] } };
  await db.sql`insert into frozen_document (sha256, content) values (${`doc-${count}`}, ${JSON.stringify(spec)})`;
  for (const id of Object.values(apps)) {
    await db
      .sql`insert into app_state (environment_id, application_id, target, project_id, agent_id, version_id, spec_sha256, health, sync)
      values (${environmentId}, ${id}, 'm1', ${DEFAULT_PROJECT}, ${agentId}, ${versionId}, ${`doc-${count}`}, 'healthy', 'synced')`;
  }
});

describe("what an agent saw", () => {
  it("is judged anew when somebody writes the row in between, and overwrites nothing of that", async () => {
    const later = await seed.version(`${name("v")}-later`);
    const { promise: mayCommit, resolve: commit } = Promise.withResolvers<void>();
    const { promise: hasWritten, resolve: wrote } = Promise.withResolvers<void>();
    const between = db.sql.begin(async (tx) => {
      await tx`update app_state set version_id = ${later} where application_id = ${apps.order}`;
      wrote();
      await mayCommit;
    });
    await hasWritten;
    const reported = report(seen({ health: "degraded" }));
    await expect.poll(() => waitingForLocks(db)).toBeGreaterThan(0);
    commit();
    await between;
    const { changes } = await reported;
    expect(changes).toMatchObject([{ versionId: later, sync: { before: "synced", now: "out_of_sync" } }]);
    expect(await state()).toMatchObject({ versionId: later, health: "degraded", sync: "out_of_sync" });
  });

  it("is written once, and the same word again writes nothing", async () => {
    expect(await report(seen())).toEqual({ changes: [], ignored: 0 });
    const first = await state();
    expect(first).toMatchObject({ observedVersion: name("v"), health: "healthy", sync: "synced", details: { pid: 7 } });
    const [before] = await db.sql`select xmin::text from app_state where application_id = ${apps.order}`;
    await report(seen());
    const [again] = await db.sql`select xmin::text from app_state where application_id = ${apps.order}`;
    expect(again!.xmin).toBe(before!.xmin);
  });

  it("makes an event when health or sync moves, and says what differs", async () => {
    await report(seen());
    const differences = [{ path: "env.LOG_LEVEL", expected: "info", actual: "debug" }];
    const { changes } = await report(seen({ differences, health: "degraded" }));
    expect(changes).toMatchObject([{
      target: "m1",
      health: { before: "healthy", now: "degraded" },
      sync: { before: "synced", now: "out_of_sync" },
    }]);
    expect(await state()).toMatchObject({ sync: "out_of_sync", drift: differences });
    const [event] = await db
      .sql`select kind, data from event where subject_id = ${apps.order} order by id desc limit 1`;
    expect(event!.kind).toBe("application.out_of_sync");
    expect((event!.data as { reason: { text: string } }).reason.text).toContain("env.LOG_LEVEL is debug, not info");
  });

  it("is out of sync with another version, and unknown when nothing could be compared", async () => {
    await report(seen({ version: "v0" }));
    expect(await state()).toMatchObject({ sync: "out_of_sync", drift: [{ path: "version", actual: "v0" }] });
    await report(seen({ differences: null }));
    expect(await state()).toMatchObject({ sync: "unknown", drift: [], differences: null });
  });

  it("passes over what the application ignores, but keeps it to be shown", async () => {
    const differences = [{ path: "labels.team", expected: "a", actual: "b" }];
    await report(seen({ differences }));
    expect(await state()).toMatchObject({ sync: "synced", drift: [], differences });
  });

  it("is not judged while a deployment of the application is under way there", async () => {
    const { id } = await seed.deployment({ environmentId, versionId });
    await db.sql`insert into deployment_lock (application_id, environment_id, deployment_id)
      values (${apps.order}, ${environmentId}, ${id})`;
    await report(seen({ version: "v2" }));
    expect(await state()).toMatchObject({ sync: "synced", observedVersion: "v2", drift: [{ path: "version" }] });
  });

  it("of what was never deployed to this agent, or of an environment it is not bound to, is counted and ignored", async () => {
    const elsewhere = await seed.environment(`other-${count}`, "pm");
    const other = { agentId: await seed.agent({ environments: [environmentId] }), projectId: DEFAULT_PROJECT };
    expect(
      await report(seen({ application: "nobody" }), seen({ environmentId: elsewhere }), seen({ environmentId: "x" })),
    )
      .toEqual({ changes: [], ignored: 3 });
    expect(await recordObserved(db, other, { observed: [seen({ health: "degraded" })] })).toMatchObject({ ignored: 1 });
    await db.sql`delete from agent_environment where agent_id = ${observer.agentId}`;
    expect(await report(seen({ health: "degraded" }))).toEqual({ changes: [], ignored: 1 });
    expect(await state()).toMatchObject({ health: "healthy", observedAt: null });
  });

  it("makes missing what was deployed and is not among what the agent sees", async () => {
    const present = [{ environmentId, application: name("order") }];
    const { changes } = await recordObserved(db, observer, { observed: [seen()], present });
    expect(changes).toMatchObject([{
      application: name("user"),
      health: { now: "missing" },
      sync: { now: "out_of_sync" },
    }]);
    expect(await state("user")).toMatchObject({ health: "missing", drift: [{ path: "application" }] });
    expect(await state("order")).toMatchObject({ health: "healthy" });
  });
});
