/** A page's side of the live stream: models subscribe to topics, the hub in the shared worker holds the connection. */
import { signal } from "@preact/signals";
import type { ReadonlySignal } from "@preact/signals";
import type { LiveEvent } from "../../protocol/live_events.ts";
import { browserHubDeps } from "./hub_deps.ts";
import { createLiveHub } from "./live_hub.ts";
import { topicKey, topicsOf } from "./messages.ts";
import type { LiveStatus, ToHub, ToTab } from "./messages.ts";

export interface Subscription {
  /** The master knows the topics: what is read from now on has no hole to the events that follow. */
  ready: Promise<void>;
  close(): void;
}
export interface LiveFeed {
  status: ReadonlySignal<LiveStatus>;
  subscribe(topics: string[], listener: (event: LiveEvent) => void): Subscription;
  retry(): void;
}
/** A line to the hub. */
export interface HubLine {
  send(message: ToHub): void;
  onMessage(listener: (message: ToTab) => void): void;
}

interface Subscriber {
  topics: Map<string, string>;
  unconfirmed: Set<string>;
  listener: (event: LiveEvent) => void;
  resolve: () => void;
}

export function createLiveFeed(line: HubLine): LiveFeed {
  const status = signal<LiveStatus>("connecting");
  const subscribers = new Set<Subscriber>();
  let isScheduled = false;

  /** Several changes of one moment (a page leaves, the next one comes) are one message. */
  const sendTopics = () => {
    if (isScheduled) return;
    isScheduled = true;
    queueMicrotask(() => {
      isScheduled = false;
      const topics = new Map([...subscribers].flatMap((one) => [...one.topics]));
      line.send({ type: "topics", topics: [...topics.values()] });
    });
  };

  const confirmedKeys = new Set<string>();
  line.onMessage((message) => {
    if (message.type === "status") {
      status.value = message.status;
      if (message.status !== "live") confirmedKeys.clear();
    } else if (message.type === "subscribed") {
      for (const key of message.topics) confirmedKeys.add(key);
      for (const one of subscribers) confirm(one, message.topics);
    } else {
      const about = topicsOf(message.event);
      for (const one of [...subscribers]) {
        if (!about || about.some((key) => one.topics.has(key))) one.listener(message.event);
      }
    }
  });
  const confirm = (one: Subscriber, keys: Iterable<string>) => {
    for (const key of keys) one.unconfirmed.delete(key);
    if (one.unconfirmed.size === 0) one.resolve();
  };

  return {
    status,
    subscribe(topics, listener) {
      const wanted = new Map(topics.map((topic) => [topicKey(topic), topic]));
      const { promise: ready, resolve } = Promise.withResolvers<void>();
      const one: Subscriber = { topics: wanted, unconfirmed: new Set(wanted.keys()), listener, resolve };
      // Another subscriber of this tab may hold the topic already; the hub will not confirm it a second time.
      const held = new Set([...subscribers].flatMap((other) => [...other.topics.keys()]));
      subscribers.add(one);
      confirm(one, [...confirmedKeys].filter((key) => held.has(key)));
      sendTopics();
      return {
        ready,
        close() {
          subscribers.delete(one);
          const left = new Set([...subscribers].flatMap((other) => [...other.topics.keys()]));
          for (const key of wanted.keys()) if (!left.has(key)) confirmedKeys.delete(key);
          sendTopics();
        },
      };
    },
    retry: () => line.send({ type: "retry" }),
  };
}

/** The shared worker where there is one; otherwise a hub of this page's own. */
export function connectToHub(): HubLine {
  if (typeof SharedWorker === "undefined") return pageHub();
  const worker = new SharedWorker(new URL("./shared_worker.ts", import.meta.url), {
    type: "module",
    name: "boreas-live",
  });
  const { port } = worker;
  let last: ToHub | undefined;
  holdLock((name) => port.postMessage({ type: "lock", name }));
  addEventListener("pagehide", () => port.postMessage({ type: "bye" } satisfies ToHub));
  addEventListener("pageshow", (event) => {
    if (event.persisted && last) port.postMessage(last);
  });
  port.start();
  return {
    send(message) {
      if (message.type === "topics") last = message;
      port.postMessage(message);
    },
    onMessage: (listener) => port.addEventListener("message", ({ data }: MessageEvent<ToTab>) => listener(data)),
  };
}

/** Held for the life of the page; the worker waits for it. Without secure context there are no locks, only `bye`. */
function holdLock(tell: (name: string) => void) {
  if (!navigator.locks) return;
  const name = `boreas-tab-${crypto.getRandomValues(new Uint32Array(2)).join("-")}`;
  void navigator.locks.request(name, () => {
    tell(name);
    return new Promise(() => {});
  });
}

function pageHub(): HubLine {
  const hub = createLiveHub(browserHubDeps());
  let listener: (message: ToTab) => void = () => {};
  const tab = { say: (message: ToTab) => listener(message) };
  return {
    send: (message) => hub.hear(tab, message),
    onMessage(next) {
      listener = next;
      hub.join(tab);
    },
  };
}
