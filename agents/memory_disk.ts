/**
 * A disk that ends with the process. Right for an embedded operator: a task that its master held in memory is handed out
 * again under a new fence after a restart, so nothing on disk would ever be asked for.
 */
import type { Disk } from "../domain/ports.ts";

export function createMemoryDisk(): Disk {
  const files = new Map<string, Content>();
  const under = (folder: string) => [...files.keys()].filter((path) => path.startsWith(`${folder}/`));
  return {
    async read(path) {
      return files.get(path)?.slice(0, Infinity);
    },
    async readRange(path, from, length) {
      return files.get(path)?.slice(from, from + length) ?? new Uint8Array();
    },
    async size(path) {
      return files.get(path)?.size ?? 0;
    },
    async writeAtomic(path, bytes) {
      files.set(path, new Content(bytes));
    },
    async append(path, bytes) {
      const file = files.get(path);
      if (file) file.append(bytes);
      else files.set(path, new Content(bytes));
    },
    async sync() {},
    async truncate(path, size) {
      const file = files.get(path);
      if (file) files.set(path, new Content(file.slice(0, size)));
    },
    async list(folder) {
      return [...new Set(under(folder).map((path) => path.slice(folder.length + 1).split("/")[0]!))];
    },
    async remove(path) {
      files.delete(path);
      for (const inside of under(path)) files.delete(inside);
    },
  };
}

/** Bytes with room to grow, so that many small appends do not copy the whole each time. */
class Content {
  #bytes: Uint8Array;
  size: number;
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes.slice();
    this.size = bytes.length;
  }
  append(bytes: Uint8Array) {
    if (this.size + bytes.length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(256, 2 * (this.size + bytes.length)));
      grown.set(this.#bytes.subarray(0, this.size));
      this.#bytes = grown;
    }
    this.#bytes.set(bytes, this.size);
    this.size += bytes.length;
  }
  slice(from: number, to: number): Uint8Array {
    return this.#bytes.slice(from, Math.min(to, this.size));
  }
}
