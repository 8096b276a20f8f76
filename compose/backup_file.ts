/** A backup on the disk: one compressed file that only its owner reads, there as a whole or not at all. */
import { dirname } from "node:path";

export interface BackupTarget {
  put(bytes: Uint8Array): Promise<void>;
  /** Only now it has its name. */
  keep(): Promise<void>;
  drop(): Promise<void>;
}

/** @param path `-` is the standard output, for who encrypts it or sends it elsewhere */
export async function createBackupFile(path: string): Promise<BackupTarget> {
  const isPiped = path === "-";
  const temporary = `${path}.part`;
  if (!isPiped && await exists(path)) {
    throw new Error(`${path} exists already, and no backup is written over. Name another file.`);
  }
  // What an interrupted one left is no use to anybody.
  if (!isPiped) await Deno.remove(temporary).catch(unlessMissing);
  const file = isPiped ? Deno.stdout : await Deno.open(temporary, { write: true, createNew: true, mode: 0o600 });
  const gzip = new CompressionStream("gzip");
  const writer = gzip.writable.getWriter();
  const sink = { write: async (bytes: Uint8Array) => await writeAll(file, bytes) };
  const written = gzip.readable.pipeTo(new WritableStream<Uint8Array>(sink));
  written.catch(() => {}); // told to whoever writes next, or keeps it
  let isOpen = file !== Deno.stdout;
  const close = () => {
    if (isOpen) file.close();
    isOpen = false;
  };
  return {
    async put(bytes) {
      await Promise.race([writer.ready, written]);
      await writer.write(new Uint8Array(bytes));
    },
    async keep() {
      await writer.close();
      await written;
      if (file === Deno.stdout) return;
      await (file as Deno.FsFile).sync();
      close();
      await Deno.rename(temporary, path);
      using folder = await Deno.open(dirname(path));
      await folder.sync();
    },
    async drop() {
      await writer.abort().catch(() => {}); // it may be what failed
      await written.catch(() => {});
      close();
      if (!isPiped) await Deno.remove(temporary).catch(unlessMissing);
    },
  };
}

/** The bytes before they were compressed. */
export async function openBackupFile(path: string): Promise<ReadableStream<Uint8Array>> {
  const file = path === "-" ? Deno.stdin : await Deno.open(path).catch((error: unknown) => {
    throw new Error(`${path} cannot be read: ${error instanceof Error ? error.message : error}.`, { cause: error });
  });
  return file.readable.pipeThrough(new DecompressionStream("gzip"));
}

async function writeAll(file: { write(bytes: Uint8Array): Promise<number> }, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
}

async function exists(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, (error: unknown) => (unlessMissing(error), false));
}

function unlessMissing(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}
