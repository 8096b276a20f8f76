/**
 * Milliseconds before an agent dials again: full jitter over a window that doubles from 500 ms to 30 s. The first dial
 * after a lost connection is jittered too: a thousand agents that lose a master at once must not return at once.
 * @param failures dials that failed in a row, 0 right after a connection was lost
 * @param chance a number in [0, 1)
 */
export function reconnectDelayMs(failures: number, chance: number): number {
  return Math.min(30_000, 500 * 2 ** failures) * chance;
}
