import { describe, expect, it } from "vitest";
import { concatBytes } from "../../db/logs/read_log.ts";
import { reason } from "../../domain/reason.ts";
import { LiveEvent } from "../../protocol/live_events.ts";
import { seedWork } from "../../tests/helpers/seed_work.ts";
import { bytesOf, readFrames, serveApi } from "../../tests/helpers/serve_api.ts";
import type { Frame } from "../../tests/helpers/serve_api.ts";
import { createTestApi, TEST_PASSWORD } from "../../tests/helpers/test_api.ts";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";
import { createApp } from "../create_app.ts";

const db = await createTestDatabase({ max: 12 });
const api = await createTestApi(db);
const served = await serveApi(api);
const seed = seedWork(db);
const { hints } = api.deps;

/** An open stream whose first event was seen: from here on it misses nothing. */
async function openLive(topics: string, lastEventId?: string) {
  const response = await served.get(`/live?topics=${topics}`, {
    headers: lastEventId ? { "last-event-id": lastEventId } : {},
  });
  const frames = readFrames(response);
  const next = async (): Promise<Frame> => {
    const { value, done } = await frames.next();
    if (done) throw new Error("the stream ended");
    expect(LiveEvent.parse(value.data).type).toBe(value.event);
    return value;
  };
  const first = await next();
  expect(first.event).toBe("stream");
  return {
    streamId: first.data.streamId as string,
    refused: first.data.refused as string[] | undefined,
    first,
    next,
    /** Up to and with the first that fits. */
    async until(fits: (frame: Frame) => boolean): Promise<Frame[]> {
      const seen: Frame[] = [];
      for (;;) {
        seen.push(await next());
        if (fits(seen.at(-1)!)) return seen;
      }
    },
    close: () => frames.return(undefined),
  };
}
const record = async (event: Parameters<typeof seed.event>[0]) => {
  await seed.event(event);
  hints.announce("events");
};
const tell = (deploymentId: string, name: string, subjectId: string | null = null) =>
  record({
    topic: "task",
    deploymentId,
    subjectId,
    kind: "task.running",
    data: { name, reason: reason("task.succeeded", { detail: name }) },
  });
const append = async (taskId: string, ...pieces: (string | Uint8Array)[]) => {
  await seed.log(taskId, 1, ...pieces);
  hints.announce("log", taskId);
};
const named = (name: string) => (frame: Frame) => frame.event === "timeline" && frame.data.name === name;

describe("the live stream", () => {
  it("tells the present state of a deployment and of the tasks that changed, and what happened", async () => {
    const { id, environmentId } = await seed.deployment();
    const first = await seed.task({ deploymentId: id, environmentId, name: "user", state: "running" });
    const second = await seed.task({
      deploymentId: id,
      environmentId,
      name: "order",
      state: "blocked",
      dependsOn: [first],
    });
    await seed.task({ deploymentId: id, environmentId, name: "mail" });
    const live = await openLive(`deployment:${id}`);
    await seed.moveTask(first, "success");
    await tell(id, "user", first);
    const seen = await live.until(named("user"));
    expect(seen.map((f) => f.event)).toEqual(["deployment", "tasks", "timeline"]);
    expect(seen[0]!.data.deployment).toMatchObject({ id, progress: { success: 1, pending: 2 } });
    // The one that waited for it looks different too; the third does not.
    expect(seen[1]!.data.tasks.map((t: { id: string }) => t.id)).toEqual([first, second]);
    expect(seen[2]!.data).toMatchObject({ deploymentId: id, taskId: first, kind: "task.running" });
    await live.close();
  });

  it("tells list topics what changed, and nothing of other topics or projects", async () => {
    const other = await seed.deployment();
    const foreign = seedWork(db, await seed.project());
    const live = await openLive("agents,versions");
    await tell(other.id, "unasked");
    await foreign.event({ topic: "agent", subjectId: db.newId() });
    const agentId = db.newId();
    await record({ topic: "agent", subjectId: agentId });
    expect((await live.next()).data).toEqual({ type: "changed", topic: "agents", id: agentId });
    await live.close();
  });

  it("tells the topic `deployments` of every deployment, once for many events", async () => {
    const { id } = await seed.deployment();
    const live = await openLive("deployments");
    await db.sql.begin(async (tx) => {
      for (let i = 0; i < 50; i++) {
        await tx`insert into event (project_id, topic, subject_id, deployment_id, kind)
          values (${seed.projectId}, 'task', ${db.newId()}, ${id}, 'task.leased')`;
      }
    });
    hints.announce("events");
    const agents = openLive("agents");
    expect((await live.next()).data).toMatchObject({ type: "deployment", deployment: { id } });
    await record({ topic: "deployment", subjectId: id, kind: "deployment.started" });
    expect((await live.next()).event).toBe("deployment");
    await Promise.all([live.close(), (await agents).close()]);
  });

  it("loses no event that commits late, and keeps the order of transactions", async () => {
    const { id } = await seed.deployment();
    const live = await openLive(`deployment:${id}`);
    const { promise: mayCommit, resolve: commit } = Promise.withResolvers<void>();
    const { promise: hasWritten, resolve: wrote } = Promise.withResolvers<void>();
    const data = (name: string) => ({ name, reason: reason("task.succeeded", { detail: name }) });
    const slow = db.sql.begin(async (tx) => {
      await tx`insert into event (project_id, topic, deployment_id, kind, data)
        values (${seed.projectId}, 'task', ${id}, 'x', ${tx.json(data("early id, late commit") as never)})`;
      wrote();
      await mayCommit;
    });
    await hasWritten;
    await tell(id, "late id, early commit");
    // Both the stream and a fresh one have looked by now and found nothing certain.
    const probe = await openLive("agents");
    await probe.close();
    commit();
    await slow;
    const seen = await live.until(named("late id, early commit"));
    expect(seen.filter((f) => f.event === "timeline").map((f) => f.data.name))
      .toEqual(["early id, late commit", "late id, early commit"]);
    await live.close();
  });

  it("goes on exactly where a reader stopped, however often it is cut", async () => {
    const { id, environmentId } = await seed.deployment();
    const taskId = await seed.task({ deploymentId: id, environmentId, state: "running" });
    const topics = `deployment:${id},log:${taskId}`;
    const names: string[] = [];
    const bytes: Uint8Array[] = [];
    let lastId: string | undefined;
    for (let i = 0; i < 20; i++) {
      const live = await openLive(topics, lastId);
      const written = tell(id, `event ${i}`);
      const logged = append(taskId, `line ${i}\n`, new Uint8Array([0xff, i]));
      // Cut after one event of the second kind that comes, whatever it is.
      for (let taken = 0; taken < 2; taken++) {
        const frame = await live.next();
        lastId = frame.id;
        if (frame.event === "timeline") names.push(frame.data.name);
        if (frame.event === "log") bytes.push(bytesOf(frame.data));
      }
      await Promise.all([written, logged, live.close()]);
    }
    await seed.moveTask(taskId, "success");
    await tell(id, "last", taskId);
    const live = await openLive(topics, lastId);
    let hasEnded = false;
    for (let hasLast = false; !hasLast || !hasEnded;) {
      const frame = await live.next();
      if (frame.event === "timeline") names.push(frame.data.name);
      if (frame.event === "log") bytes.push(bytesOf(frame.data));
      hasLast ||= frame.data.name === "last";
      hasEnded ||= frame.event === "logEnd";
    }
    await live.close();
    expect(names).toEqual([...Array.from({ length: 20 }, (_, i) => `event ${i}`), "last"]);
    const stored = await (await served.get(`/tasks/${taskId}/logs`)).arrayBuffer();
    expect(Buffer.from(concatBytes(bytes)).equals(Buffer.from(stored))).toBe(true);
  });

  it("says `reset` to a reader whose place is not known any more", async () => {
    for (const lastId of ["nonsense", "999999999.5"]) {
      const live = await openLive("agents", lastId);
      expect((await live.next()).event).toBe("reset");
      await live.close();
    }
  });

  it("serves eight tabs at once", async () => {
    const { id } = await seed.deployment();
    const tabs = await Promise.all(Array.from({ length: 8 }, () => openLive(`deployments,deployment:${id}`)));
    await tell(id, "for everybody");
    for (const tab of tabs) await tab.until(named("for everybody"));
    await Promise.all(tabs.map((tab) => tab.close()));
  });
});

describe("logs in the live stream", () => {
  it("begin where the reader says, go on with another attempt, and end with the task", async () => {
    const { id: deploymentId, environmentId } = await seed.deployment();
    const taskId = await seed.task({ deploymentId, environmentId, state: "running" });
    await seed.log(taskId, 1, "0123456789");
    const live = await openLive(`log:${taskId}@1:4`);
    expect((await live.next()).data).toMatchObject({ attempt: 1, offset: 4, encoding: "utf8", data: "456789" });
    await db.sql`update task set attempt = 2 where id = ${taskId}`;
    await seed.log(taskId, 2, "second");
    hints.announce("log", taskId);
    expect((await live.next()).data).toMatchObject({ attempt: 2, offset: 0, data: "second" });
    await seed.moveTask(taskId, "failed");
    await record({ topic: "task", subjectId: taskId, deploymentId });
    expect((await live.next()).data).toEqual({ type: "logEnd", taskId });
    // A person tries it again: the topic lives on.
    await seed.moveTask(taskId, "pending");
    await db.sql`update task set attempt = 3 where id = ${taskId}`;
    await seed.log(taskId, 3, "third");
    hints.announce("log", taskId);
    expect((await live.next()).data).toMatchObject({ attempt: 3, data: "third" });
    await live.close();
  });

  it("pass over what a slow viewer could not take, say so, and go on near the end; asked-for history is whole", async () => {
    const { id: deploymentId, environmentId } = await seed.deployment();
    const taskId = await seed.task({ deploymentId, environmentId, state: "running" });
    const { app } = api;
    const open = async (topic: string) => {
      const response = await app.request(`/api/v1/live?topics=${topic}`, {
        headers: { authorization: `Bearer ${api.tokens.viewer}` },
      });
      const frames = readFrames(response);
      await frames.next();
      return frames;
    };
    await seed.log(taskId, 1, "begin");
    const slow = await open(`log:${taskId}`);
    expect((await slow.next()).value!.data).toMatchObject({ offset: 0, data: "begin" });
    const piece = new Uint8Array(256 * 1024).fill(97);
    await append(taskId, ...Array.from({ length: 20 }, () => piece));
    const size = 5 + 20 * piece.length;
    expect((await slow.next()).value!.data).toEqual({
      type: "logGap",
      taskId,
      attempt: 1,
      offset: 5,
      bytes: size - 5 - 64 * 1024,
    });
    expect((await slow.next()).value!.data).toMatchObject({ type: "log", offset: size - 64 * 1024 });
    await slow.return(undefined);
    const patient = await open(`log:${taskId}@1:0`);
    let got = 0;
    while (got < size) {
      const { event, data } = (await patient.next()).value!;
      expect([event, data.offset]).toEqual(["log", got]);
      got += bytesOf(data).length;
    }
    await patient.return(undefined);
  });

  it("a viewer that does not read harms nobody", async () => {
    const { id: deploymentId, environmentId } = await seed.deployment();
    const taskId = await seed.task({ deploymentId, environmentId, state: "running" });
    const stuck = await served.get(`/live?topics=log:${taskId}`);
    const live = await openLive(`log:${taskId}`);
    const piece = new Uint8Array(128 * 1024).fill(98);
    let got = 0;
    for (let i = 1; i <= 96; i++) {
      await append(taskId, piece);
      while (got < i * piece.length) got += bytesOf((await live.next()).data).length;
    }
    await live.close();
    await stuck.body!.cancel();
  });
});

describe("topics", () => {
  it("that are unknown or of another project are refused one by one", async () => {
    const mine = await seed.deployment();
    const foreign = seedWork(db, await seed.project());
    const { id: deploymentId, environmentId } = await foreign.deployment();
    const taskId = await foreign.task({ deploymentId, environmentId });
    const bad = [`deployment:${deploymentId}`, `log:${taskId}`, `deployment:${db.newId()}`];
    for (const topic of bad) expect((await api.request("GET", `/live?topics=${topic}`)).status).toBe(404);
    expect((await api.request("GET", "/live?topics=*")).status).toBe(400);
    expect((await api.request("GET", `/live?topics=log:${taskId}@x`)).body.detail).toContain("There is no topic");
    const live = await openLive([`deployment:${mine.id}`, ...bad].join(","));
    expect(live.refused).toEqual(bad);
    const set = (topics: string[], token?: string) => served.post(`/live/${live.streamId}/topics`, { topics }, token);
    expect((await set([`log:${taskId}`])).status).toBe(404);
    expect((await set(["*"])).status).toBe(400);
    expect(await (await set(["agents", ...bad])).json()).toEqual({ topics: ["agents"], refused: bad });
    await foreign.event({ topic: "task", subjectId: taskId, deploymentId });
    await tell(mine.id, "not followed any more");
    await record({ topic: "agent", subjectId: null });
    expect((await live.next()).data).toEqual({ type: "changed", topic: "agents", id: null });
    await live.close();
  });

  it("are changed by the one who opened the stream, and by nobody else", async () => {
    const { id: deploymentId, environmentId } = await seed.deployment();
    const taskId = await seed.task({ deploymentId, environmentId, state: "running" });
    await seed.log(taskId, 1, "hello");
    const live = await openLive("agents");
    const path = `/live/${live.streamId}/topics`;
    expect((await served.post(path, { topics: [] }, api.tokens.admin)).status).toBe(404);
    expect((await served.post(path, { topics: ["agents", `log:${taskId}`] })).status).toBe(200);
    expect((await live.next()).data).toMatchObject({ type: "log", data: "hello" });
    const many = Array.from({ length: 201 }, () => `deployment:${db.newId()}`);
    expect((await served.post(path, { topics: many })).status).toBe(400);
    await live.close();
  });
});

it("leaves nothing behind when the reader goes, and ends with the process", async () => {
  let open = 0;
  let timers = 0;
  const shutdown = new AbortController();
  const app = createApp({
    ...api.deps,
    shutdown: shutdown.signal,
    clock: {
      ...api.deps.clock,
      after(milliseconds, call) {
        timers++;
        const timer = api.deps.clock.after(milliseconds, () => {
          timers--;
          call();
        });
        let isOpen = true;
        return {
          cancel() {
            if (isOpen) timers--;
            isOpen = false;
            timer.cancel();
          },
        };
      },
    },
    hints: {
      announce: hints.announce,
      on(topic, call) {
        open++;
        const end = hints.on(topic, call);
        return () => {
          open--;
          end();
        };
      },
    },
  });
  const connect = async () =>
    (await app.request("/api/v1/live?topics=agents", { headers: { authorization: `Bearer ${api.tokens.viewer}` } }))
      .body!.getReader();
  const reader = await connect();
  expect(open).toBe(0); // nothing is done before the first read
  await reader.read();
  const reading = reader.read();
  expect(open).toBeGreaterThan(0);
  await reader.cancel();
  await reading;
  await expect.poll(() => [open, timers]).toEqual([0, 0]);
  const other = await connect();
  await other.read();
  const waiting = other.read();
  shutdown.abort();
  expect((await waiting).done).toBe(true);
  await expect.poll(() => [open, timers]).toEqual([0, 0]);
});

it("ends when the right to read it has ended", async () => {
  let ahead = 0;
  const app = createApp({
    ...api.deps,
    clock: { ...api.deps.clock, monotonic: () => api.deps.clock.monotonic() + ahead },
  });
  const login = await app.request("/api/v1/auth/login", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ username: "viewer", password: TEST_PASSWORD }),
  });
  const { accessToken, user } = await login.json();
  const frames = readFrames(
    await app.request("/api/v1/live?topics=agents", { headers: { authorization: `Bearer ${accessToken}` } }),
  );
  await frames.next();
  const news = async () => {
    ahead += 16_000;
    await record({ topic: "agent", subjectId: db.newId() });
    return (await frames.next()).value?.event;
  };
  expect(await news()).toBe("changed");
  await db.sql`update app_user set sessions_valid_from = boreas_now() + interval '1 hour' where id = ${user.id}`;
  await db.sql`delete from refresh_token where user_id = ${user.id}`;
  expect(await news()).toBeUndefined();
});
