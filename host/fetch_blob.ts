/** Blobs of the master in a local cache, each under its digest: fetched once, believed only when the digest is right. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { openRequest } from "./http_request.ts";
import type { MasterAddress } from "./master_socket.ts";

export function createBlobFetcher(address: MasterAddress, folder: string) {
  /** One download per blob at a time. */
  const under = new Map<string, Promise<string>>();

  async function fetchBlob(sha256: string, ticket: string): Promise<string> {
    if (!/^[0-9a-f]{64}$/.test(sha256)) throw new Error(`${sha256} is no SHA-256`);
    const path = join(folder, sha256);
    try {
      await Deno.stat(path);
      return path;
    } catch (error: unknown) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
    const temporary = `${path}.${crypto.randomUUID().slice(0, 8)}.tmp`;
    try {
      const answer = await openRequest(address, {
        path: `/api/v1/blobs/${sha256}`,
        headers: { authorization: `Bearer ${ticket}` },
      });
      if (answer.statusCode !== 200) {
        answer.destroy();
        throw new Error(`the master answered ${answer.statusCode} for the blob ${sha256.slice(0, 12)}`);
      }
      const digest = createHash("sha256");
      const file = await Deno.open(temporary, { write: true, createNew: true, mode: 0o600 });
      try {
        for await (const part of answer) {
          const bytes = part as Uint8Array;
          digest.update(bytes);
          for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
        }
        await file.sync();
      } finally {
        file.close();
      }
      if (digest.digest("hex") !== sha256) throw new Error(`the blob ${sha256.slice(0, 12)} arrived damaged`);
      await Deno.rename(temporary, path);
      return path;
    } catch (error: unknown) {
      await Deno.remove(temporary).catch((missing: unknown) => {
        if (!(missing instanceof Deno.errors.NotFound)) throw missing;
      });
      throw error;
    }
  }

  return (sha256: string, ticket: string): Promise<string> => {
    const running = under.get(sha256) ?? fetchBlob(sha256, ticket).finally(() => under.delete(sha256));
    under.set(sha256, running);
    return running;
  };
}
