import { rm } from "node:fs/promises";
import { afterAll } from "vitest";

/** A folder of this test file's own, gone when the file is done. Call it from a test or a hook of the file. */
export async function temporaryFolder(purpose: string): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: `boreas-${purpose}-` });
  folders.push(folder);
  return folder;
}

const folders: string[] = [];
afterAll(async () => {
  // Tried again for a while: a program that was killed a moment ago may still leave a last file.
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, maxRetries: 50, retryDelay: 100 });
});
