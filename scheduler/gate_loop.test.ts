import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { createHints } from "../db/hints.ts";
import type { Hints } from "../db/hints.ts";
import { createDeployment } from "../db/deployments/create_deployment.ts";
import { startDeployment } from "../db/deployments/start_deployment.ts";
import { cancelDeployment } from "../db/deployments/cancel_deployment.ts";
import { pauseDeployment, resumeDeployment } from "../db/deployments/pause_deployment.ts";
import { DEFAULT_PROJECT } from "../db/database.ts";
import type { Actor } from "../db/database.ts";
import { readMeasurements } from "../db/gates/read_measurements.ts";
import { skipWait } from "../db/rollouts/skip_wait.ts";
import { parseNetworks } from "../domain/outgoing_address.ts";
import { createOutgoingCheck } from "../domain/outgoing_check.ts";
import type { CrashPoint } from "../domain/ports.ts";
import type { GateInput, StrategyInput } from "../domain/strategy.ts";
import { createClock } from "../host/clock.ts";
import { createPinnedFetch } from "../host/pinned_fetch.ts";
import { startReceiver } from "../tests/helpers/http_receiver.ts";
import { component } from "../tests/helpers/require_component.ts";
import { startMeteredApp, startPrometheus } from "../tests/helpers/prometheus.ts";
import type { MeteredApp, TestPrometheus } from "../tests/helpers/prometheus.ts";
import { quiet } from "../tests/helpers/start_scheduler.ts";
import { playAll } from "../tests/helpers/play_tasks.ts";
import type { PlayedStep } from "../tests/helpers/play_tasks.ts";
import { seedWorld } from "../tests/helpers/seed_release.ts";
import { seedWork } from "../tests/helpers/seed_work.ts";
import { createTestDatabase } from "../tests/helpers/test_database.ts";
import type { TestDatabase } from "../tests/helpers/test_database.ts";
import { createGateLoop } from "./gate_loop.ts";
import { soleLeader } from "./leadership.ts";

let db: TestDatabase;
let seed: ReturnType<typeof seedWork>;
beforeAll(async () => {
  db = await createTestDatabase();
  seed = seedWork(db);
});
// A loop measures whatever gate is due: one that is left from the test before would be counted in the next.
beforeEach(async () => {
  await db.sql`delete from deployment`;
});
const person = (): Actor => ({ userId: null, name: "ada", role: "admin", ip: null, projectId: DEFAULT_PROJECT });

function startLoop(hints: Hints, crashPoint: CrashPoint = () => {}) {
  const loop = createGateLoop({
    ...{ db, hints, logger: quiet, clock: createClock(), leadership: soleLeader, sweepSeconds: 1, crashPoint },
    fetch: createPinnedFetch(() => undefined),
    checkOutgoing: createOutgoingCheck({ resolve: () => Promise.resolve([]), allow: parseNetworks("127.0.0.0/8") }),
  });
  loop.start();
  onTestFinished(() => loop.stop());
  return loop;
}

/** A deployment in which a gate stands between two machines; the loop measures it. */
async function world(gate: GateInput, options: { server?: string; crashPoint?: CrashPoint; isIdle?: boolean } = {}) {
  const environmentId = await seed.environment();
  const appId = await seed.application();
  if (options.server) {
    await db.sql`update environment set config = ${
      db.sql.json({ prometheus: { server: options.server } })
    } where id = ${environmentId}`;
  }
  const deployment = await seed.deployment({ environmentId });
  const common = { deploymentId: deployment.id, environmentId, appId };
  const parentId = await seed.task({ ...common, name: "shop", isLeaf: false, state: "running" });
  const gateId = await seed.task({
    ...{ ...common, parentId, name: "errors", type: "gate", isLeaf: false },
    payload: { kind: "prometheus" in gate ? "prometheus" : "http", gate, application: "shop" },
  });
  const nextId = await seed.task({
    ...{ ...common, parentId, name: "m2", type: "apply", state: "blocked", dependsOn: [gateId] },
    payload: { action: "deploy" },
  });
  const hints = createHints();
  const loop = options.isIdle ? undefined! : startLoop(hints, options.crashPoint);
  const state = async (id: string) =>
    (await db.sql<{ state: string; reason: { code: string; text: string }; fence: number }[]>`
      select state, reason, fence from task where id = ${id}`)[0]!;
  const status = async () =>
    (await db.sql<{ status: string }[]>`select status from deployment where id = ${deployment.id}`)[0]!.status;
  const rows = () => readMeasurements(db, gateId, { limit: 100 });
  const deps = { db, hints, planners: {} };
  return { deploymentId: deployment.id, gateId, nextId, loop, state, status, rows, deps };
}
const ended = (w: { gateId: string; state(id: string): Promise<{ state: string }> }, state: string) =>
  expect.poll(async () => (await w.state(w.gateId)).state).toBe(state);
const counted = (w: { rows(): Promise<unknown[]> }, least: number) =>
  expect.poll(async () => (await w.rows()).length).toBeGreaterThanOrEqual(least);

const prometheus = component("prometheus");
describe.skipIf(!prometheus.available)(`a gate that asks a Prometheus${prometheus.reason}`, () => {
  let app: MeteredApp;
  let server: TestPrometheus;
  beforeAll(async () => {
    app = startMeteredApp();
    app.say("errors 0.001");
    server = await startPrometheus(app.port);
    await server.shows("errors", "0.001");
  });
  afterAll(async () => {
    await server.stop();
    await app.stop();
  });
  const gate = { prometheus: "errors", max: 0.01, every: "1s", for: "2s" };

  it("passes when the value held for the whole window, and what comes behind it goes on", async () => {
    const w = await world(gate, { server: server.url });
    await ended(w, "success");
    expect((await w.rows()).map((m) => [m.number, m.value, m.verdict])).toEqual([
      [3, 0.001, "pass"],
      [2, 0.001, "pass"],
      [1, 0.001, "pass"],
    ]);
    expect((await w.state(w.nextId)).state).toBe("pending");
    const events = await db.sql`select kind from event where subject_id = ${w.gateId} order by id`;
    expect(events.map((e) => e.kind)).toEqual(["task.measured", "task.measured", "task.measured", "task.success"]);
  });

  it("fails at once when it is violated in the middle of the window", async () => {
    const w = await world({ ...gate, for: "10m" }, { server: server.url });
    await counted(w, 1);
    expect((await w.state(w.gateId)).reason.text).toMatch(
      /^Measured 0.001; wanted: at most 0.01. \d+ of 601 .* until /,
    );
    app.say("errors 0.4");
    await ended(w, "failed");
    app.say("errors 0.001");
    expect((await w.rows())[0]).toMatchObject({ value: 0.4, verdict: "fail" });
    expect((await w.state(w.gateId)).reason).toMatchObject({ code: "task.gate_failed" });
    expect((await w.state(w.nextId)).state).toBe("skipped");
    expect(await w.status()).toBe("failed");
    await server.shows("errors", "0.001");
  });

  it("fails when the query has no result, unless it may wait for one", async () => {
    const w = await world({ ...gate, prometheus: 'errors{version="${version}"}', server: server.url });
    await ended(w, "failed");
    expect((await w.state(w.gateId)).reason.text).toContain("the query has no result");
    const waiting = await world({ ...gate, prometheus: "late", noData: "wait" }, { server: server.url });
    await counted(waiting, 1);
    expect((await waiting.state(waiting.gateId)).reason.code).toBe("task.gate_waiting_for_data");
    app.say("errors 0.001\nlate 0");
    await ended(waiting, "success");
  });

  it("says what Prometheus finds wrong with the query", async () => {
    const w = await world({ ...gate, prometheus: "rate(errors" }, { server: server.url });
    await ended(w, "failed");
    expect(await w.rows()).toMatchObject([{ verdict: "error", note: expect.stringContaining("parse error") }]);
  });

  it("takes a server that is away for no data, and never for a pass", async () => {
    const away = await startPrometheus(app.port);
    onTestFinished(() => away.stop());
    await away.shows("errors", "0.001");
    const w = await world({ ...gate, for: "10m", noData: "pass" }, { server: away.url });
    await counted(w, 1);
    await away.kill();
    await expect.poll(async () => (await w.rows())[0]!.verdict).toBe("error");
    expect(await w.state(w.gateId)).toMatchObject({ state: "pending", reason: { code: "task.gate_waiting_for_data" } });
    const strict = await world(gate, { server: away.url });
    await ended(strict, "failed");
    expect((await strict.state(strict.gateId)).reason.text).toContain("the Prometheus server: it cannot be reached");
  });
});

describe("a gate that asks over HTTP", () => {
  let answer: () => Response | Promise<Response> = () => new Response("ready: yes");
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, () => answer());
  afterAll(() => server.shutdown());
  const address = `http://127.0.0.1:${server.addr.port}/ready?of=\${version}`;

  it("passes for the status or the text that it expects", async () => {
    answer = () => new Response("ready: yes");
    for (const expectation of [undefined, "2xx", "200", "ready: yes"]) {
      const w = await world({ http: address, expect: expectation });
      await ended(w, "success");
    }
    for (const expectation of ["404", "5xx", "ready: no"]) {
      const w = await world({ http: address, expect: expectation });
      await ended(w, "failed");
      expect((await w.rows())[0]).toMatchObject({ verdict: "fail", value: 200 });
    }
  });

  it("is no data when nobody answers in time, answers without end, or leads out of bounds", async () => {
    const slow = Promise.withResolvers<Response>();
    onTestFinished(() => slow.resolve(new Response()));
    answer = () => slow.promise;
    const w = await world({ http: address, timeout: "1s" });
    await ended(w, "failed");
    expect((await w.rows())[0]).toMatchObject({ verdict: "error", note: "the address: it did not answer in time" });
    const endless = () => new ReadableStream({ pull: (c) => c.enqueue(new Uint8Array(65_536)) });
    answer = () => new Response(endless());
    const large = await world({ http: address, expect: "ready" });
    await ended(large, "failed");
    expect((await large.rows())[0]!.note).toContain("more than");
    answer = () => Response.redirect("http://169.254.169.254/latest/meta-data");
    const elsewhere = await world({ http: address });
    await ended(elsewhere, "failed");
    expect((await elsewhere.rows())[0]!.note).toContain("a link-local address");
  });

  it("ends also when the other side says what no database can hold", async () => {
    answer = () => new Response(JSON.stringify({ status: "error", error: `no\u0000 \ud83d${"🧊".repeat(400)}` }));
    const w = await world({ prometheus: "up", min: 1 }, { server: address });
    await ended(w, "failed");
    expect((await w.rows())[0]).toMatchObject({ verdict: "error", note: expect.stringContaining("no\uFFFD \uFFFD🧊") });
  });

  it("stands still while its deployment is paused, and is over when that is cancelled or it is skipped", async () => {
    answer = () => new Response("ok");
    const w = await world({ http: address, every: "1s", for: "1h" });
    await counted(w, 1);
    await pauseDeployment(w.deps, w.deploymentId, person());
    const seen = (await w.rows()).length;
    await db.sql`update task set run_after = boreas_now() - interval '1 minute' where id = ${w.gateId}`;
    w.loop.wake();
    const other = await world({ http: address });
    await ended(other, "success"); // a whole gate later, nothing was measured here
    expect((await w.rows()).length).toBe(seen);
    await resumeDeployment(w.deps, w.deploymentId, person());
    w.loop.wake();
    await counted(w, seen + 1);
    await skipWait(w.deps, w.gateId, person(), "we know");
    expect(await w.state(w.gateId)).toMatchObject({ state: "success", reason: { code: "task.wait_skipped" } });
    expect((await w.state(w.nextId)).state).toBe("pending");

    const gone = await world({ http: address, every: "1s", for: "1h" });
    await counted(gone, 1);
    await cancelDeployment(gone.deps, gone.deploymentId, person());
    await ended(gone, "cancelled");
  });

  it("stands in a canary as its plan says: a machine, the gate, the others; or all the way back", async () => {
    const w = await seedWorld(db, { applications: { stall: {} }, environmentConfig: { targets: ["m1", "m2", "m3"] } });
    const player = await w.agent("player of the canary");
    startLoop(w.deps.hints);
    const release = async (version: string) => {
      const versionId = await w.version(version);
      const strategy: StrategyInput = {
        type: "canary",
        steps: [{ target: 1 }, { gate: { http: address, expect: version } }],
      };
      const id = await createDeployment(w.deps, { versionId, environmentId: w.environmentId, strategy }, w.actor);
      await startDeployment(w.deps, id, w.actor);
      const before = await playAll(db, [player]);
      await expect.poll(async () =>
        (await db.sql`
        select 1 from task where deployment_id = ${id} and type = 'gate' and completed_at is null`).length
      ).toBe(0);
      const after = await playAll(db, [player]);
      const [row] = await db.sql<{ status: string }[]>`select status from deployment where id = ${id}`;
      const say = (steps: PlayedStep[]) => steps.map((step) => `${step.isRollback ? "back " : ""}${step.name}`);
      return [say(before), say(after), row!.status];
    };
    const homeless: StrategyInput = { type: "canary", steps: [{ target: 1 }, { gate: { prometheus: "up", min: 1 } }] };
    const input = { versionId: await w.version("canary-0"), environmentId: w.environmentId, strategy: homeless };
    await expect(createDeployment(w.deps, input, w.actor)).rejects.toThrow("names no server");
    answer = () => new Response("it is canary-1");
    expect(await release("canary-1")).toEqual([["m1"], ["m2", "m3"], "completed"]);
    // The application's name stands for its one place that goes back.
    expect(await release("canary-2")).toEqual([["m1"], [expect.stringMatching(/^back /)], "rolled_back"]);
  });

  it("writes nothing for a measurement that came back after it was over, or was claimed by another", async () => {
    const held = Promise.withResolvers<Response>();
    let asked = 0;
    answer = () => (asked++ === 0 ? held.promise : Promise.resolve(new Response("ok")));
    const w = await world({ http: address, every: "1s", for: "1h" });
    await expect.poll(() => asked).toBe(1);
    await db.sql`update task set run_after = boreas_now() where id = ${w.gateId}`; // as when the claim has run out
    w.loop.wake();
    await counted(w, 1);
    held.resolve(new Response("late", { status: 500 }));
    await counted(w, 2);
    expect((await w.rows()).every((m) => m.verdict === "pass")).toBe(true);
  });

  it("is measured again after a master ended between the measurement and its row, and has one row for it", async () => {
    answer = () => new Response("ok");
    let falls = 1;
    const w = await world({ http: address }, {
      crashPoint: (name) => {
        if (name !== "gate.measured" || falls === 0) return;
        falls--;
        throw new Error("the master ends here");
      },
    });
    await expect.poll(async () => (await w.state(w.gateId)).fence).toBe(1);
    await expect.poll(() => falls).toBe(0);
    expect(await w.rows()).toEqual([]);
    await db.sql`update task set run_after = boreas_now() where id = ${w.gateId}`;
    w.loop.wake();
    await ended(w, "success");
    expect((await w.rows()).length).toBe(1);
  });
});

it(
  "a server that takes connections and never answers holds its share of the room, and other gates are measured",
  async () => {
    const [tarpit, good] = [await startReceiver(), await startReceiver()];
    const opened = Promise.withResolvers<void>();
    tarpit.answer = () => opened.promise.then(() => ({}));
    // More than there is room for in all.
    const stuck = [];
    for (let n = 0; n < 18; n++) {
      stuck.push(
        await world({ http: `${tarpit.url}/${n}`, timeout: "1m" }, { isIdle: true }),
      );
    }
    const w = await world({ http: good.url });
    await ended(w, "success");
    await expect.poll(() => tarpit.received.length).toBe(4);
    opened.resolve();
    for (const one of stuck) {
      await expect.poll(async () => (await one.state(one.gateId)).state).toBe("success");
    }
  },
);
