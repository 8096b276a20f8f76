import settings from "../../deno.json" with { type: "json" };

/**
 * V8's flags of the product's own processes, so that a bench pays what they cost. BOREAS_BENCH_HEAP=free leaves them out,
 * to see how much that is.
 */
export const heapFlags = (task: "master" | "agent"): string[] =>
  Deno.env.get("BOREAS_BENCH_HEAP") === "free" ? [] : [...(/--v8-flags=\S+/.exec(settings.tasks[task]) ?? [])];
