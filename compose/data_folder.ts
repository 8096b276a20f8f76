/** Small files of the data folder that only this process' owner may read. */
import { Buffer } from "node:buffer";
import { join } from "node:path";

export async function readSecretFile(path: string): Promise<string | undefined> {
  try {
    return (await Deno.readTextFile(path)).trim();
  } catch (error: unknown) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Written beside and renamed, so that a crash leaves the old content or the new. */
export async function writeSecretFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.new`;
  await Deno.writeTextFile(temporary, `${text}\n`, { mode: 0o600 });
  await Deno.rename(temporary, path);
}

/** The key everything is sealed with: given, or made once and kept in the data folder. */
export async function loadSecretKey(dataDir: string, given: Uint8Array | null): Promise<Uint8Array> {
  if (given) return given;
  const path = join(dataDir, "secret.key");
  const kept = await readSecretFile(path);
  if (kept) return new Uint8Array(Buffer.from(kept, "base64"));
  const made = crypto.getRandomValues(new Uint8Array(32));
  await writeSecretFile(path, Buffer.from(made).toString("base64"));
  return made;
}
