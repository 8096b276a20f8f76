import { beforeEach, describe, expect, it } from "vitest";
import type { LiveEvent } from "../../protocol/live_events.ts";
import { createLiveHub } from "./live_hub.ts";
import type { HubDeps, HubTab, LiveHub, StreamSource } from "./live_hub.ts";
import type { ToTab } from "./messages.ts";

const ID = "0198c000-0000-7000-8000-000000000001";
const LOG = `log:${ID}`;

class FakeSource implements StreamSource {
  listeners = new Map<string, (event: { data: string; lastEventId: string }) => void>();
  onerror: ((event: Event) => unknown) | null = null;
  readyState = 1;
  closed = false;
  constructor(readonly address: URL) {}
  addEventListener(type: string, listener: (event: { data: string; lastEventId: string }) => void) {
    this.listeners.set(type, listener);
  }
  close() {
    this.closed = true;
  }
  tell(event: LiveEvent, lastEventId = "") {
    this.listeners.get(event.type)!({ data: JSON.stringify(event), lastEventId });
  }
  break(readyState = 0) {
    this.readyState = readyState;
    this.onerror?.(new Event("error"));
  }
  get topics() {
    return this.address.searchParams.get("topics")!.split(",");
  }
}

let sources: FakeSource[];
let posts: { address: string; topics: string[]; answer: (status: number) => void }[];
let timers: { milliseconds: number; act: () => void }[];
let refreshes: (("ok" | "denied" | "unreachable") | undefined)[];
let hub: LiveHub;
const last = () => sources.at(-1)!;
const settle = async () => {
  for (let i = 0; i < 10; i++) await Promise.resolve();
};

beforeEach(() => {
  sources = [];
  posts = [];
  timers = [];
  refreshes = [];
  const deps: HubDeps = {
    open: (address) => {
      sources.push(new FakeSource(new URL(address, "http://boreas")));
      return last();
    },
    post: (address, body) =>
      new Promise((answer) => posts.push({ address, topics: (body as { topics: string[] }).topics, answer })),
    refresh: () => Promise.resolve(refreshes.shift() ?? "ok"),
    random: () => 1,
    later: (milliseconds, act) => {
      const timer = { milliseconds, act };
      timers.push(timer);
      return () => void (timers = timers.filter((one) => one !== timer));
    },
  };
  hub = createLiveHub(deps);
});

function tab(...topics: string[]) {
  const heard: ToTab[] = [];
  const one: HubTab & { heard: ToTab[]; want: (...topics: string[]) => void } = {
    heard,
    say: (message) => void heard.push(message),
    want: (...wanted) => hub.hear(one, { type: "topics", topics: wanted }),
  };
  hub.join(one);
  one.want(...topics);
  return one;
}
const status = (one: { heard: ToTab[] }) => one.heard.findLast((m) => m.type === "status")?.status;
const events = (one: { heard: ToTab[] }) => one.heard.filter((m) => m.type === "event").map((m) => m.event);
const confirmed = (one: { heard: ToTab[] }) => one.heard.flatMap((m) => m.type === "subscribed" ? m.topics : []);
const open = (id = "s1") => last().tell({ type: "stream", streamId: id });

describe("one stream for all tabs", () => {
  it("serves eight tabs with one connection, each with what it asked for", async () => {
    const tabs = Array.from({ length: 8 }, (_, i) => tab(i % 2 ? "agents" : "versions"));
    open();
    await settle();
    posts[0]?.answer(200);
    await settle();
    last().tell({ type: "changed", topic: "agents", id: null }, "5");
    expect(sources).toHaveLength(1);
    expect(tabs.map((one) => events(one).length)).toEqual([0, 1, 0, 1, 0, 1, 0, 1]);
  });

  it("posts the new union when topics change, one post at a time, and confirms them then", async () => {
    const one = tab("agents");
    open();
    one.want("agents", "versions");
    one.want("agents", "versions", "repositories");
    await settle();
    expect(posts.map((p) => p.topics)).toEqual([["agents", "versions"]]);
    expect(posts[0]!.address).toBe("/api/v1/live/s1/topics");
    expect(confirmed(one)).toEqual(["agents"]);
    posts[0]!.answer(200);
    await settle();
    expect(confirmed(one)).toEqual(["agents", "versions"]);
    expect(posts[1]!.topics).toEqual(["agents", "versions", "repositories"]);
    posts[1]!.answer(200);
    await settle();
    expect(confirmed(one)).toEqual(["agents", "versions", "repositories"]);
  });

  it("confirms at once what another tab has already", () => {
    tab("agents");
    open();
    expect(confirmed(tab("agents"))).toEqual(["agents"]);
    expect(posts).toEqual([]);
  });

  it("closes with the last tab and opens with the next", () => {
    const one = tab("agents");
    open();
    hub.hear(one, { type: "bye" });
    expect(last().closed).toBe(true);
    tab("versions");
    expect(sources).toHaveLength(2);
    expect(last().topics).toEqual(["versions"]);
  });

  it("opens the stream anew when the master no longer knows it", async () => {
    const one = tab("agents");
    open();
    one.want("versions");
    posts[0]!.answer(404);
    await settle();
    timers[0]!.act();
    expect(last().topics).toEqual(["versions"]);
  });
});

describe("a broken stream", () => {
  it("says so, waits longer each time up to a bound, and goes on where it stood", async () => {
    const one = tab("agents", `${LOG}@1:0`);
    open();
    last().tell({ type: "log", taskId: ID, attempt: 2, offset: 10, encoding: "utf8", data: "é!" }, "77");
    last().break();
    await settle();
    expect(status(one)).toBe("reconnecting");
    const delays: number[] = [];
    for (let i = 0; i < 8; i++) {
      const timer = timers.at(-1)!;
      timers = [];
      delays.push(timer.milliseconds);
      timer.act();
      last().break();
      await settle();
    }
    expect(delays).toEqual([400, 800, 1600, 3200, 6400, 12_800, 15_000, 15_000]);
    expect(last().address.searchParams.get("lastEventId")).toBe("77");
    expect(last().topics).toEqual(["agents", `${LOG}@2:13`]);
    timers[0]!.act();
    open("s2");
    expect(status(one)).toBe("live");
  });

  it("ignores what a stream that was given up still says", async () => {
    const one = tab("agents");
    open();
    const old = last();
    old.break();
    await settle();
    old.tell({ type: "changed", topic: "agents", id: null });
    expect(events(one)).toEqual([]);
  });

  it("renews the session when the master refuses, and is signed out when that fails", async () => {
    const one = tab("agents");
    refreshes = ["ok", "denied"];
    last().break(2);
    await settle();
    expect(status(one)).toBe("reconnecting");
    timers[0]!.act();
    last().break(2);
    await settle();
    expect(status(one)).toBe("signedOut");
    hub.hear(one, { type: "retry" });
    open();
    expect(status(one)).toBe("live");
  });

  it("keeps trying while the master is away", async () => {
    const one = tab("agents");
    refreshes = ["unreachable"];
    last().break(2);
    await settle();
    expect(status(one)).toBe("reconnecting");
    expect(timers).toHaveLength(1);
  });

  it("tells every tab of a reset", () => {
    const tabs = [tab("agents"), tab("agents")];
    open();
    last().tell({ type: "reset", reason: "too old" });
    expect(tabs.map((one) => events(one))).toEqual([[{ type: "reset", reason: "too old" }], [{
      type: "reset",
      reason: "too old",
    }]]);
  });
});
