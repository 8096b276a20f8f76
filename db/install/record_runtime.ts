import { recordAudit } from "../audit/record_audit.ts";
import { holdBlobs } from "../blobs/store_blob.ts";
import type { Actor, Database } from "../database.ts";
import { inTransaction } from "../retry.ts";
import type { Runtime } from "./read_runtimes.ts";

/** The blob is stored already. One that was there for this machine type makes way for it. */
export async function recordRuntime(
  db: Database,
  runtime: Pick<Runtime, "os" | "arch" | "sha256" | "size" | "blobSha256">,
  actor: Actor,
): Promise<Runtime> {
  const { os, arch, sha256, size, blobSha256 } = runtime;
  return await inTransaction(db, async (tx) => {
    await holdBlobs(tx, [blobSha256]);
    const [row] = await tx<Runtime[]>`
      insert into agent_runtime (os, arch, sha256, size, blob_sha256, created_by)
      values (${os}, ${arch}, ${sha256}, ${size}, ${blobSha256}, ${actor.name})
      on conflict (os, arch) do update set sha256 = excluded.sha256, size = excluded.size,
        blob_sha256 = excluded.blob_sha256, created_by = excluded.created_by, created_at = boreas_now()
      returning os, arch, sha256, size, blob_sha256, created_by, created_at`;
    await recordAudit(db, tx, actor, "agent_runtime.upload", `agent-runtime:${os}/${arch}`, { sha256, size });
    return row!;
  });
}
