import { createApp } from "../create_app.ts";
import { describe, expect, it } from "vitest";
import { concatBytes } from "../../db/logs/read_log.ts";
import { seedWork } from "../../tests/helpers/seed_work.ts";
import { bytesOf, readFrames, serveApi } from "../../tests/helpers/serve_api.ts";
import { createTestApi } from "../../tests/helpers/test_api.ts";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";

const db = await createTestDatabase();
const api = await createTestApi(db);
const served = await serveApi(api);
const seed = seedWork(db);
const { hints } = api.deps;
const { id: deploymentId, environmentId } = await seed.deployment();
const newTask = (more: Partial<Parameters<typeof seed.task>[0]> = {}) =>
  seed.task({ deploymentId, environmentId, state: "running", ...more });
const append = async (taskId: string, attempt: number, ...pieces: (string | Uint8Array)[]) => {
  await seed.log(taskId, attempt, ...pieces);
  hints.announce("log", taskId);
};
const finish = async (taskId: string) => {
  await seed.moveTask(taskId, "success");
  hints.announce("events");
};
/** Reads until the text ends so. */
async function readUntil(reader: ReadableStreamDefaultReader<Uint8Array>, ending: string): Promise<string> {
  let text = "";
  while (!text.endsWith(ending)) {
    const { done, value } = await reader.read();
    if (done) throw new Error(`ended after ${JSON.stringify(text)}`);
    text += new TextDecoder().decode(value);
  }
  return text;
}

describe("the exact bytes", () => {
  it("come back as they were stored, NUL and broken UTF-8 included, over a socket", async () => {
    const taskId = await newTask();
    const odd = [
      "progress 10%\rprogress 20%\r",
      new Uint8Array([0, 255, 254, 0xf0, 0x9f]),
      new Uint8Array([0x98, 0x80, 10]),
      new Uint8Array(300_000).map((_, i) => i % 251),
      "\ufeffno newline at the end",
    ];
    await seed.log(taskId, 1, ...odd);
    const emitted = concatBytes(odd.map((p) => typeof p === "string" ? new TextEncoder().encode(p) : p));
    const response = await served.get(`/tasks/${taskId}/logs?download=1`);
    expect(response.headers.get("content-type")).toBe("text/plain; charset=utf-8");
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
    expect(response.headers.get("content-disposition")).toContain("attachment");
    expect(response.headers.get("x-next-offset")).toBe(String(emitted.length));
    expect(response.headers.get("x-attempt")).toBe("1");
    expect(Buffer.from(await response.arrayBuffer()).equals(Buffer.from(emitted))).toBe(true);
    const part = await served.get(`/tasks/${taskId}/logs?offset=20&limit=30`);
    expect([...new Uint8Array(await part.arrayBuffer())]).toEqual([...emitted.subarray(20, 50)]);
    expect(part.headers.get("x-next-offset")).toBe("50");
    const past = await served.get(`/tasks/${taskId}/logs?offset=9999999`);
    expect([await past.text(), past.headers.get("x-next-offset")]).toEqual(["", String(emitted.length)]);
  });

  it("are of the latest attempt unless another is asked for", async () => {
    const taskId = await newTask({ attempt: 2 });
    await seed.log(taskId, 1, "first");
    await seed.log(taskId, 2, "second");
    const latest = await api.request("GET", `/tasks/${taskId}/logs`);
    expect([latest.body, latest.headers.get("x-attempt")]).toEqual(["second", "2"]);
    expect((await api.request("GET", `/tasks/${taskId}/logs?attempt=1`)).body).toBe("first");
    const { status, body } = await api.request("GET", `/tasks/${taskId}/logs?attempt=3`);
    expect([status, body.detail]).toEqual([404, "This task has no attempt 3; its attempts are 1 to 2."]);
  });

  it("of a parent are those of its parts, labelled, as one document", async () => {
    const parent = await newTask({ isLeaf: false });
    const second = await newTask({ parentId: parent, name: "node-2", position: 92 });
    const first = await newTask({ parentId: parent, name: "node-1", position: 91 });
    await newTask({ parentId: parent, name: "node-3", position: 93, state: "pending" });
    await seed.log(first, 1, "a\nb");
    await seed.log(second, 1, "c\n");
    const whole = "==> node-1 <==\na\nb\n==> node-2 <==\nc\n\n==> node-3 <==\n";
    expect((await api.request("GET", `/tasks/${parent}/logs`)).body).toBe(whole);
    for (const offset of [3, 15, 17, 18, 40]) {
      const part = await api.request("GET", `/tasks/${parent}/logs?offset=${offset}&limit=9`);
      expect(part.body).toBe(whole.slice(offset, offset + 9));
    }
  });

  it("of an unknown task, or of another project's, are refused", async () => {
    const foreign = seedWork(db, await seed.project());
    const there = await foreign.deployment();
    const taskId = await foreign.task({ deploymentId: there.id, environmentId: there.environmentId });
    for (
      const path of [`/tasks/${taskId}/logs`, `/tasks/${db.newId()}/logs?follow=true`, `/tasks/${taskId}/logs/lines`]
    ) {
      expect((await api.request("GET", path)).status).toBe(404);
    }
    expect((await api.request("GET", `/tasks/${taskId}/logs`, undefined, null)).status).toBe(401);
  });
});

describe("lines", () => {
  it("are given by number", async () => {
    const taskId = await newTask();
    await seed.log(taskId, 1, "zero\none\ntw", "o\nthree");
    const { body } = await api.request("GET", `/tasks/${taskId}/logs/lines?from=1&count=2`);
    expect(body).toEqual({
      attempt: 1,
      from: 1,
      total: 4,
      lines: [{ offset: 5, text: "one", cut: false }, { offset: 9, text: "two", cut: false }],
    });
  });
});

describe("following", () => {
  it("gives bytes as they come, goes on with the next attempt, and ends with the task", async () => {
    const taskId = await newTask();
    await seed.log(taskId, 1, "before\n");
    const reader = (await served.get(`/tasks/${taskId}/logs?follow=true`)).body!.getReader();
    expect(await readUntil(reader, "before\n")).toBe("before\n");
    await append(taskId, 1, "live\n");
    expect(await readUntil(reader, "live\n")).toBe("live\n");
    await db.sql`update task set attempt = 2 where id = ${taskId}`;
    await append(taskId, 2, "again\n");
    expect(await readUntil(reader, "again\n")).toBe("\n==> attempt 2 <==\nagain\n");
    await finish(taskId);
    expect((await reader.read()).done).toBe(true);
  });

  it("finds by itself what no hint spoke of", async () => {
    const taskId = await newTask();
    const reader = (await served.get(`/tasks/${taskId}/logs?follow=true`)).body!.getReader();
    await seed.log(taskId, 1, "unannounced\n");
    expect(await readUntil(reader, "\n")).toBe("unannounced\n");
    await seed.moveTask(taskId, "failed");
    expect((await reader.read()).done).toBe(true);
  });

  it("puts the part's name before each line of a parent's parts, whole lines only", async () => {
    const parent = await newTask({ isLeaf: false });
    const one = await newTask({ parentId: parent, name: "n1", position: 81 });
    const two = await newTask({ parentId: parent, name: "n2", position: 82 });
    const reader = (await served.get(`/tasks/${parent}/logs?follow=true`)).body!.getReader();
    await append(one, 1, "be");
    await append(two, 1, "x\n");
    expect(await readUntil(reader, "x\n")).toBe("n2 | x\n");
    await append(one, 1, "gun\nlast without end");
    expect(await readUntil(reader, "gun\n")).toBe("n1 | begun\n");
    await seed.moveTask(one, "success");
    await seed.moveTask(two, "success");
    await finish(parent);
    expect(await readUntil(reader, "end\n")).toBe("n1 | last without end\n");
    expect((await reader.read()).done).toBe(true);
  });

  it("as events gives ids that a reader comes back with: twenty cut connections make up exactly the stored log", async () => {
    const taskId = await newTask();
    const pieces = Array.from(
      { length: 200 },
      (_, i) => i % 7 === 0 ? new Uint8Array([0xff, i, 0, 13, 10]) : `line ${i} 🙂\n`,
    );
    const got: Uint8Array[] = [];
    let lastId: string | undefined;
    let connections = 0;
    let ended = false;
    while (!ended) {
      await append(taskId, 1, ...pieces.slice(connections * 10, ++connections * 10));
      if (connections === 21) await finish(taskId);
      const frames = readFrames(
        await served.get(`/tasks/${taskId}/logs`, {
          headers: { accept: "text/event-stream", ...(lastId && { "last-event-id": lastId }) },
        }),
      );
      let taken = 0;
      for await (const frame of frames) {
        if (frame.event === "end") ended = true;
        else {
          expect(Object.keys(frame.data)).toEqual(["encoding", "data"]);
          got.push(bytesOf(frame.data));
          lastId = frame.id;
        }
        // The first twenty connections are cut after one event; those that follow may go on.
        if (ended || (connections <= 20 && ++taken === 1)) break;
      }
    }
    expect(connections).toBe(21);
    const stored = concatBytes(pieces.map((p) => typeof p === "string" ? new TextEncoder().encode(p) : p));
    expect(Buffer.from(concatBytes(got)).equals(Buffer.from(stored))).toBe(true);
    expect(lastId).toBe(`1:${stored.length}`);
  });

  it("leaves no subscription behind when the reader goes away", async () => {
    const counted = countSubscriptions();
    const taskId = await newTask();
    const response = await counted.api.app.request(`/api/v1/tasks/${taskId}/logs?follow=true`, {
      headers: { authorization: `Bearer ${api.tokens.viewer}` },
    });
    expect(counted.open()).toBe(0); // nothing is done before the first read
    const reader = response.body!.getReader();
    const reading = reader.read();
    await seed.log(taskId, 1, "x");
    await reading;
    expect(counted.open()).toBeGreaterThan(0);
    await reader.cancel();
    expect(counted.open()).toBe(0);
    const still = counted.api.app.request(`/api/v1/tasks/${taskId}/logs?follow=true&offset=1`, {
      headers: { authorization: `Bearer ${api.tokens.viewer}` },
    });
    const waiting = (await still).body!.getReader();
    const waited = waiting.read();
    counted.shutdown.abort();
    expect((await waited).done).toBe(true);
    expect(counted.open()).toBe(0);
  });
});

/** An API of its own whose hint subscriptions are counted, and which can be shut down. */
function countSubscriptions() {
  let open = 0;
  const shutdown = new AbortController();
  const counted = createApp({
    ...api.deps,
    shutdown: shutdown.signal,
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
  return { api: { app: counted }, open: () => open, shutdown };
}
