/**
 * The disk of a machine: it outlives the processes that write to it.
 *
 * A write takes a moment. A process that dies in it leaves it done, undone or, of an append, half done. A power failure
 * takes away, besides, what was appended and not synced.
 */
import { CHANGES, GATHERED, gatherWrites, namesOf } from "../../agents/gathered_writes.ts";
import type { Disk } from "../../domain/ports.ts";
import type { Process } from "./process.ts";
import type { Random } from "./random.ts";
import type { Timeline } from "./timeline.ts";

interface File {
  bytes: Uint8Array;
  /** So many of them survive a power failure. */
  synced: number;
}
interface Write {
  apply(): void;
  /** Of an append: what is left when it was interrupted. */
  tear?(): void;
}

export interface DiskOptions {
  /** Called with every file that was written as a whole, durably. */
  onWritten(path: string, bytes: Uint8Array): void;
  /** A seeded bug: files that are forgotten although their write was acknowledged. */
  forgets?(path: string): boolean;
}

export class MachineDisk {
  readonly files = new Map<string, File>();
  #pending: Write[] = [];
  #freeAt = 0;
  constructor(readonly timeline: Timeline, readonly random: Random, readonly options: DiskOptions) {}

  crash(): void {
    for (const write of this.#pending.splice(0)) {
      if (this.random.happens(0.4)) write.apply();
      else {
        // Writes reach the disk in their order: after the first one that did not, none did.
        if (this.random.happens(0.5)) write.tear?.();
        break;
      }
    }
  }
  loseUnsynced(): void {
    for (const file of this.files.values()) {
      file.bytes = file.bytes.slice(0, this.random.whole(Math.min(file.synced, file.bytes.length), file.bytes.length));
    }
  }
  names = (): string[] => [...this.files.keys(), ...namesOf(this.files.get(CHANGES)?.bytes ?? new Uint8Array())];

  /** The disk as an agent has it. */
  open(process: Process): Disk {
    const { forgets, onWritten } = this.options;
    const opening = gatherWrites(this.#openFiles(process), GATHERED);
    const opened = <K extends keyof Disk>(verb: K) =>
      (async (...args: Parameters<Disk[K]>) => {
        const disk = await opening;
        return await (disk[verb] as (...args: unknown[]) => unknown)(...args);
      }) as Disk[K];
    return {
      read: opened("read"),
      readRange: opened("readRange"),
      size: opened("size"),
      list: opened("list"),
      append: opened("append"),
      sync: opened("sync"),
      truncate: opened("truncate"),
      remove: opened("remove"),
      async writeAtomic(path, bytes) {
        if (!forgets?.(path)) await (await opening).writeAtomic(path, bytes);
        onWritten(path, bytes);
      },
    };
  }
  #openFiles(process: Process): Disk {
    const { files } = this;
    const read = <T>(look: () => T): Promise<T> => process.alive ? Promise.resolve(look()) : new Promise(() => {});
    const write = (one: Write): Promise<void> =>
      process.wait<void>(({ resolve }) => {
        this.#pending.push(one);
        this.#freeAt = Math.max(this.#freeAt, this.timeline.now + this.random.between(0.05, 2));
        this.timeline.after(this.#freeAt - this.timeline.now, () => {
          const index = this.#pending.indexOf(one);
          if (index < 0) return; // the process died in it
          this.#pending.splice(index, 1);
          one.apply();
          resolve();
        });
      });
    const inside = (folder: string) => [...files.keys()].filter((path) => path.startsWith(`${folder}/`));
    const appended = (path: string, bytes: Uint8Array) => () => {
      const file = files.get(path);
      files.set(path, { bytes: joined(file?.bytes, bytes), synced: file?.synced ?? 0 });
    };
    return {
      read: (path) => read(() => files.get(path)?.bytes),
      readRange: (path, from, length) =>
        read(() => files.get(path)?.bytes.slice(from, from + length) ?? new Uint8Array()),
      size: (path) => read(() => files.get(path)?.bytes.length ?? 0),
      list: (folder) =>
        read(() => [...new Set(inside(folder).map((path) => path.slice(folder.length + 1).split("/")[0]!))]),
      writeAtomic: (path, bytes) => {
        const copy = bytes.slice();
        return write({
          apply: () => void files.set(path, { bytes: copy, synced: copy.length }),
        });
      },
      append: (path, bytes) => {
        const copy = bytes.slice();
        const part = copy.slice(0, this.random.whole(0, copy.length));
        return write({ apply: appended(path, copy), tear: appended(path, part) });
      },
      sync: (path) =>
        write({ apply: () => void (files.has(path) && (files.get(path)!.synced = files.get(path)!.bytes.length)) }),
      truncate: (path, size) =>
        write({
          apply: () => {
            const file = files.get(path);
            if (file) files.set(path, { bytes: file.bytes.slice(0, size), synced: Math.min(size, file.synced) });
          },
        }),
      remove: (path) =>
        write({
          apply: () => {
            files.delete(path);
            for (const each of inside(path)) files.delete(each);
          },
        }),
    };
  }
}

function joined(head: Uint8Array | undefined, tail: Uint8Array): Uint8Array {
  if (!head) return tail.slice();
  const whole = new Uint8Array(head.length + tail.length);
  whole.set(head);
  whole.set(tail, head.length);
  return whole;
}
