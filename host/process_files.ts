/** Files of deployed applications: durable where a crash would otherwise tell a lie. */
import { isExecutable } from "./process_run.ts";

const isMissing = (error: unknown) =>
  error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory;

/** Trouble of this machine's disk, whatever was being written. */
export const isDiskTrouble = (error: Error): boolean =>
  ["ENOSPC", "EDQUOT", "EROFS"].includes((error as { code?: string }).code ?? "") ||
  /No space left|Disk quota|Read-only file system/i.test(error.message);

async function syncFolder(path: string): Promise<void> {
  const folder = await Deno.open(path);
  try {
    await folder.sync();
  } finally {
    folder.close();
  }
}
const parentOf = (path: string) => path.slice(0, path.lastIndexOf("/")) || "/";

async function lookAt(path: string) {
  try {
    const real = await Deno.realPath(path);
    const { isFile, isDirectory, isBlockDevice, isCharDevice, isSocket } = await Deno.stat(real);
    const isDevice = isBlockDevice || isCharDevice;
    const kind = isFile ? "file" : isDirectory ? "folder" : isDevice ? "device" : isSocket ? "socket" : "other";
    return { path: real, kind: kind as "file" | "folder" | "device" | "socket" | "other" };
  } catch (error: unknown) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

export const processFiles = {
  async readText(path: string): Promise<string | undefined> {
    try {
      return await Deno.readTextFile(path);
    } catch (error: unknown) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  },
  async writeText(path: string, text: string, mode: number): Promise<void> {
    const fresh = `${path}.new`;
    await this.remove(fresh); // with whatever mode a crash left it
    const file = await Deno.open(fresh, { write: true, createNew: true, mode });
    try {
      const bytes = new TextEncoder().encode(text);
      for (let written = 0; written < bytes.length;) written += await file.write(bytes.subarray(written));
      await file.sync();
    } finally {
      file.close();
    }
    await Deno.rename(fresh, path);
    await syncFolder(parentOf(path));
  },
  makeFolder: (path: string, mode = 0o755): Promise<void> => Deno.mkdir(path, { recursive: true, mode }),
  async list(folder: string): Promise<string[]> {
    try {
      return (await Array.fromAsync(Deno.readDir(folder), (entry) => entry.name)).sort();
    } catch (error: unknown) {
      if (isMissing(error)) return [];
      throw error;
    }
  },
  async remove(path: string): Promise<void> {
    for (let tries = 1;; tries++) {
      try {
        return await Deno.remove(path, { recursive: true });
      } catch (error: unknown) {
        if (isMissing(error)) return;
        // A keeper at its last word put a file in while we took them out.
        if (tries === 20 || (error as { code?: string }).code !== "ENOTEMPTY") throw error;
        await new Promise((resolve) => setTimeout(resolve, 25));
      }
    }
  },
  async rename(from: string, to: string): Promise<void> {
    await Deno.rename(from, to);
    await syncFolder(parentOf(to));
  },
  async copy(from: string, to: string, mode: number | undefined): Promise<void> {
    await Deno.mkdir(parentOf(to), { recursive: true });
    await Deno.copyFile(from, to);
    if (mode !== undefined) await Deno.chmod(to, mode);
  },
  async isFile(path: string): Promise<boolean> {
    try {
      return (await Deno.stat(path)).isFile;
    } catch (error: unknown) {
      if (isMissing(error)) return false;
      throw error;
    }
  },
  isExecutable,
  async readLink(path: string): Promise<string | undefined> {
    try {
      return await Deno.readLink(path);
    } catch (error: unknown) {
      if (isMissing(error) || (error as { code?: string }).code === "EINVAL") return undefined; // no link
      throw error;
    }
  },
  async modifiedAt(path: string): Promise<string | undefined> {
    try {
      return (await Deno.stat(path)).mtime?.toISOString();
    } catch (error: unknown) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  },
  lookAt,
  async pointLink(link: string, target: string): Promise<void> {
    const fresh = `${link}.new`;
    await this.remove(fresh);
    await Deno.symlink(target, fresh);
    await Deno.rename(fresh, link);
    await syncFolder(parentOf(link));
  },
};
