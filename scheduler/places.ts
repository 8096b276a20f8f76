/**
 * Room for work that waits for somebody else's server: so many at once, and of one key (a host, a receiver, a repository)
 * no more than its share. One that takes connections and never answers holds its share until its calls time out, and
 * nobody else's.
 */
import type { Room } from "../db/host_of.ts";
import type { Logger } from "../domain/ports.ts";

export interface Places {
  free(): number;
  /** What more may begin. */
  room(): Room;
  /** Keys that have their share. */
  full(): string[];
  /** Begins at once; what it throws is logged, with its key. */
  begin(key: string, work: () => Promise<void>): void;
  /** When all that has begun has ended. */
  settled(): Promise<void>;
}

export interface PlacesOptions {
  most: number;
  share: number;
  logger: Logger;
  /** Of the work, for the log: "a gate". */
  what: string;
  /** A place has become free. */
  onFree?(): void;
}

export function createPlaces({ most, share, logger, what, onFree }: PlacesOptions): Places {
  const held = new Map<string, number>();
  const working = new Set<Promise<void>>();

  function leave(key: string): void {
    const left = held.get(key)! - 1;
    if (left > 0) held.set(key, left);
    else held.delete(key);
  }
  return {
    free: () => most - working.size,
    room: () => ({ most: most - working.size, share, held: Object.fromEntries(held) }),
    full: () => [...held].filter(([, count]) => count >= share).map(([key]) => key),
    begin(key, work) {
      held.set(key, (held.get(key) ?? 0) + 1);
      const one = work().catch((error: unknown) => {
        const detail = error instanceof Error ? error.stack ?? String(error) : String(error);
        logger.log("ERROR", `${what} failed unexpectedly; it is tried again`, { key, error: detail });
      }).finally(() => {
        working.delete(one);
        leave(key);
        onFree?.();
      });
      working.add(one);
    },
    async settled() {
      while (working.size > 0) await Promise.all(working);
    },
  };
}
