import type { Database } from "../database.ts";

export interface Runtime {
  os: string;
  arch: string;
  /** Of the program, unpacked. */
  sha256: string;
  size: number;
  /** Of the gzipped program, which is stored as a blob. */
  blobSha256: string;
  createdBy: string;
  createdAt: string;
}

/** Uploaded ones: a handful, one per machine type. */
export async function listRuntimes(db: Database): Promise<Runtime[]> {
  return await db.sql<Runtime[]>`
    select os, arch, sha256, size, blob_sha256, created_by, created_at from agent_runtime order by os, arch`;
}
