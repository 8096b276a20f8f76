import { describe, expect, it } from "vitest";
import type { LiveEvent } from "../../protocol/live_events.ts";
import type { Api } from "../api/api_client.ts";
import type { LiveFeed } from "../live/live_feed.ts";
import { createLogModel } from "./log_model.ts";

const TASK = "0198c000-0000-7000-8000-000000000001";
const settle = async () => {
  for (let i = 0; i < 30; i++) await Promise.resolve();
};

/** The file and the stream of one log, each as far as the test lets it be. */
function world() {
  let file = "";
  let hear: (event: LiveEvent) => void = () => {};
  const topics: string[] = [];
  let confirm = () => {};
  let isAway = false;
  const reads: number[] = [];
  const api = {
    bytes: (path: string) => {
      const query = new URLSearchParams(path.split("?")[1]);
      const offset = Number(query.get("offset"));
      reads.push(offset);
      if (isAway) return Promise.reject(new Error("away"));
      const bytes = new TextEncoder().encode(file).slice(offset, offset + 10);
      return Promise.resolve({ bytes, nextOffset: offset + bytes.length });
    },
  } as unknown as Api;
  const feed = {
    subscribe: (wanted: string[], listener: (event: LiveEvent) => void) => {
      topics.push(...wanted);
      hear = listener;
      return { ready: new Promise<void>((resolve) => confirm = resolve), close: () => topics.pop() };
    },
  } as unknown as LiveFeed;
  return {
    api,
    feed,
    topics,
    reads,
    write: (text: string) => file += text,
    away: (away: boolean) => isAway = away,
    confirm: () => confirm(),
    tell: (event: LiveEvent) => hear(event),
    log: (offset: number, data: string, attempt = 1) =>
      hear({ type: "log", taskId: TASK, attempt, offset, encoding: "utf8", data }),
  };
}

function model(w: ReturnType<typeof world>, isLive = true) {
  const made = createLogModel({ api: w.api, feed: w.feed, taskId: TASK, attempt: 1, isLive });
  const lines = () => Array.from({ length: made.store.count() }, (_, i) => made.store.text(i));
  return { ...made, lines };
}

describe("a task's log", () => {
  it("is read to its end and followed from there", async () => {
    const w = world();
    w.write("line one\nline two\n");
    const log = model(w);
    await settle();
    expect(log.lines()).toEqual(["line one", "line two"]);
    expect(w.topics).toEqual([`log:${TASK}@1:18`]);
    w.confirm();
    await settle();
    w.log(18, "line three\n");
    expect(log.lines()).toEqual(["line one", "line two", "line three"]);
    expect(log.state.value).toBe("following");
  });

  it("has what was written between the read and the subscription", async () => {
    const w = world();
    const log = model(w);
    await settle();
    w.write("missed\n");
    w.confirm();
    await settle();
    expect(log.lines()).toEqual(["missed"]);
  });

  it("joins a stream that another tab holds further on", async () => {
    const w = world();
    const log = model(w);
    await settle();
    w.write("first\nsecond\n");
    w.log(6, "second\n");
    w.confirm();
    await settle();
    expect(log.lines()).toEqual(["first", "second"]);
  });

  it("reads what a slow viewer was passed over for", async () => {
    const w = world();
    const log = model(w);
    await settle();
    w.confirm();
    await settle();
    w.write("a\nb\nc\n");
    w.tell({ type: "logGap", taskId: TASK, attempt: 1, offset: 0, bytes: 4 });
    w.log(4, "c\n");
    await settle();
    expect(log.lines()).toEqual(["a", "b", "c"]);
    expect(log.store.gapBefore(0)).toBe(0);
  });

  it("says where bytes are lost", async () => {
    const w = world();
    const log = model(w);
    await settle();
    w.confirm();
    await settle();
    w.log(100, "after\n");
    await settle();
    expect(log.lines()).toEqual(["after"]);
    expect(log.store.gapBefore(0)).toBe(100);
  });

  it("ignores another attempt", async () => {
    const w = world();
    const log = model(w);
    await settle();
    w.confirm();
    await settle();
    w.log(0, "attempt two\n", 2);
    expect(log.lines()).toEqual([]);
  });

  it("ends with the task", async () => {
    const w = world();
    const log = model(w);
    await settle();
    w.confirm();
    await settle();
    w.tell({ type: "logEnd", taskId: TASK });
    await settle();
    expect(log.state.value).toBe("ended");
  });

  it("keeps what it has while the master is away, and goes on", async () => {
    const w = world();
    w.write("one\n");
    const log = model(w);
    await settle();
    w.confirm();
    await settle();
    w.write("two\nthree\n");
    w.away(true);
    w.log(8, "three\n");
    await settle();
    expect(log.lines()).toEqual(["one"]);
    expect(log.error.value).toBeDefined();
    w.away(false);
    w.tell({ type: "reset", reason: "" });
    await settle();
    expect(log.lines()).toEqual(["one", "two", "three"]);
    expect(log.error.value).toBeUndefined();
  });

  it("of an earlier attempt is only read", async () => {
    const w = world();
    w.write("old\n");
    const log = model(w, false);
    await settle();
    expect(log.state.value).toBe("ended");
    expect(w.topics).toEqual([]);
    log.dispose();
  });

  it("lets go of its topic", async () => {
    const w = world();
    const log = model(w);
    await settle();
    log.dispose();
    expect(w.topics).toEqual([]);
  });
});
