/** What agents are installed from: what this master was built with, and the runtimes that people have uploaded. */
import { blobSize, readBlobChunks } from "../../db/blobs/read_blob.ts";
import { listRuntimes } from "../../db/install/read_runtimes.ts";
import { pullStream } from "../live/pull_stream.ts";
import type { ApiDeps } from "../deps.ts";
import type { AgentFile, PackedFile } from "./handed_out.ts";

export const runtimeName = (os: string, arch: string): string => `deno-${os}-${arch}`;

/** This master's own files come first: an uploaded runtime never takes the place of the one it was built with. */
export async function listAgentFiles(deps: ApiDeps): Promise<AgentFile[]> {
  const own = deps.agentFiles?.files ?? [];
  const uploaded = (await listRuntimes(deps.db))
    .map(({ os, arch, sha256, size }) => ({ name: runtimeName(os, arch), sha256, size }))
    .filter(({ name }) => !own.some((file) => file.name === name));
  return [...own, ...uploaded];
}

export async function openAgentFile(deps: ApiDeps, name: string): Promise<PackedFile | undefined> {
  const own = await deps.agentFiles?.open(name);
  if (own) return own;
  const runtime = (await listRuntimes(deps.db)).find(({ os, arch }) => runtimeName(os, arch) === name);
  const size = runtime && await blobSize(deps.db, runtime.blobSha256);
  if (!size) return undefined;
  const body = pullStream(() => {
    const chunks = readBlobChunks(deps.db, runtime.blobSha256);
    return {
      next: async () => (await chunks.next()).value ?? undefined,
      close: () => void chunks.return(undefined),
    };
  });
  return { size, body: body as ReadableStream<Uint8Array<ArrayBuffer>> };
}
