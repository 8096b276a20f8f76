/**
 * Ports that nobody listens on just now, different from each other, for who is told a port before it listens on it.
 *
 * They lie below those that the system lends: the seconds until a process has started are long enough for a port of those
 * to be lent to somebody else, and so is the moment in which a server is away. Test files that run at once have a share each.
 */
export function freePorts(count: number): number[] {
  return Array.from({ length: count }, () => {
    for (let looks = 0; looks < SIZE; looks++) {
      next = (next + 1) % SIZE;
      const port = FIRST + SHARE * SIZE + next;
      if (isFree(port)) return port;
    }
    throw new Error(`no port from ${FIRST + SHARE * SIZE} on is free`);
  });
}

const SHARES = 8;
const FIRST = 12_000;
/** Linux lends from 32768 on. */
const SIZE = Math.floor((32_768 - FIRST) / SHARES);
/** Counted from 1 among the files of a run that go on at the same time; runs at the same time begin apart, by chance. */
const SHARE = Number(Deno.env.get("VITEST_POOL_ID") ?? 0) % SHARES;
let next = Math.floor(Math.random() * SIZE);

/** Whether anybody could listen there, on any address: what is to have it may want them all. */
function isFree(port: number): boolean {
  try {
    Deno.listen({ hostname: "0.0.0.0", port }).close();
    return true;
  } catch (error: unknown) {
    if (error instanceof Deno.errors.AddrInUse) return false;
    throw error;
  }
}
