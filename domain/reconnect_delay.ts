const FIRST_MS = 500;
const STEADY_MS = 5_000;
/** So many steady windows, half a minute, before they grow. */
const STEADY = 6;
const WIDEST_MS = 30_000;

/**
 * Milliseconds before an agent dials again. Time since a lost connection is cut into windows, and in each of them an
 * agent dials once, at the same place of each: so a thousand agents that lost a master at once come back evenly, in
 * whichever moment it returns, and the last one a window later. The first window is short, for a cut that heals at once;
 * then they are of one length, for growing ones would crowd at the return and trail behind it; after half a minute they
 * double up to 30 s.
 * @param failures dials that failed in a row, 0 right after a connection was lost
 * @param place of this agent in the windows of this outage, in [0, 1)
 * @param mostMs the widest window; whoever holds work dials within its lease, so that no restart grace passes it by
 */
export function reconnectDelayMs(failures: number, place: number, mostMs: number = WIDEST_MS): number {
  const rest = failures === 0 ? 0 : windowMs(failures - 1, mostMs) * (1 - place);
  return Math.min(WIDEST_MS, rest + windowMs(failures, mostMs) * place); // the sum of both may round above it
}

function windowMs(failures: number, mostMs: number): number {
  const wide = failures === 0 ? FIRST_MS : STEADY_MS * 2 ** Math.max(0, failures - STEADY);
  return Math.min(WIDEST_MS, mostMs, wide);
}
