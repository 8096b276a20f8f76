/**
 * What runs and what it prints, seen through the API of one process while another holds the agent's socket: the two share
 * a database and nothing else, not even hints.
 */
import { beforeAll, describe, expect, it } from "vitest";
import { createDeployment } from "../../db/deployments/create_deployment.ts";
import { createHints } from "../../db/hints.ts";
import type { Observed, Operator } from "../../operators/operator.ts";
import { seedWorld } from "../helpers/seed_release.ts";
import { serveApi, type ServedApi } from "../helpers/serve_api.ts";
import { startScheduler, until } from "../helpers/start_scheduler.ts";
import { createTestApi, type TestApi } from "../helpers/test_api.ts";
import { createTestDatabase, type TestDatabase } from "../helpers/test_database.ts";

let db: TestDatabase;
let api: TestApi;
let served: ServedApi;
beforeAll(async () => {
  db = await createTestDatabase();
  api = await createTestApi(db);
  served = await serveApi(api);
});

/** An application whose output a test writes. */
function createTalker() {
  const seen = new Map<string, Observed>();
  const readers = new Set<(text: string) => void>();
  let said = "";
  let opened = 0;
  const operator: Operator = {
    kind: "pm",
    async run({ app, environmentId, version }) {
      seen.set(app, {
        ...{ application: app, environmentId, target: "", version, health: "healthy", differences: [], details: {} },
        resources: [{ kind: "process", name: "pid 7", state: "running", startedAt: null, restarts: 0, details: {} }],
      });
      return { status: "success", message: "It runs." };
    },
    async *observe() {
      yield* seen.values();
    },
    async output(_of, _lines, stop) {
      opened++;
      async function* parts() {
        const bytes = (text: string) => ({ bytes: new TextEncoder().encode(text), lostBytes: 0 });
        const queue: string[] = [said];
        let wake = () => {};
        const read = (text: string) => (queue.push(text), wake());
        readers.add(read);
        stop.addEventListener("abort", () => wake());
        try {
          while (true) {
            for (const text of queue.splice(0)) if (text) yield bytes(text);
            if (stop.aborted) return;
            await new Promise<void>((resolve) => {
              wake = resolve;
              if (queue.length > 0 || stop.aborted) resolve();
            });
          }
        } finally {
          readers.delete(read);
        }
      }
      return { secrets: ["hunter2hunter2"], parts: parts() };
    },
  };
  return {
    operator,
    say(text: string) {
      said += text;
      for (const read of readers) read(text);
    },
    /** As somebody at the machine would see. */
    turn(health: Observed["health"]) {
      for (const [key, one] of seen) seen.set(key, { ...one, health });
    },
    opened: () => opened,
    reading: () => readers.size,
  };
}

async function setUp() {
  const app = `order-${db.newId().slice(-6)}`;
  const world = await seedWorld(db, {
    type: "pm",
    applications: { [app]: { runtime: { script: { deploy: "x.sh" } }, nodes: { names: [`m1-${app}`] } } },
  });
  const hints = createHints();
  const talker = createTalker();
  const agentId = await world.agent(`m1-${app}`);
  const master = await startScheduler(db, { hints, sweepSeconds: 0.2 });
  const { agent, cut } = await master.agent(agentId, { operators: [talker.operator] });
  const deps = { ...world.deps, hints };
  const id = await createDeployment(deps, {
    versionId: await world.version(`v1-${app}`),
    environmentId: world.environmentId,
    autoStart: true,
  }, world.actor);
  const status = async () => (await db.sql`select status from deployment where id = ${id}`)[0]!.status;
  await until(hints, async () => await status() === "completed", "the deployment");
  const path = `/applications/${world.applications[app]}/environments/${world.environmentId}`;
  return { app, path, talker, agent, agentId, cut, hints, stop: () => master.stop() };
}

/** Reads a followed answer until it holds a text. */
async function open(path: string) {
  const leave = new AbortController();
  const response = await served.get(path, { signal: leave.signal });
  const reader = response.body!.getReader();
  const decoder = new TextDecoder();
  let text = "";
  return {
    response,
    async untilHolds(wanted: string) {
      while (!text.includes(wanted)) {
        const { value, done } = await reader.read();
        if (done) throw new Error(`it ended, and never held ${wanted}: ${text}`);
        text += decoder.decode(value, { stream: true });
      }
      return text;
    },
    leave: () => leave.abort(),
  };
}

describe("the running thing", () => {
  it("is observed anew when somebody asks, and unknown with its last state once its agent is gone", async () => {
    const w = await setUp();
    w.talker.turn("degraded");
    // An agent on a busy machine may answer later than whoever asks is kept waiting.
    const fresh = await until(w.hints, async () => {
      const { body } = await api.request("GET", `${w.path}/resources`, undefined, "viewer");
      return body.items[0].health === "degraded" && body.items;
    }, "what it sees now");
    expect(fresh).toMatchObject([{
      ...{ target: `m1-${w.app}`, health: "degraded", sync: "synced", version: `v1-${w.app}`, drift: [] },
      resources: [{ name: "pid 7", state: "running" }],
      agent: { connected: true },
    }]);
    await w.agent.stop({ drain: false });
    await until(w.hints, async () => {
      const { body } = await api.request("GET", `${w.path}/resources`, undefined, "viewer");
      return body.items[0].agent.connected === false && body;
    }, "the agent's absence");
    const { body } = await api.request("GET", `${w.path}/resources`, undefined, "viewer");
    expect(body.items[0]).toMatchObject({ health: "unknown", sync: "unknown", lastHealth: "degraded" });
    expect(Date.parse(body.items[0].agent.lastSeenAt)).toBeGreaterThan(0);
    const logs = await api.request("GET", `${w.path}/logs`, undefined, "viewer");
    expect([logs.status, logs.body.code]).toEqual([503, "agent.disconnected"]);
    expect(await db.sql`select 1 from agent_query`).toHaveLength(0);
    await w.stop();
  });

  it("shows its last lines, masked", async () => {
    const w = await setUp();
    w.talker.say("one\ntwo hunter2hunter2\nthree\n");
    const response = await served.get(`${w.path}/logs?tail=2`);
    expect([response.status, await response.text()]).toEqual([200, "two ***\nthree\n"]);
    expect(w.talker.reading()).toBe(0);
    await w.stop();
  });

  it("is followed by several viewers through one reading, which ends when the last of them goes", async () => {
    const w = await setUp();
    w.talker.say("before\n");
    const first = await open(`${w.path}/logs?follow=true`);
    await first.untilHolds("before\n");
    const second = await open(`${w.path}/logs?follow=true&target=m1-${w.app}`);
    await second.untilHolds("before\n");
    w.talker.say("a secret: hunter2hunter2.\n");
    expect(await first.untilHolds("a secret")).toBe("before\na secret: ***.\n");
    expect(await second.untilHolds("a secret")).toBe("before\na secret: ***.\n");
    expect(w.talker.opened()).toBe(1);
    // The agent's connection breaks: the next one goes on with it.
    w.cut();
    await until(w.hints, async () => w.talker.opened() === 2, "the reading on the next connection");
    w.talker.say("after\n");
    await first.untilHolds("after\n");
    first.leave();
    second.leave();
    await until(w.hints, async () => w.talker.reading() === 1, "one reading left");
    await db.sql`update agent_query set wanted_until = boreas_now()`; // as after half a minute
    await until(w.hints, async () => w.talker.reading() === 0, "the end of reading");
    await until(w.hints, async () => (await db.sql`select 1 from agent_query`).length === 0, "the end of the question");
    await w.stop();
  });

  it("tells a viewer who is too slow how much was passed over, and keeps few rows of it", async () => {
    const w = await setUp();
    w.talker.say("begin\n");
    const viewer = await open(`${w.path}/logs?follow=true`);
    await viewer.untilHolds("begin\n");
    for (let i = 0; i < 40; i++) w.talker.say(`${"x".repeat(64 * 1024)} ${i}\n`);
    w.talker.say("end of the flood\n");
    await until(w.hints, async () => {
      const [row] = await db.sql`select bytes from agent_query`;
      return Number(row!.bytes) > 1024 * 1024;
    }, "the flood at the master");
    w.talker.say("later\n");
    const text = await viewer.untilHolds("later\n").catch((error: Error) => error.message);
    expect(text).toMatch(/\[boreas: \d+ bytes of output passed over, the viewer is too slow\]/);
    const [rows] = await db.sql`select count(*)::int as n from agent_query_chunk`;
    expect(rows!.n).toBeLessThanOrEqual(64);
    viewer.leave();
    await w.stop();
  });

  it("says what to do about a target that is not there, or more than one", async () => {
    const w = await setUp();
    const wrong = await api.request("GET", `${w.path}/logs?target=m9`, undefined, "viewer");
    expect([wrong.status, wrong.body.code]).toEqual([400, "target.unknown"]);
    expect(wrong.body.detail).toContain(`m1-${w.app}`);
    expect((await api.request("GET", `${w.path}/logs`, undefined, null)).status).toBe(401);
    await w.stop();
  });
});
