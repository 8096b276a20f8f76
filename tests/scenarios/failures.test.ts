/**
 * What people do when a release fails, over the REST API: a real database, the real scheduler with its deadlines, and the
 * mock operator on machines that are only names and fail where a test says so.
 */
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { planStages } from "../../domain/strategy.ts";
import { createClock } from "../../host/clock.ts";
import { createMockOperator } from "../../operators/mock/mock_operator.ts";
import { seedWorld } from "../helpers/seed_release.ts";
import { startScheduler, until } from "../helpers/start_scheduler.ts";
import type { StartedScheduler } from "../helpers/start_scheduler.ts";
import { createTestApi } from "../helpers/test_api.ts";
import type { TestApi } from "../helpers/test_api.ts";
import { createTestDatabase } from "../helpers/test_database.ts";
import type { TestDatabase } from "../helpers/test_database.ts";

interface View {
  id: string;
  status: string;
  reason: { code: string; text: string };
  tasks: {
    id: string;
    parentId: string | null;
    name: string;
    status: string;
    reason: { code: string; text: string };
  }[];
}

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

async function rehearse(size: number, onFailure: Record<string, unknown>, more: Record<string, unknown> = {}) {
  const scheduler = run = await startScheduler(db, {
    hints: api.deps.hints,
    planners: { mock: planStages },
    sweepSeconds: 0.5, // deadlines come by the clock
  });
  const suffix = db.newId().slice(-6);
  const app = `shop-${suffix}`;
  const targets = Array.from({ length: size }, (_, i) => `m${i + 1}`);
  const strategy = { type: "rolling", batch: 1, onFailure };
  const world = await seedWorld(db, { applications: { [app]: { strategy, ...more } }, environmentConfig: { targets } });
  /** `m2 v2`: fails there as long as it is in here. */
  const broken = new Set<string>();
  const played: string[] = [];
  const mock = createMockOperator({ clock: createClock() });
  await scheduler.agent(await world.agent(`agent-${suffix}`), {
    slots: 1,
    operators: [{
      ...mock,
      run(operation, context) {
        const what = `${operation.target?.name} ${operation.version.replace(`-${suffix}`, "")}`;
        played.push(`${operation.isRollback ? "back " : ""}${what}`);
        const isBroken = broken.has(`${operation.isRollback ? "back " : ""}${what}`);
        if (!isBroken) return mock.run(operation, context);
        return Promise.resolve({
          status: "failed" as const,
          message: `${what} is broken.`,
          retryable: false,
          details: {},
        });
      },
    }],
  });
  const read = async (id: string): Promise<View> => (await api.request("GET", `/deployments/${id}`)).body;
  return {
    played,
    broken,
    read,
    versionId: (name: string) => world.version(`${name}-${suffix}`),
    environmentId: world.environmentId,
    async start(versionId: string): Promise<string> {
      const made = await api.request("POST", "/deployments", { versionId, environmentId: world.environmentId });
      expect(made.status, JSON.stringify(made.body)).toBe(201);
      expect((await api.request("POST", `/deployments/${made.body.id}/start`, {})).status).toBe(200);
      return made.body.id;
    },
    is: (id: string, status: string, code?: string) =>
      until(scheduler.hints, async () => {
        const now = await read(id);
        return now.status === status && (code === undefined || now.reason.code === code) && now;
      }, `deployment ${status}`),
    decide: (task: string, choice: string, note = "", as = "deployer") =>
      api.request("POST", `/tasks/${task}/decide`, { choice, note }, as),
    failed: (view: View) => view.tasks.find((t) => t.parentId !== null && t.status === "failed")!,
    shape: (view: View) => view.tasks.filter((t) => t.parentId !== null).map((t) => `${t.name} ${t.status}`),
  };
}

describe("a release that fails on one of its machines", () => {
  it("asks: one machine is tried again, another ignored, a third excluded, and the rest gets it", async () => {
    const w = await rehearse(5, { action: "pause" });
    for (const bad of ["m1 v1", "m2 v1", "m4 v1"]) w.broken.add(bad);
    const id = await w.start(await w.versionId("v1"));

    const first = await w.is(id, "paused");
    expect(first.reason.text).toContain("m1 v1 is broken. Decide: fail, retry, ignore or exclude it, or roll back.");
    expect((await w.decide(w.failed(first).id, "retry", "", "viewer")).status).toBe(403);
    expect((await api.request("POST", `/deployments/${id}/resume`, {})).body.code).toBe("deployment.asks");
    w.broken.delete("m1 v1");
    expect((await w.decide(w.failed(first).id, "retry")).status).toBe(200);

    const second = w.failed(await w.is(id, "paused"));
    expect(second.name).toBe("m2");
    const ignored = await w.decide(second.id, "ignore", "Known.");
    expect([ignored.body.status, ignored.body.reason.text]).toEqual([
      "success",
      "Counts as done, because token:deployer ignored its failure: Known. It had failed: m2 v1 is broken.",
    ]);

    const third = w.failed(
      await until(api.deps.hints, async () => {
        const now = await w.read(id);
        return now.status === "paused" && w.failed(now)?.name === "m4" && now;
      }, "the question about m4"),
    );
    expect((await w.decide(third.id, "exclude", "Retired.")).status).toBe(200);
    const end = await w.is(id, "completed");
    expect(end.reason.text).toContain("but not on m4");
    expect(w.shape(end)).toEqual(["m1 success", "m2 success", "m3 success", "m4 skipped", "m5 success"]);
    expect(w.played).toEqual(["m1 v1", "m1 v1", "m2 v1", "m3 v1", "m4 v1", "m5 v1"]);
    const again = await w.decide(third.id, "fail");
    expect([again.status, again.body.code]).toEqual([409, "task.not_asked"]);
  });

  it("asks for a while and then answers itself: all goes back, and the version is not deployed again until it is cleared", async () => {
    const w = await rehearse(2, { action: "rollback", askFor: "2s" });
    await w.is(await w.start(await w.versionId("v1")), "completed");
    w.broken.add("m2 v2");
    const bad = await w.versionId("v2");
    const id = await w.start(bad);
    const back = await w.is(id, "rolled_back");
    const { items } = (await api.request("GET", `/deployments/${id}/timeline`)).body;
    const asked = items.find((one: { kind: string }) => one.kind === "deployment.paused");
    expect(asked.reason.text).toMatch(/Answers itself with rollback at \d{4}-.*Z\.$/);
    expect(back.reason.text).toMatch(/^What ran before runs again, because m2 failed/);
    expect(w.played.slice(2)).toEqual(["m1 v2", "m2 v2", "back m1 v1", "back m2 v1"]);

    const body = { versionId: bad, environmentId: w.environmentId };
    const refused = await api.request("POST", "/deployments", body);
    expect([refused.status, refused.body.code]).toEqual([409, "version.reverted"]);
    await api.request("POST", `/versions/${bad}/unrevert`, { reason: "Mended." });
    expect((await api.request("POST", "/deployments", body)).status).toBe(201);
  });

  it("fails when a person says so, and a rollback asked for afterwards brings back what was", async () => {
    const w = await rehearse(3, { action: "pause" });
    await w.is(await w.start(await w.versionId("v1")), "completed");
    w.broken.add("m2 v2");
    const id = await w.start(await w.versionId("v2"));
    await w.decide(w.failed(await w.is(id, "paused")).id, "fail", "Enough.");
    expect(w.shape(await w.is(id, "failed"))).toEqual(["m1 success", "m2 failed", "m3 skipped"]);
    await api.request("POST", `/deployments/${id}/rollback`, { note: "All of it." });
    await w.is(id, "rolled_back");
    expect(w.played.slice(-2).sort()).toEqual(["back m1 v1", "back m2 v1"]);
  });

  it("continues where it is told to, and has failed when the rest is done", async () => {
    const w = await rehearse(3, { action: "continue" }, { attempts: 1 });
    w.broken.add("m1 v1");
    const id = await w.start(await w.versionId("v1"));
    const end = await w.is(id, "failed");
    expect(end.reason.text).toContain("m1 v1 is broken.");
    expect(end.tasks.every((t) => ["success", "failed", "skipped"].includes(t.status))).toBe(true);
  });

  it("ends a rollback that gets nowhere by its deadline, and lets a person ask for it again", async () => {
    const w = await rehearse(2, { action: "rollback", deadline: "2s" });
    await w.is(await w.start(await w.versionId("v1")), "completed");
    for (const bad of ["m2 v2", "back m1 v1", "back m2 v1"]) w.broken.add(bad);
    const id = await w.start(await w.versionId("v2"));
    const end = await w.is(id, "rollback_failed");
    expect(end.reason.text).toMatch(/^The rollback failed at /);
    w.broken.clear();
    // This time it is to get there, however slow the machine is.
    await db.sql`update deployment set rollback_seconds = 600 where id = ${id}`;
    await api.request("POST", `/deployments/${id}/rollback`, { note: "Again." });
    await w.is(id, "rolled_back");
  });
});
