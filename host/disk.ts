/** A folder on the machine's own disk that only its owner reads: files 0600, folders 0700. */
import { dirname, join, resolve, sep } from "node:path";
import type { Disk } from "../domain/ports.ts";

/** Files kept open for appending: a log grows by many small appends. */
const OPEN_FILES = 32;

export async function createDisk(folder: string): Promise<Disk & { close(): void }> {
  const root = resolve(folder);
  await Deno.mkdir(root, { recursive: true, mode: 0o700 });
  /** In the order of their last use. */
  const appending = new Map<string, OpenFile>();

  function at(path: string): string {
    const full = resolve(join(root, path));
    if (!full.startsWith(root + sep)) throw new Error(`${path} leaves its folder`);
    return full;
  }

  /** Lends the file; one that is let go meanwhile is closed by its last user. */
  async function whileOpen(full: string, use: (file: Deno.FsFile) => Promise<void>): Promise<void> {
    const known = appending.get(full);
    const open = known ?? { file: openOrMakeFolder(full), users: 0, isGone: false, isClosed: false };
    open.users++;
    appending.delete(full);
    appending.set(full, open);
    if (appending.size > OPEN_FILES) await letGo(appending.keys().next().value!);
    try {
      await use(await open.file);
    } catch (error: unknown) {
      // The caller sees why; the next append tries anew.
      if (appending.get(full) === open) await letGo(full);
      throw error;
    } finally {
      open.users--;
      if (open.isGone) await closeUnused(open);
    }
  }

  async function letGo(full: string): Promise<void> {
    const open = appending.get(full);
    appending.delete(full);
    if (!open) return;
    open.isGone = true;
    await closeUnused(open);
  }

  const openOrMakeFolder = (full: string): Promise<Deno.FsFile> =>
    withFolder(full, () => Deno.open(full, { append: true, create: true, mode: 0o600 }));

  /**
   * A folder's sync covers every rename before it: those that come while one is under way share the next.
   *   none --asked--> running --asked--> running, and one waits for it --done--> running ...
   */
  const syncs = new Map<string, { running: Promise<void>; next?: Promise<void> }>();
  function syncShared(folder: string): Promise<void> {
    const known = syncs.get(folder);
    if (known) return known.next ??= known.running.then(() => begin(), () => begin());
    return begin();

    function begin(): Promise<void> {
      const sync = { running: syncFolder(folder) };
      syncs.set(folder, sync);
      const done = () => syncs.get(folder) === sync && !("next" in sync) && syncs.delete(folder);
      sync.running.then(done, done);
      return sync.running;
    }
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
      try {
        const file = await withFolder(full, () => Deno.open(temporary, { write: true, createNew: true, mode: 0o600 }));
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
      await syncShared(dirname(full));
    },
    async append(path, bytes) {
      await whileOpen(at(path), (file) => writeAll(file, bytes));
    },
    async sync(path) {
      await whileOpen(at(path), (file) => file.sync());
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

interface OpenFile {
  file: Promise<Deno.FsFile>;
  users: number;
  /** Out of the list: closed as soon as nobody uses it. */
  isGone: boolean;
  isClosed: boolean;
}

async function closeUnused(open: OpenFile): Promise<void> {
  if (open.users > 0 || open.isClosed) return;
  open.isClosed = true;
  const file = await open.file.catch(() => undefined); // whoever asked for it was told why
  file?.close();
}

async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
}

/** Does what needs the file's folder, and makes the folder only when it is missing. */
async function withFolder<T>(full: string, open: () => Promise<T>): Promise<T> {
  try {
    return await open();
  } catch (error: unknown) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    await Deno.mkdir(dirname(full), { recursive: true, mode: 0o700 });
    return await open();
  }
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
