/** Contents of files as SHA-256, remembered while a file stays as it is: whoever writes to it changes its ctime. */
import { createHash } from "node:crypto";

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
  try {
    const { ino, size, mtime, ctime } = await file.stat();
    const stamp = `${ino} ${size} ${mtime?.getTime()} ${ctime?.getTime()}`;
    const before = known.get(path);
    if (before?.stamp === stamp) return before.sha256;
    const hash = createHash("sha256");
    for await (const part of file.readable) hash.update(part);
    const sha256 = hash.digest("hex");
    known.set(path, { stamp, sha256 });
    return sha256;
  } finally {
    try {
      file.close();
    } catch (error: unknown) {
      if (!(error instanceof Deno.errors.BadResource)) throw error; // reading to the end has closed it
    }
  }
}
