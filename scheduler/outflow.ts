/**
 * Bounds what all agents together were sent and have not read. Each link bounds its own, but many that read too little
 * would fill this process's memory before one of them reaches its own limit.
 *
 *   more than the limit waits, and goes on waiting -> the link for which most waits is ended, until the rest fits
 */
import type { Clock } from "../domain/ports.ts";

export interface Share {
  /** So many bytes wait for it now. */
  note(bytes: number): void;
  /** Nothing waits for it any more, whatever is noted after. */
  end(): void;
}
export interface Outflow {
  open(giveUp: (why: string) => void): Share;
  /** Bytes. */
  readonly waiting: number;
}

const MIB = 1024 * 1024;
const TOTAL_LIMIT = 64 * MIB;
/** Tasks for many slots may come in one burst: whoever reads has this long to make it smaller. */
export const BURST_MS = 1000;

export function createOutflow(clock: Clock, limit = TOTAL_LIMIT): Outflow {
  let total = 0;
  let overSince: number | undefined;
  const links = new Set<{ bytes: number; giveUp(why: string): void }>();

  const endMost = () => {
    overSince = undefined;
    const sorted = [...links].sort((a, b) => a.bytes - b.bytes);
    while (total > limit) {
      const most = sorted.pop()!;
      const [all, own] = [total, most.bytes].map((bytes) => (bytes / MIB).toFixed(1));
      links.delete(most);
      total -= most.bytes;
      most.giveUp(
        `${all} MiB wait that agents do not read, and most of it, ${own} MiB, for this one; ` +
          "see whether its process hangs or its line is too slow. It may connect again",
      );
    }
  };

  return {
    open(giveUp) {
      const link = { bytes: 0, giveUp };
      links.add(link);
      return {
        note(bytes) {
          if (!links.has(link)) return;
          total += bytes - link.bytes;
          link.bytes = bytes;
          if (total <= limit) overSince = undefined;
          else {
            overSince ??= clock.monotonic();
            if (clock.monotonic() - overSince >= BURST_MS) endMost();
          }
        },
        end() {
          if (links.delete(link)) total -= link.bytes;
        },
      };
    },
    get waiting() {
      return total;
    },
  };
}
