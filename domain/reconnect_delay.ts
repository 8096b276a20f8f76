/**
 * Milliseconds before an agent dials again: full jitter over a window that doubles from 500 ms to 30 s. The first dial
 * after a lost connection is jittered too: a thousand agents that lose a master at once must not return at once.
 * @param failures dials that failed in a row, 0 right after a connection was lost
 * @param chance a number in [0, 1)
 * @param mostMs the widest window; whoever holds work dials within its lease, so that no restart grace passes it by
 */
export function reconnectDelayMs(failures: number, chance: number, mostMs: number = 30_000): number {
  return Math.min(30_000, mostMs, 500 * 2 ** failures) * chance;
}
