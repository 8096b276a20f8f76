/** A folder on the machine's own disk that only its owner reads: files 0600, folders 0700. */
import { dirname, join, resolve, sep } from "node:path";
import type { Disk } from "../domain/ports.ts";

/** Files kept open for appending: a log grows by many small appends. */
const OPEN_FILES = 32;

export async function createDisk(folder: string): Promise<Disk & { close(): void }> {
  const root = resolve(folder);
  await Deno.mkdir(root, { recursive: true, mode: 0o700 });
  /** In the order of their last use. */
  const appending = new Map<string, Promise<Deno.FsFile>>();

  function at(path: string): string {
    const full = resolve(join(root, path));
    if (!full.startsWith(root + sep)) throw new Error(`${path} leaves its folder`);
    return full;
  }

  async function openToAppend(full: string): Promise<Deno.FsFile> {
    const known = appending.get(full);
    appending.delete(full);
    const file = known ?? openOrMakeFolder(full);
    appending.set(full, file);
    if (!known) {
      if (appending.size > OPEN_FILES) await letGo(appending.keys().next().value!);
      file.catch(() => appending.delete(full)); // the caller sees why; the next append tries anew
    }
    return await file;
  }

  async function openOrMakeFolder(full: string): Promise<Deno.FsFile> {
    const open = () => Deno.open(full, { append: true, create: true, mode: 0o600 });
    try {
      return await open();
    } catch (error: unknown) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      await Deno.mkdir(dirname(full), { recursive: true, mode: 0o700 });
      return await open();
    }
  }

  async function letGo(full: string): Promise<void> {
    const file = appending.get(full);
    appending.delete(full);
    if (file) (await file).close();
  }

  return {
    read: (path) => unlessMissing(Deno.readFile(at(path)), undefined),
    async readRange(path, from, length) {
      const file = await unlessMissing(Deno.open(at(path)), undefined);
      if (!file) return new Uint8Array();
      try {
        await file.seek(from, Deno.SeekMode.Start);
        const bytes = new Uint8Array(length);
        let filled = 0;
        while (filled < length) {
          const read = await file.read(bytes.subarray(filled));
          if (read === null) break;
          filled += read;
        }
        return bytes.subarray(0, filled);
      } finally {
        file.close();
      }
    },
    size: async (path) => (await unlessMissing(Deno.stat(at(path)), undefined))?.size ?? 0,
    async writeAtomic(path, bytes) {
      const full = at(path);
      await letGo(full);
      const temporary = `${full}.${crypto.randomUUID().slice(0, 8)}.tmp`;
      await Deno.mkdir(dirname(full), { recursive: true, mode: 0o700 });
      try {
        const file = await Deno.open(temporary, { write: true, createNew: true, mode: 0o600 });
        try {
          await writeAll(file, bytes);
          await file.sync();
        } finally {
          file.close();
        }
        await Deno.rename(temporary, full);
      } catch (error: unknown) {
        await unlessMissing(Deno.remove(temporary), undefined);
        throw error;
      }
      await syncFolder(dirname(full));
    },
    async append(path, bytes) {
      await writeAll(await openToAppend(at(path)), bytes);
    },
    async sync(path) {
      await (await openToAppend(at(path))).sync();
    },
    async truncate(path, size) {
      const full = at(path);
      await letGo(full);
      const known = (await unlessMissing(Deno.stat(full), undefined))?.size ?? 0;
      if (known > size) await Deno.truncate(full, size);
    },
    async list(folder) {
      const names: string[] = [];
      try {
        for await (const entry of Deno.readDir(at(folder))) if (!entry.name.endsWith(".tmp")) names.push(entry.name);
      } catch (error: unknown) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      }
      return names;
    },
    async remove(path) {
      const full = at(path);
      for (const open of [...appending.keys()]) if (open === full || open.startsWith(full + sep)) await letGo(open);
      await unlessMissing(Deno.remove(full, { recursive: true }), undefined);
    },
    close() {
      for (const full of [...appending.keys()]) void letGo(full);
    },
  };
}

async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
}

/** A rename is durable only when its folder is. Windows cannot open a folder, and does not need to. */
async function syncFolder(folder: string): Promise<void> {
  if (Deno.build.os === "windows") return;
  const handle = await Deno.open(folder);
  try {
    await handle.sync();
  } finally {
    handle.close();
  }
}

async function unlessMissing<T, U>(work: Promise<T>, otherwise: U): Promise<T | U> {
  try {
    return await work;
  } catch (error: unknown) {
    if (error instanceof Deno.errors.NotFound) return otherwise;
    throw error;
  }
}
