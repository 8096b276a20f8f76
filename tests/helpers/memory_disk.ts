/** The agents' memory disk for tests: can be told to refuse, and gives the state that a crash would leave. */
import { createMemoryDisk as createPlainDisk } from "../../agents/memory_disk.ts";
import type { Disk } from "../../domain/ports.ts";

export interface MemoryDisk extends Disk {
  /** Every write fails with this until it is cleared. */
  refuse(error: Error | undefined): void;
}

export function createMemoryDisk(): MemoryDisk {
  const disk = createPlainDisk();
  let refusal: Error | undefined;
  const unlessRefused = <A extends unknown[]>(write: (...args: A) => Promise<void>) => (...args: A): Promise<void> =>
    refusal ? Promise.reject(refusal) : write(...args);
  return {
    ...disk,
    writeAtomic: unlessRefused(disk.writeAtomic),
    append: unlessRefused(disk.append),
    refuse: (error) => void (refusal = error),
  };
}
