import type { Database } from "../database.ts";

export async function blobSize(db: Database, sha256: string): Promise<number | undefined> {
  const [row] = await db.sql<{ size: number }[]>`select size from blob where sha256 = ${sha256}`;
  return row?.size;
}

/** Chunk by chunk, so that a slow reader holds one chunk and no connection. */
export async function* readBlobChunks(db: Database, sha256: string): AsyncGenerator<Uint8Array> {
  for (let index = 0;; index++) {
    const [row] = await db.sql<{ data: Uint8Array }[]>`
      select data from blob_chunk where sha256 = ${sha256} and index = ${index}`;
    if (!row) return;
    yield row.data;
  }
}
