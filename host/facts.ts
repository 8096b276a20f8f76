import { readBootId } from "./process_table.ts";

/** What this machine is, as `agent.hello` tells it. */
export async function readFacts(modes: string[]) {
  return {
    hostname: Deno.hostname(),
    os: Deno.build.os as string,
    arch: Deno.build.arch === "x86_64" ? "amd64" : "arm64",
    cpus: navigator.hardwareConcurrency,
    memoryBytes: Deno.systemMemoryInfo().total,
    bootId: await readBootId(),
    modes,
  };
}
