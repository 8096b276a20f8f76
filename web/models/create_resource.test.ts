import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { LiveEvent } from "../../protocol/live_events.ts";
import type { LiveFeed } from "../live/live_feed.ts";
import { createResource } from "./create_resource.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const changed: LiveEvent = { type: "changed", topic: "agents", id: null };

function world() {
  const loads: { resolve: (value: number) => void; reject: (error: Error) => void }[] = [];
  let hear: (event: LiveEvent) => void = () => {};
  let confirm = () => {};
  let closed = 0;
  const feed = {
    subscribe: (_: string[], listener: (event: LiveEvent) => void) => {
      hear = listener;
      return { ready: new Promise<void>((resolve) => confirm = resolve), close: () => void closed++ };
    },
  } as unknown as LiveFeed;
  const resource = createResource<number>({
    feed,
    topics: ["agents"],
    load: () => new Promise((resolve, reject) => loads.push({ resolve, reject })),
    reduce: (data, event) => event.type === "changed" ? "reload" : event.type === "timeline" ? data + 1 : undefined,
  });
  const pass = (ms = 0) => vi.advanceTimersByTimeAsync(ms);
  return {
    resource,
    loads,
    feed,
    tell: (event: LiveEvent) => hear(event),
    confirm: () => confirm(),
    closed: () => closed,
    pass,
  };
}
const step = { type: "timeline" } as LiveEvent;

describe("a resource", () => {
  it("is read once the master knows its topics", async () => {
    const w = world();
    await w.pass();
    expect(w.loads).toHaveLength(0);
    w.confirm();
    await w.pass();
    w.loads[0]!.resolve(1);
    await w.pass();
    expect([w.loads.length, w.resource.data.value]).toEqual([1, 1]);
  });

  it("does not wait long for a stream, and reads again when it has come", async () => {
    const w = world();
    await w.pass(300);
    w.loads[0]!.resolve(1);
    await w.pass();
    expect(w.resource.data.value).toBe(1);
    w.confirm();
    await w.pass();
    expect(w.loads).toHaveLength(2);
  });

  it("answers a burst of changes with one read", async () => {
    const w = world();
    w.confirm();
    await w.pass();
    w.loads[0]!.resolve(1);
    await w.pass();
    for (let i = 0; i < 50; i++) w.tell(changed);
    await w.pass(150);
    expect(w.loads).toHaveLength(2);
  });

  it("reads once more for a change during a read, and never two at once", async () => {
    const w = world();
    w.confirm();
    await w.pass();
    w.tell(changed);
    void w.resource.reload();
    expect(w.loads).toHaveLength(1);
    w.loads[0]!.resolve(1);
    await w.pass();
    expect(w.loads).toHaveLength(2);
    w.loads[1]!.resolve(2);
    await w.pass(500);
    expect([w.loads.length, w.resource.data.value]).toEqual([2, 2]);
  });

  it("puts events that came during a read onto its answer", async () => {
    const w = world();
    w.confirm();
    await w.pass();
    w.tell(step);
    w.loads[0]!.resolve(10);
    await w.pass();
    expect(w.resource.data.value).toBe(11);
  });

  it("keeps what it has when a read fails, and says so", async () => {
    const w = world();
    w.confirm();
    await w.pass();
    w.loads[0]!.resolve(1);
    await w.pass();
    void w.resource.reload();
    w.loads[1]!.reject(new Error("away"));
    await w.pass();
    expect([w.resource.data.value, String(w.resource.error.value)]).toEqual([1, "Error: away"]);
  });

  it("reads afresh after a reset", async () => {
    const w = world();
    w.confirm();
    await w.pass();
    w.loads[0]!.resolve(1);
    await w.pass();
    w.tell({ type: "reset", reason: "" });
    expect(w.loads).toHaveLength(2);
  });

  it("leaves neither subscription nor timer behind", async () => {
    const w = world();
    w.confirm();
    await w.pass();
    w.loads[0]!.resolve(1);
    await w.pass();
    w.tell(changed);
    w.resource.dispose();
    await w.pass(1000);
    expect([w.closed(), w.loads.length, vi.getTimerCount()]).toEqual([1, 1, 0]);
  });
});
