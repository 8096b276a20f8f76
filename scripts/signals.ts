const ENDING: Deno.Signal[] = ["SIGINT", "SIGTERM", "SIGHUP"];

/** The first ending signal aborts; a second one ends this process at once. @returns the way to let go of them */
export function joinSignals(stop: AbortController, say: (sentence: string) => void): () => void {
  let asked = 0;
  const hear = () => {
    if (++asked > 1) Deno.exit(130);
    say("Stopping (once more to leave at once)");
    stop.abort();
  };
  for (const signal of ENDING) Deno.addSignalListener(signal, hear);
  return () => {
    for (const signal of ENDING) Deno.removeSignalListener(signal, hear);
  };
}
