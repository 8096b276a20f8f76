/** Freezes and concurrency over the REST API: a real database, the real scheduler, the mock operator. */
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { planStages } from "../../domain/strategy.ts";
import { seedWorld } from "../helpers/seed_release.ts";
import { startScheduler, until } from "../helpers/start_scheduler.ts";
import type { StartedScheduler } from "../helpers/start_scheduler.ts";
import { createTestApi } from "../helpers/test_api.ts";
import type { TestApi } from "../helpers/test_api.ts";
import { createTestDatabase } from "../helpers/test_database.ts";
import type { TestDatabase } from "../helpers/test_database.ts";

let db: TestDatabase;
let api: TestApi;
let run: StartedScheduler | undefined;
beforeAll(async () => {
  db = await createTestDatabase();
  api = await createTestApi(db, { planners: { mock: planStages } });
});
afterEach(async () => {
  await run?.stop();
  run = undefined;
});

async function world(policy: Record<string, unknown> = {}, duration = "10ms") {
  const scheduler = run = await startScheduler(db, {
    hints: api.deps.hints,
    planners: { mock: planStages },
    sweepSeconds: 0.5,
  });
  const suffix = db.newId().slice(-6);
  const seeded = await seedWorld(db, {
    applications: { [`shop-${suffix}`]: { mock: { steps: [{ name: "work", duration }] } } },
    policy,
  });
  await scheduler.agent(await seeded.agent(`agent-${suffix}`));
  const read = async (id: string) => (await api.request("GET", `/deployments/${id}`)).body;
  return {
    environmentId: seeded.environmentId,
    read,
    version: (name: string) => seeded.version(`${name}-${suffix}`),
    plan: (versionId: string) =>
      api.request("POST", "/deployments", { versionId, environmentId: seeded.environmentId }),
    start: (id: string, body: unknown = {}, as = "deployer") =>
      api.request("POST", `/deployments/${id}/start`, body, as),
    is: (id: string, status: string) =>
      until(scheduler.hints, async () => {
        const now = await read(id);
        return now.status === status && now;
      }, `deployment ${status}`),
  };
}
const ALWAYS = { cron: "0 * * * *", for: "2h", override: { role: "deployer" } };

describe("a freeze", () => {
  it("by hand holds back a start until it ends, and what was held back starts by itself", async () => {
    const w = await world();
    const freeze = {
      environmentId: w.environmentId,
      until: "2999-01-01T00:00:00Z",
      reason: "Stocktaking.",
    };
    expect((await api.request("POST", "/freezes", freeze, "viewer")).status).toBe(403);
    expect((await api.request("POST", "/freezes", { ...freeze, until: "2001-01-01T00:00:00Z" })).body.code).toBe(
      "freeze.over",
    );
    const made = await api.request("POST", "/freezes", freeze);
    expect([made.status, made.body.isActive, made.body.source]).toEqual([201, true, "person"]);

    const { body: { id } } = await w.plan(await w.version("v1"));
    const held = (await w.start(id)).body;
    expect([held.status, held.reason.code]).toEqual(["pending", "deployment.frozen"]);
    expect(held.reason.text).toContain("admin: Stocktaking.");
    expect((await w.start(id, { override: { reason: "I want to." } })).body.code).toBe("freeze.role");
    expect((await api.request("POST", `/freezes/${made.body.id}/end`, { reason: "No." }, "deployer")).status).toBe(403);
    expect((await api.request("POST", `/freezes/${made.body.id}/end`, { reason: "Counted." })).status).toBe(204);
    expect((await w.is(id, "completed")).reason.text).toContain("run version v1");
    expect((await api.request("GET", `/freezes?environmentId=${w.environmentId}`)).body.items).toEqual([]);
  });

  it("of the policy is passed by the role that it names, with a reason, which the audit keeps; a rollback passes anyhow", async () => {
    const w = await world({ freezes: [ALWAYS] });
    const { body: { id } } = await w.plan(await w.version("v1"));
    expect((await w.start(id)).body.reason.text).toContain("deployer may start it before, with a reason.");
    expect((await w.start(id, { override: { reason: "" } })).body.code).toBe("freeze.reason");
    expect((await w.start(id, { override: { reason: "Orders are lost." } })).status).toBe(200);
    await w.is(id, "completed");
    const audit = await api.request("GET", "/audit?limit=50");
    expect(audit.body.items.find((row: { action: string }) => row.action === "deployment.override_freeze"))
      .toMatchObject({
        actor: expect.stringContaining("deployer"),
        target: `deployment:${id}`,
        detail: { reason: "Orders are lost." },
      });
    expect((await api.request("POST", `/deployments/${id}/rollback`, {})).status).toBe(200);
    await w.is(id, "rolled_back");
  });

  it("ends by its time, and what waited starts then", async () => {
    const w = await world();
    const { body: { id } } = await w.plan(await w.version("v1"));
    // Far enough for a slow machine to meet it.
    const [found] = await db.sql<{ soon: string }[]>`
      select to_char((boreas_now() + interval '10 s') at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as soon`;
    await api.request("POST", "/freezes", { environmentId: w.environmentId, until: found!.soon, reason: "A moment." });
    expect((await w.start(id)).body.reason.code).toBe("deployment.frozen");
    await w.is(id, "completed");
  });

  it("that nobody can read is refused where it is written", async () => {
    const w = await world();
    const change = (policy: unknown) => api.request("PATCH", `/environments/${w.environmentId}`, { policy });
    const refused = await change({ freezes: [{ cron: "0 25 * * *", for: "1h" }] });
    expect([refused.status, JSON.stringify(refused.body)]).toEqual([400, expect.stringContaining("is no cron time")]);
    expect((await change({ freezes: [ALWAYS], concurrency: { policy: "reject" }, rollbackDeadline: "5m" })).status)
      .toBe(200);
    expect((await change({ concurrency: { policy: "queue", running: "cancel" } })).status).toBe(400);
  });
});

describe("a policy of concurrency", () => {
  it("rejects what meets another, and names it", async () => {
    const w = await world({ concurrency: { policy: "reject" } }, "60s");
    const { body: { id } } = await w.plan(await w.version("v1"));
    await w.start(id);
    const second = await w.version("v2");
    const refused = await w.plan(second);
    expect([refused.status, refused.body.code]).toEqual([409, "deployment.rejected_busy"]);
    expect(refused.body.detail).toContain(`deployment ${id} of v1-`);
    await api.request("POST", `/deployments/${id}/cancel`, {});
    await w.is(id, "cancelled");
    expect((await w.plan(second)).status).toBe(201);
  });

  it("queues otherwise: the next starts by itself when the way is free", async () => {
    const w = await world({}, "4s");
    const { body: { id: first } } = await w.plan(await w.version("v1"));
    const { body: { id: second } } = await w.plan(await w.version("v2"));
    await w.start(first);
    expect((await w.start(second)).body.reason.text).toBe(
      `Waiting for deployment ${first} of the same applications to end.`,
    );
    await w.is(first, "completed");
    await w.is(second, "completed");
  });
});
