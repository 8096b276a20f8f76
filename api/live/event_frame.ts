/** How bytes and events are written into an event stream (`text/event-stream`). */
const encoder = new TextEncoder();

export const EVENT_STREAM_HEADERS = {
  "Content-Type": "text/event-stream; charset=utf-8",
  "Cache-Control": "no-store",
  /** A proxy that collects would hold events back. */
  "X-Accel-Buffering": "no",
};
/** Milliseconds a browser waits before it connects again. */
export const RETRY_FRAME = "retry: 1000\n\n";
export const PING_FRAME = ": ping\n\n";
export const PING_MS = 15_000;

/** `json`: of the data, where it is written already. */
export function eventFrame(frame: { event?: string; id?: string } & ({ data: unknown } | { json: string })): string {
  const event = frame.event === undefined ? "" : `event: ${frame.event}\n`;
  const id = frame.id === undefined ? "" : `id: ${frame.id}\n`;
  return `${event}${id}data: ${"json" in frame ? frame.json : JSON.stringify(frame.data)}\n\n`;
}
export const encodeFrames = (frames: string): Uint8Array => encoder.encode(frames);

/** Made once for all who are given the very same thing (readers at the head of a log are), for as long as that lives. */
export function onceFor<Key extends object, Made>(make: (key: Key) => Made): (key: Key) => Made {
  const kept = new WeakMap<Key, Made>();
  return (key) => {
    const known = kept.get(key);
    if (known !== undefined) return known;
    const made = make(key);
    kept.set(key, made);
    return made;
  };
}
