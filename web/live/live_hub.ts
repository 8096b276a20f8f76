/**
 * Holds the one live stream for all tabs of a browser (a browser allows six connections per host, a person eight tabs).
 *
 *   idle --first topic--> connecting --`stream` event--> live --error--> reconnecting --timer--> connecting
 *                             '-- the session ended and cannot be renewed --> signedOut --retry--> connecting
 *   any --last topic gone--> idle
 *
 * While live, a change of the union of all topics is posted to the stream; only one such post is under way, and another
 * follows if the union changed meanwhile. A new stream starts where the last event's id says, so nothing is missed; the
 * master answers `reset` when that point is too old.
 */
import type { LiveEvent } from "../../protocol/live_events.ts";
import { topicKey, topicsOf } from "./messages.ts";
import type { LiveStatus, ToHub, ToTab } from "./messages.ts";

export interface StreamSource {
  addEventListener(type: string, listener: (event: { data: string; lastEventId: string }) => void): void;
  close(): void;
  onerror: ((event: Event) => unknown) | null;
  /** 2 = the master refused; 0 = the network broke. */
  readonly readyState: number;
}
export interface HubDeps {
  open(address: string): StreamSource;
  /** HTTP status, 0 when nothing answered. */
  post(address: string, body: unknown): Promise<number>;
  refresh(): Promise<"ok" | "denied" | "unreachable">;
  random(): number;
  later(milliseconds: number, act: () => void): () => void;
}
export interface HubTab {
  say(message: ToTab): void;
}

const EVENT_TYPES = Object.keys(
  {
    stream: true,
    reset: true,
    deployment: true,
    tasks: true,
    timeline: true,
    changed: true,
    log: true,
    logEnd: true,
    logGap: true,
  } satisfies Record<LiveEvent["type"], true>,
);
const FIRST_DELAY_MS = 400;
const LONGEST_DELAY_MS = 15_000;

export function createLiveHub(deps: HubDeps) {
  /** What each tab wants, by topic key. */
  const tabs = new Map<HubTab, Map<string, string>>();
  let status: LiveStatus = "connecting";
  let source: StreamSource | undefined;
  let streamId: string | undefined;
  let lastEventId = "";
  let failures = 0;
  let cancelTimer: (() => void) | undefined;
  /** Topic keys that the stream serves now. */
  let served = new Set<string>();
  /** Where each log has been read to, for a stream that must start again without a resume id. */
  const logEnds = new Map<string, string>();
  let isPosting = false;

  const union = () => {
    const topics = new Map<string, string>();
    for (const wanted of tabs.values()) {
      for (const [key, topic] of wanted) if (!topics.has(key)) topics.set(key, logEnds.get(key) ?? topic);
    }
    return topics;
  };
  const setStatus = (next: LiveStatus) => {
    status = next;
    for (const tab of tabs.keys()) tab.say({ type: "status", status });
  };
  const confirm = (keys: Set<string>) => {
    for (const [tab, wanted] of tabs) {
      const topics = [...wanted.keys()].filter((key) => keys.has(key));
      if (topics.length > 0) tab.say({ type: "subscribed", topics });
    }
  };

  function connect() {
    cancelTimer?.();
    cancelTimer = undefined;
    const topics = union();
    if (topics.size === 0 || source) return;
    const query = new URLSearchParams({ topics: [...topics.values()].join(",") });
    if (lastEventId) query.set("lastEventId", lastEventId);
    const mine = source = deps.open(`/api/v1/live?${query}`);
    const asked = new Set(topics.keys());
    for (const type of EVENT_TYPES) {
      mine.addEventListener(type, (message) => {
        if (mine === source) receive(JSON.parse(message.data) as LiveEvent, message.lastEventId, asked);
      });
    }
    mine.onerror = () => {
      if (mine === source) void lose(mine.readyState === 2);
    };
  }

  function receive(event: LiveEvent, id: string, asked: Set<string>) {
    if (id) lastEventId = id;
    if (event.type === "stream") {
      streamId = event.streamId;
      served = asked;
      failures = 0;
      setStatus("live");
      confirm(served);
      void syncTopics();
      return;
    }
    if (event.type === "log") {
      const next = event.offset + byteLength(event);
      logEnds.set(`log:${event.taskId}`, `log:${event.taskId}@${event.attempt}:${next}`);
    }
    const about = topicsOf(event);
    for (const [tab, wanted] of tabs) {
      if (!about || about.some((key) => wanted.has(key))) tab.say({ type: "event", event });
    }
  }

  function drop() {
    source?.close();
    source = streamId = undefined;
    served = new Set();
  }

  async function lose(isRefused: boolean) {
    drop();
    setStatus("reconnecting");
    if (isRefused) {
      const refreshed = await deps.refresh();
      if (refreshed === "denied") return setStatus("signedOut");
    }
    if (source || cancelTimer || tabs.size === 0) return;
    // Jitter spreads the browsers of a whole team over a master that has just come back.
    const delay = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** failures++) * (0.5 + deps.random() / 2);
    cancelTimer = deps.later(delay, connect);
  }

  async function syncTopics() {
    if (isPosting || !streamId) return;
    const topics = union();
    if (topics.size === 0) return stop();
    if (topics.size === served.size && [...topics.keys()].every((key) => served.has(key))) return;
    isPosting = true;
    const mine = source;
    const answer = await deps.post(`/api/v1/live/${streamId}/topics`, { topics: [...topics.values()] });
    isPosting = false;
    if (mine !== source) return void syncTopics();
    if (answer < 200 || answer >= 300) return void lose(answer === 401 || answer === 403);
    const fresh = new Set([...topics.keys()].filter((key) => !served.has(key)));
    served = new Set(topics.keys());
    confirm(fresh);
    await syncTopics();
  }

  function stop() {
    cancelTimer?.();
    cancelTimer = undefined;
    drop();
    lastEventId = "";
    logEnds.clear();
    status = "connecting";
  }

  return {
    join(tab: HubTab) {
      tabs.set(tab, new Map());
      tab.say({ type: "status", status });
    },
    hear(tab: HubTab, message: ToHub) {
      if (message.type === "bye") return this.leave(tab);
      if (message.type === "retry") {
        if (source) return;
        failures = 0;
        setStatus("reconnecting");
        return connect();
      }
      if (!tabs.has(tab)) this.join(tab);
      const before = tabs.get(tab)!;
      const wanted = new Map(message.topics.map((topic) => [topicKey(topic), topic]));
      tabs.set(tab, wanted);
      const known = [...wanted.keys()].filter((key) => !before.has(key) && served.has(key));
      if (known.length > 0) tab.say({ type: "subscribed", topics: known });
      const all = union();
      for (const key of logEnds.keys()) if (!all.has(key)) logEnds.delete(key);
      if (all.size === 0) return stop();
      if (streamId) void syncTopics();
      else if (!source && !cancelTimer && status !== "signedOut") connect();
    },
    leave(tab: HubTab) {
      if (!tabs.delete(tab)) return;
      if (union().size === 0) stop();
      else void syncTopics();
    },
    tabs: () => tabs.size,
  };
}
export type LiveHub = ReturnType<typeof createLiveHub>;

function byteLength(chunk: { encoding: "utf8" | "base64"; data: string }): number {
  if (chunk.encoding === "utf8") return new TextEncoder().encode(chunk.data).length;
  return chunk.data.length / 4 * 3 - (chunk.data.match(/=*$/)![0].length);
}
