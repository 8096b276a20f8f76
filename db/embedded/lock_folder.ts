/**
 * One master per data folder. The lock is the operating system's, so `kill -9` frees it.
 * @throws Error with a sentence that names the folder, when another process holds it
 */
export function lockFolder(dataDir: string): { release(): void } {
  Deno.mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const file = Deno.openSync(`${dataDir}/lock`, { create: true, write: true, read: true });
  if (!file.tryLockSync(true)) {
    file.close();
    throw new Error(
      `Another Boreas already runs on the data folder ${dataDir}. Stop it first, or set BOREAS_DATA_DIR to another folder.`,
    );
  }
  return { release: () => file.close() };
}
