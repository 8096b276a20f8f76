import { afterAll } from "vitest";

/** A folder of this test file's own, gone when the file is done. Call it from a test or a hook of the file. */
export async function temporaryFolder(purpose: string): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: `boreas-${purpose}-` });
  folders.push(folder);
  return folder;
}

const folders: string[] = [];
afterAll(async () => {
  for (const folder of folders.splice(0)) await Deno.remove(folder, { recursive: true });
});
