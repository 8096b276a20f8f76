/**
 * The live event stream, followed through interruptions: on a lost connection it dials again from the last resume
 * point, so that a watcher sees every event once.
 *
 *   dial -> events ... -> lost -> wait (0.2 s, doubling to 5 s) -> dial with Last-Event-ID -> ...
 *
 * Ends when the reader leaves or the signal is aborted; fails when the server refuses it, or stays away too long.
 */
import { LiveEvent } from "../protocol/live_events.ts";
import { readEventStream } from "./event_stream.ts";
import { CliError, type CliHost } from "./host.ts";
import { ApiError, type Transport } from "./http.ts";

const FIRST_WAIT = 200;
const LONGEST_WAIT = 5_000;

export interface LiveOptions {
  signal?: AbortSignal;
  /** Most milliseconds without a server before giving up. */
  patience?: number;
  /** Told once per interruption. */
  onLost?: (why: string) => void;
}

export async function* followLive(
  transport: Transport,
  host: Pick<CliHost, "wait" | "now">,
  topics: readonly string[],
  { signal, patience = 120_000, onLost }: LiveOptions = {},
): AsyncGenerator<LiveEvent> {
  let resumeAt: string | null = null;
  let wait = FIRST_WAIT;
  let lostAt: number | undefined;
  while (!signal?.aborted) {
    let why = "the stream ended";
    try {
      const response = await transport.send("GET", "/live", {
        query: { topics: topics.join(",") },
        headers: { accept: "text/event-stream", ...(resumeAt === null ? {} : { "last-event-id": resumeAt }) },
        signal,
      });
      for await (const frame of readEventStream(response.body!)) {
        const event = LiveEvent.safeParse({ type: frame.event, ...parseObject(frame.data) });
        wait = FIRST_WAIT;
        lostAt = undefined;
        // A newer server may say more than this client knows.
        if (event.success) yield event.data;
        // Only once the reader has taken it: what it never saw is sent again.
        if (frame.id !== null) resumeAt = frame.id;
      }
    } catch (error: unknown) {
      if (signal?.aborted) return;
      if (error instanceof ApiError && error.status < 500 && error.status !== 429) throw error;
      why = error instanceof Error ? error.message : String(error);
    }
    if (signal?.aborted) return;
    if (lostAt === undefined) {
      lostAt = host.now();
      onLost?.(why);
    } else if (host.now() - lostAt > patience) {
      throw new CliError(
        `The live stream of ${transport.url} stayed away for ${Math.round(patience / 1000)} s: ${why}`,
      );
    }
    await host.wait(wait, signal);
    wait = Math.min(wait * 2, LONGEST_WAIT);
  }
}

function parseObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return value !== null && typeof value === "object" ? value as Record<string, unknown> : {};
  } catch (error: unknown) {
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}
