import { createHash } from "node:crypto";
import type { Database } from "../database.ts";

/** One row stays well below a frame of 1 MiB. */
export const BLOB_CHUNK_BYTES = 512 * 1024;

/**
 * Stores bytes under their sha256, once. Two that store the same bytes at the same time: the second waits for the first
 * and finds them there. A crash leaves the whole blob or nothing of it.
 * @param sha256 must be that of the bytes
 */
export async function storeBlob(
  db: Database,
  sha256: string,
  bytes: Uint8Array | AsyncIterable<Uint8Array>,
): Promise<{ sha256: string; size: number }> {
  return await db.sql.begin(async (tx) => {
    const [made] = await tx`
      insert into blob (sha256, size) values (${sha256}, 0) on conflict do nothing returning sha256`;
    if (!made) {
      const [there] = await tx<{ size: number }[]>`select size from blob where sha256 = ${sha256}`;
      return { sha256, size: there!.size };
    }
    const hash = createHash("sha256");
    let size = 0;
    let index = 0;
    for await (const chunk of inChunks(bytes)) {
      hash.update(chunk);
      size += chunk.length;
      await tx`insert into blob_chunk (sha256, index, data) values (${sha256}, ${index++}, ${chunk})`;
    }
    const found = hash.digest("hex");
    if (found !== sha256) throw new Error(`a blob that was to be ${sha256} is ${found}`);
    await tx`update blob set size = ${size} where sha256 = ${sha256}`;
    return { sha256, size };
  });
}

async function* inChunks(bytes: Uint8Array | AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const part of bytes instanceof Uint8Array ? [bytes] : bytes) {
    for (let at = 0; at < part.length; at += BLOB_CHUNK_BYTES) yield part.slice(at, at + BLOB_CHUNK_BYTES);
  }
}
