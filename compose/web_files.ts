/** The built dashboard, read once into memory: a few files, and no path of a request ever reaches the disk. */
import { extname, join, relative } from "node:path";

const TYPES: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".ico": "image/x-icon",
  ".json": "application/json",
  ".map": "application/json",
};

export interface WebFile {
  bytes: Uint8Array<ArrayBuffer>;
  contentType: string;
}

/** Path (`/assets/x.js`) -> file; empty when the dashboard was not built. */
export async function readWebFiles(folder: string): Promise<Map<string, WebFile>> {
  const files = new Map<string, WebFile>();
  const walk = async (at: string): Promise<void> => {
    for await (const entry of Deno.readDir(at)) {
      const path = join(at, entry.name);
      if (entry.isDirectory) await walk(path);
      else {files.set(`/${relative(folder, path)}`, {
          bytes: await Deno.readFile(path),
          contentType: TYPES[extname(path)] ?? "application/octet-stream",
        });}
    }
  };
  try {
    await walk(folder);
  } catch (error: unknown) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return files;
}
