import { userInfo } from "node:os";
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
    ...await readMachineId(),
    modes,
  };
}

/** The machine's own id stays on it; what is told is a digest that says whether two machines are the same. */
async function readMachineId(): Promise<{ machineId?: string }> {
  let text: string;
  try {
    text = (await Deno.readTextFile("/etc/machine-id")).trim();
  } catch (error: unknown) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.PermissionDenied) return {};
    throw error;
  }
  if (text === "" || text === "uninitialized") return {};
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(`boreas.machine:${text}`));
  return { machineId: [...new Uint8Array(digest)].slice(0, 16).map((b) => b.toString(16).padStart(2, "0")).join("") };
}

/** The name of whom this process runs as. */
export const readUser = (): string => userInfo().username;
