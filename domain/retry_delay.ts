/**
 * Seconds to wait before the next attempt: doubling from 1 s to 60 s, with full jitter above half of it, so that tasks
 * which failed together do not come back together.
 * @param attempt the attempt that failed, 1 or more
 * @param chance a number in [0, 1)
 */
export function retryDelaySeconds(attempt: number, chance: number): number {
  const ceiling = Math.min(60, 2 ** (attempt - 1));
  return ceiling / 2 + (ceiling / 2) * chance;
}
