/**
 * The log of one attempt of a task: the stored bytes by offset, then the live stream from where they end. Another tab may
 * hold the stream's topic at a place of its own, so once subscribed the file is looked at again and the two are joined by
 * offset. A hole in the stream is read from the file; what the file does not have either is marked.
 */
import { signal } from "@preact/signals";
import type { ReadonlySignal } from "@preact/signals";
import type { LiveEvent } from "../../protocol/live_events.ts";
import type { Api } from "../api/api_client.ts";
import { withQuery } from "../api/api_client.ts";
import type { LiveFeed, Subscription } from "../live/live_feed.ts";
import { chunkBytes, createLogStore } from "../log/log_store.ts";
import type { LogStore } from "../log/log_store.ts";

export interface LogModel {
  store: LogStore;
  /** Grows with every change of the store. */
  version: ReadonlySignal<number>;
  state: ReadonlySignal<"loading" | "following" | "ended">;
  error: ReadonlySignal<unknown>;
  dispose(): void;
}
export interface LogInput {
  api: Api;
  feed: LiveFeed;
  taskId: string;
  attempt: number;
  /** Only the newest attempt of a task that is not final still grows. */
  isLive: boolean;
}
type Piece = Extract<LiveEvent, { type: "log" | "logGap" }>;

const READ_BYTES = 2 * 1024 * 1024;
const endOf = (piece: Piece) => piece.offset + (piece.type === "log" ? chunkBytes(piece).length : piece.bytes);

export function createLogModel({ api, feed, taskId, attempt, isLive }: LogInput): LogModel {
  const store = createLogStore();
  const version = signal(0);
  const state = signal<"loading" | "following" | "ended">("loading");
  const error = signal<unknown>(undefined);
  let subscription: Subscription | undefined;
  let isDisposed = false;
  let hasEnded = !isLive;
  let reading: Promise<void> | undefined;
  let isWanted = false;
  /** Pieces of the stream that wait for bytes before them. */
  let waiting: Piece[] = [];

  function hear(event: LiveEvent) {
    if (event.type === "logEnd") hasEnded = true;
    if (event.type === "logEnd" || event.type === "reset") return void read();
    if ((event.type !== "log" && event.type !== "logGap") || event.attempt !== attempt) return;
    if (reading || !isNext(event)) {
      waiting.push(event);
      void read();
    } else take(event);
  }

  const isNext = (piece: Piece) =>
    piece.type === "log" ? piece.offset <= store.next() : piece.offset + piece.bytes <= store.next();

  function take(piece: Piece) {
    if (piece.type === "log") store.append(piece.offset, chunkBytes(piece));
    version.value++;
  }

  /** Reads never overlap; a wish during one is kept only for a hole that it may have run past. */
  function read(): Promise<void> {
    isWanted = true;
    return reading ??= readToEnd().finally(() => reading = undefined);
  }

  async function readToEnd() {
    while (isWanted && !isDisposed) {
      isWanted = false;
      try {
        await readFile();
        error.value = undefined;
      } catch (cause: unknown) {
        // The master is away; the next event, or the stream's return, reads again from here.
        error.value = cause;
        return;
      }
      if (isDisposed) return;
      const arrived = waiting;
      waiting = [];
      for (const piece of arrived) {
        // The file ended before these bytes: they are lost, and the log says so.
        if (!isNext(piece)) {
          const until = piece.type === "log" ? piece.offset : endOf(piece);
          store.markGap(store.next(), until - store.next());
        }
        take(piece);
      }
      if (arrived.length > 0) isWanted = false;
    }
    state.value = hasEnded ? "ended" : "following";
  }

  async function readFile() {
    for (let isMore = true; isMore && !isDisposed;) {
      const from = store.next();
      const path = withQuery(`/tasks/${taskId}/logs`, { attempt, offset: from, limit: READ_BYTES });
      const { bytes, nextOffset } = await api.bytes(path);
      if (isDisposed) return;
      store.append(from, bytes);
      // The first bytes of an attempt may be gone: the file then begins later.
      if (nextOffset > store.next()) store.markGap(store.next(), nextOffset - store.next());
      isMore = bytes.length > 0;
      version.value++;
    }
  }

  void (async () => {
    await read();
    if (isDisposed || !isLive) return;
    subscription = feed.subscribe([`log:${taskId}@${attempt}:${store.next()}`], hear);
    await subscription.ready;
    if (!isDisposed) await read();
  })();

  return {
    store,
    version,
    state,
    error,
    dispose() {
      isDisposed = true;
      subscription?.close();
    },
  };
}
