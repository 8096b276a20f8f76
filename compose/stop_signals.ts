export interface StopSignals {
  /** SIGTERM or SIGINT, or `now()`. */
  first: Promise<void>;
  /** The same once more: somebody is in a hurry. */
  second: Promise<void>;
  now(): void;
}

export function onStopSignals(): StopSignals {
  let count = 0;
  let resolveFirst: () => void, resolveSecond: () => void;
  const first = new Promise<void>((done) => resolveFirst = done);
  const second = new Promise<void>((done) => resolveSecond = done);
  const hear = () => (++count === 1 ? resolveFirst() : resolveSecond());
  Deno.addSignalListener("SIGTERM", hear);
  Deno.addSignalListener("SIGINT", hear);
  return { first, second, now: () => resolveFirst() };
}
