/**
 * Bounds what waits to leave towards all agents together. Each link bounds its own, but many that read too little would
 * fill this process's memory before one of them reaches its own limit.
 *
 *   fits --more than the limit waits--> watched for a moment --> of those from which nothing left meanwhile, the link for
 *     ^                                        |                which most waits is ended, and the next, until it fits
 *     '----------- fits again -----------------'            --> with twice the limit, of all: the line is too slow for it
 */
import type { Clock, Timer } from "../domain/ports.ts";

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
/** After a standstill of this process something may have happened that it was not told of yet. */
export const LAST_LOOK_MS = 100;

interface Waiting {
  bytes: number;
  /** Something of it, since it is watched. */
  hasLeft: boolean;
  giveUp(why: string): void;
}

export function createOutflow(clock: Clock, limit = TOTAL_LIMIT): Outflow {
  let total = 0;
  let watching: Timer | undefined;
  const links = new Set<Waiting>();

  function watch(): void {
    for (const link of links) link.hasLeft = false;
    watching = clock.after(BURST_MS, () => watching = clock.after(LAST_LOOK_MS, decide));
  }
  function decide(): void {
    watching = undefined;
    endMost(
      [...links].filter((link) => link.bytes > 0 && !link.hasLeft),
      limit,
      "and nothing of it leaves; see whether its process hangs",
    );
    endMost([...links], 2 * limit, "more than for any other; see whether its line, or the master's own, is too slow");
    if (total > limit) watch();
  }
  function endMost(from: Waiting[], most: number, why: string): void {
    from.sort((a, b) => a.bytes - b.bytes);
    while (total > most && from.length > 0) {
      const link = from.pop()!;
      const [all, own] = [total, link.bytes].map((bytes) => (bytes / MIB).toFixed(1));
      close(link);
      link.giveUp(`${all} MiB wait for all agents, ${own} MiB of it for this one, ${why}. It may connect again`);
    }
  }
  function close(link: Waiting): void {
    if (links.delete(link)) add(-link.bytes);
  }
  function add(bytes: number): void {
    total += bytes;
    if (total > limit) return;
    watching?.cancel();
    watching = undefined;
  }

  return {
    open(giveUp) {
      const link = { bytes: 0, hasLeft: false, giveUp };
      links.add(link);
      return {
        note(bytes) {
          if (!links.has(link)) return;
          if (bytes < link.bytes) link.hasLeft = true;
          const more = bytes - link.bytes;
          link.bytes = bytes;
          add(more);
          if (total > limit && !watching) watch();
        },
        end: () => close(link),
      };
    },
    get waiting() {
      return total;
    },
  };
}
