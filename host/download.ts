/** Fetches a file whose content is known by its hash. */
import { createHash } from "node:crypto";
import { isDiskTrouble } from "./process_files.ts";

export type Fetched = { ok: true; bytes: number } | {
  ok: false;
  wrongSha256: boolean;
  retryable: boolean;
  error: string;
};

const refuse = (error: string, options: { wrongSha256?: boolean; retryable?: boolean } = {}): Fetched => ({
  ok: false,
  wrongSha256: options.wrongSha256 ?? false,
  retryable: options.retryable ?? false,
  error,
});

/** Statuses after which the same request may succeed: the server is busy, starting, or behind a gateway that is. */
const PASSING = new Set([408, 425, 429, 500, 502, 503, 504]);

/** `to` is there only when the bytes hash to `sha256`; while it runs they are in `to.part`. */
export async function download(
  { url, to, sha256, signal }: { url: string; to: string; sha256: string; signal: AbortSignal },
): Promise<Fetched> {
  const part = `${to}.part`;
  try {
    const response = await fetch(url, { signal });
    if (!response.ok) {
      await response.body?.cancel();
      return refuse(`${url} answered ${response.status}`, { retryable: PASSING.has(response.status) });
    }
    const hash = createHash("sha256");
    let bytes = 0;
    const file = await Deno.open(part, { write: true, create: true, truncate: true, mode: 0o644 });
    try {
      for await (const chunk of response.body ?? []) {
        hash.update(chunk);
        for (let written = 0; written < chunk.length;) written += await file.write(chunk.subarray(written));
        bytes += chunk.length;
      }
      await file.sync();
    } finally {
      file.close();
    }
    const found = hash.digest("hex");
    if (found !== sha256) {
      return refuse(`${url} has SHA-256 ${found}, expected ${sha256}`, { wrongSha256: true });
    }
    await Deno.rename(part, to);
    return { ok: true, bytes };
  } catch (error: unknown) {
    signal.throwIfAborted();
    if (!(error instanceof Error) || isDiskTrouble(error)) throw error;
    return refuse(`cannot fetch ${url}: ${error.message}`, { retryable: true });
  } finally {
    await Deno.remove(part).catch((error: unknown) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error; // renamed, or never made
    });
  }
}
