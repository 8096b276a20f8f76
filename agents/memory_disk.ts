/**
 * A disk that ends with the process. Right for an embedded operator: a task that its master held in memory is handed out
 * again under a new fence after a restart, so nothing on disk would ever be asked for.
 */
import type { Disk } from "../domain/ports.ts";

type Folder = Map<string, Folder | Content>;

export function createMemoryDisk(): Disk {
  const root: Folder = new Map();
  const find = (path: string): Folder | Content | undefined => {
    let here: Folder | Content | undefined = root;
    for (const name of path.split("/")) here = here instanceof Map ? here.get(name) : undefined;
    return here;
  };
  const file = (path: string): Content | undefined => {
    const found = find(path);
    return found instanceof Content ? found : undefined;
  };
  function put(path: string, content: Content): void {
    const names = path.split("/");
    let here = root;
    for (const name of names.slice(0, -1)) {
      let next = here.get(name);
      if (!(next instanceof Map)) here.set(name, next = new Map());
      here = next;
    }
    here.set(names.at(-1)!, content);
  }
  return {
    async read(path) {
      return file(path)?.slice(0, Infinity);
    },
    async readRange(path, from, length) {
      return file(path)?.slice(from, from + length) ?? new Uint8Array();
    },
    async size(path) {
      return file(path)?.size ?? 0;
    },
    async writeAtomic(path, bytes) {
      put(path, new Content(bytes));
    },
    async append(path, bytes) {
      const there = file(path);
      if (there) there.append(bytes);
      else put(path, new Content(bytes));
    },
    async sync() {},
    async truncate(path, size) {
      const there = file(path);
      if (there) put(path, new Content(there.slice(0, size)));
    },
    async list(folder) {
      const there = find(folder);
      return there instanceof Map ? [...there.keys()] : [];
    },
    async remove(path) {
      const at = path.lastIndexOf("/");
      const folder = at < 0 ? root : find(path.slice(0, at));
      if (folder instanceof Map) folder.delete(path.slice(at + 1));
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
