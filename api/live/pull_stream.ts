import type { Clock } from "../../domain/ports.ts";

/** A stream may live for days; the right to read it may end sooner. */
export interface Guard {
  clock: Clock;
  stillAllowed(): Promise<boolean>;
  /** Called once, when the stream has ended, also when it was never read. */
  onEnd?(): void;
}
const CHECK_MS = 15_000;

export interface Source {
  /** The next piece, undefined at the end. */
  next(): Promise<Uint8Array | undefined>;
  /** Called once, however the stream ends: its end, an error, a reader that went away. Must end a `next` that waits. */
  close(): void;
}

/**
 * A body that does nothing until its reader asks: so a slow reader costs one piece, and nobody else anything; a body
 * that is never read (HEAD) costs nothing at all, for its source is only opened by the first read. With a guard, nothing
 * is given later than CHECK_MS after the reader's right to it has ended.
 */
export function pullStream(open: () => Source, guard?: Guard): ReadableStream<Uint8Array> {
  let source: Source | undefined;
  let checkedAt = guard?.clock.monotonic() ?? 0;
  const isAllowed = async () => {
    if (!guard || guard.clock.monotonic() - checkedAt < CHECK_MS) return true;
    checkedAt = guard.clock.monotonic();
    return await guard.stillAllowed();
  };
  let ended = false;
  const end = () => {
    if (ended) return false;
    ended = true;
    source?.close();
    guard?.onEnd?.();
    return true;
  };
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        source ??= open();
        const piece = await source.next();
        if (piece && await isAllowed()) {
          if (!ended) controller.enqueue(piece);
        } else if (end()) controller.close();
      } catch (error: unknown) {
        if (end()) controller.error(error);
      }
    },
    cancel() {
      end();
    },
  }, { highWaterMark: 0 });
}

/** Ends a stream with the process: an open stream would keep the server from closing. */
export function untilShutdown(shutdown: AbortSignal | undefined, stop: () => void): () => void {
  if (!shutdown) return () => {};
  if (shutdown.aborted) stop();
  else shutdown.addEventListener("abort", stop);
  return () => shutdown.removeEventListener("abort", stop);
}
