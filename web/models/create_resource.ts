/**
 * Something read from the master and kept up to date by the live stream.
 *
 * It subscribes first and reads once the master knows the topics, so that no change falls between the two; if that takes
 * long it reads at once and again afterwards. Reads never overlap: a wish for another one during a read is kept, and a
 * burst of changes ends in one read.
 */
import { signal } from "@preact/signals";
import type { ReadonlySignal } from "@preact/signals";
import type { LiveEvent } from "../../protocol/live_events.ts";
import type { LiveFeed } from "../live/live_feed.ts";
import type { Reduced } from "./reduce_live.ts";

export interface Resource<T> {
  data: ReadonlySignal<T | undefined>;
  error: ReadonlySignal<unknown>;
  reload(): Promise<void>;
  dispose(): void;
}
export interface ResourceInput<T> {
  feed: LiveFeed;
  topics: string[];
  load: () => Promise<T>;
  reduce?: (data: T, event: LiveEvent) => Reduced<T>;
  /** Also told of every event. */
  onEvent?: (event: LiveEvent) => void;
}

const WAIT_FOR_TOPICS_MS = 300;
const GATHER_CHANGES_MS = 150;

export function createResource<T>(input: ResourceInput<T>): Resource<T> & { set(data: T): void } {
  const data = signal<T | undefined>(undefined);
  const error = signal<unknown>(undefined);
  let isDisposed = false;
  let running: Promise<void> | undefined;
  let isWanted = false;
  let gather: ReturnType<typeof setTimeout> | undefined;
  /** Events that arrive during a read: the answer may be older than they are. */
  let during: LiveEvent[] = [];

  const subscription = input.topics.length === 0 ? undefined : input.feed.subscribe(input.topics, (event) => {
    input.onEvent?.(event);
    if (event.type === "reset") return void reload();
    if (running) during.push(event);
    apply(event);
  });

  function apply(event: LiveEvent) {
    if (data.value === undefined) return;
    const reduced = input.reduce?.(data.value, event);
    if (reduced === "reload") gather ??= setTimeout(() => void reload(), GATHER_CHANGES_MS);
    else if (reduced !== undefined) data.value = reduced;
  }

  function reload(): Promise<void> {
    clearTimeout(gather);
    gather = undefined;
    isWanted = true;
    return running ??= read().finally(() => running = undefined);
  }

  async function read() {
    while (isWanted && !isDisposed) {
      isWanted = false;
      during = [];
      try {
        const answer = await input.load();
        if (isDisposed) return;
        data.value = answer;
        error.value = undefined;
        const missed = during;
        during = [];
        for (const event of missed) if (event.type !== "changed") apply(event);
        if (missed.some((event) => event.type === "changed")) isWanted = true;
      } catch (cause: unknown) {
        if (!isDisposed) error.value = cause;
      }
    }
  }

  void start();
  async function start() {
    if (!subscription) return await reload();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const isReady = await Promise.race([
      subscription.ready.then(() => true),
      new Promise<false>((resolve) => timer = setTimeout(() => resolve(false), WAIT_FOR_TOPICS_MS)),
    ]);
    clearTimeout(timer);
    if (isDisposed) return;
    if (!isReady) void subscription.ready.then(() => isDisposed ? undefined : reload());
    await reload();
  }

  return {
    data,
    error,
    reload,
    set: (next) => data.value = next,
    dispose() {
      isDisposed = true;
      clearTimeout(gather);
      subscription?.close();
    },
  };
}
