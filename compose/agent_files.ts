/** What agents are installed from, as it was built: small files in memory, the runtime streamed from the disk. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { AgentFiles } from "../api/install/handed_out.ts";
import { PRODUCT_VERSION } from "./product_version.ts";

/** In this order they make the script. */
const SCRIPT = ["begin", "machine", "install", "files", "identity", "systemd", "supervisor", "afterwards"];
/** Name on the machine -> where it is here. */
const SMALL = {
  "boreas-agent.js": ".build/agent/boreas-agent.js",
  "boreas-agent": "deploy/agent/boreas-agent.sh",
  "boreas-agent.service": "deploy/agent/boreas-agent.service",
  "boreas-supervise": "deploy/agent/boreas-supervise.sh",
};

/** @returns undefined when the agent was not built: there is nothing to hand out then */
export async function readAgentFiles(root: string): Promise<AgentFiles | undefined> {
  const small = new Map<string, { bytes: Uint8Array<ArrayBuffer>; sha256: string; size: number }>();
  try {
    for (const [name, path] of Object.entries(SMALL)) {
      const raw = await Deno.readFile(join(root, path));
      const sha256 = createHash("sha256").update(raw).digest("hex");
      small.set(name, { bytes: new Uint8Array(gzipSync(raw)), sha256, size: raw.length });
    }
  } catch (error: unknown) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  const parts = await Promise.all(
    SCRIPT.map((part) => Deno.readTextFile(join(root, "deploy/agent/install", `${part}.sh`))),
  );
  const folder = join(root, ".build/runtime", Deno.version.deno);
  const runtimes = await readRuntimes(folder);
  return {
    version: PRODUCT_VERSION,
    files: [...[...small].map(([name, { sha256, size }]) => ({ name, sha256, size })), ...runtimes],
    script: `${parts.join("\n")}\nmain "$@"\n`,
    async open(name) {
      const kept = small.get(name);
      if (kept) return { size: kept.bytes.length, body: streamOf(kept.bytes) };
      if (!runtimes.some((runtime) => runtime.name === name)) return undefined;
      const file = await Deno.open(join(folder, `${name}.gz`));
      return { size: (await file.stat()).size, body: file.readable };
    },
  };
}

async function readRuntimes(folder: string): Promise<{ name: string; sha256: string; size: number }[]> {
  const found = [];
  try {
    for await (const { name } of Deno.readDir(folder)) {
      if (name.endsWith(".json")) found.push(JSON.parse(await Deno.readTextFile(join(folder, name))));
    }
  } catch (error: unknown) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return found;
}

const streamOf = (bytes: Uint8Array<ArrayBuffer>): ReadableStream<Uint8Array<ArrayBuffer>> =>
  new ReadableStream({
    start(controller) {
      controller.enqueue(bytes);
      controller.close();
    },
  });
