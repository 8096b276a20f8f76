const ENDING: Deno.Signal[] = ["SIGINT", "SIGTERM", "SIGHUP"];
/** Ctrl-C reaches the whole group, and `deno task` passes it on once more: within this time it is one wish. */
const ONE_WISH_MS = 1_000;

/** The first ending signal aborts `stop`; another one, later, aborts `leave`. @returns the way to let go of them */
export function joinSignals(
  stop: AbortController,
  leave: AbortController,
  say: (sentence: string) => void,
): () => void {
  let asked: number | undefined;
  const hear = () => {
    if (asked === undefined) {
      asked = performance.now();
      say("Stopping (once more to leave at once)");
      stop.abort();
    } else if (performance.now() - asked > ONE_WISH_MS) {
      leave.abort();
    }
  };
  for (const signal of ENDING) Deno.addSignalListener(signal, hear);
  return () => {
    for (const signal of ENDING) Deno.removeSignalListener(signal, hear);
  };
}
