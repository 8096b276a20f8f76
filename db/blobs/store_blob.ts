import { createHash } from "node:crypto";
import { AppError } from "../../domain/app_error.ts";
import type { Database, Tx } from "../database.ts";

/** One row stays well below a frame of 1 MiB. */
export const BLOB_CHUNK_BYTES = 512 * 1024;

/**
 * Blobs that a version is about to name: young from now on, so that retention leaves them until the version is there.
 * @throws AppError unavailable when one is gone, so the caller stores it again
 */
export async function holdBlobs(tx: Tx, sha256s: readonly string[]): Promise<void> {
  const wanted = [...new Set(sha256s)].sort();
  if (wanted.length === 0) return;
  await tx`
    update blob set created_at = boreas_now() where sha256 in (
      select sha256 from blob where sha256 = any(${wanted}::text[]) and created_at < boreas_now() - interval '1 hour'
      order by sha256 for update)`;
  const there = await tx`select 1 from blob where sha256 = any(${wanted}::text[])`;
  if (there.length === wanted.length) return;
  throw new AppError("unavailable", "blob.gone", "Files of the version were removed while it was recorded; try again.");
}

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
      // Young again, so that retention leaves it until its version is recorded. Gone this very moment: the caller retries.
      const [there] = await tx<{ size: number }[]>`
        update blob set created_at = boreas_now() where sha256 = ${sha256} returning size`;
      if (there) return { sha256, size: there.size };
      throw new AppError("unavailable", "blob.gone", "The blob was removed while it was stored; try again.");
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
