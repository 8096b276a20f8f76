/** Everything that is left to chance in a simulation comes from one of these; the same seed gives the same numbers. */
export interface Random {
  /** In [0, 1). */
  (): number;
  between(from: number, to: number): number;
  /** A whole number, both ends included. */
  whole(from: number, to: number): number;
  pick<T>(of: readonly T[]): T;
  happens(probability: number): boolean;
}

/** mulberry32 */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const between = (from: number, to: number) => from + (to - from) * next();
  return Object.assign(next, {
    between,
    whole: (from: number, to: number) => Math.floor(between(from, to + 1)),
    pick: <T>(of: readonly T[]): T => of[Math.floor(next() * of.length)]!,
    happens: (probability: number) => next() < probability,
  });
}
