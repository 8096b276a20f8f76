/** Contents of files as SHA-256, remembered while a file stays as it is: whoever writes to it changes its ctime. */
import { createHash } from "node:crypto";

const PART_BYTES = 256 * 1024;
const known = new Map<string, { stamp: string; sha256: string }>();

/** undefined when there is no such file. */
export async function hashFile(path: string): Promise<string | undefined> {
  let file: Deno.FsFile;
  try {
    file = await Deno.open(path);
  } catch (error: unknown) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      known.delete(path);
      return undefined;
    }
    throw error;
  }
  using opened = file;
  const { ino, size, mtime, ctime } = await opened.stat();
  const stamp = `${ino} ${size} ${mtime?.getTime()} ${ctime?.getTime()}`;
  const before = known.get(path);
  if (before?.stamp === stamp) return before.sha256;
  const hash = createHash("sha256");
  const part = new Uint8Array(PART_BYTES);
  for (let count = await opened.read(part); count !== null; count = await opened.read(part)) {
    hash.update(part.subarray(0, count));
  }
  const sha256 = hash.digest("hex");
  known.set(path, { stamp, sha256 });
  return sha256;
}
