/**
 * What chance begins with in a test.
 *   BOREAS_SEED=…        one failing run again: races and models run this one alone, properties begin with it
 *   BOREAS_TEST_SEED=…   every run as often as it is meant to, from this seed on: CI, where a red run is to mean the change
 * Without either each run begins with one that nobody chose; it is printed, so that what it finds is seen again.
 */
export function firstSeed(): number {
  const given = Deno.env.get("BOREAS_SEED") ?? Deno.env.get("BOREAS_TEST_SEED");
  if (given === undefined) return crypto.getRandomValues(new Uint32Array(1))[0]! >>> 3; // nine digits at most
  if (!/^\d{1,9}$/.test(given)) throw new Error(`a seed is a whole number of at most nine digits, not ${given}`);
  return Number(given);
}
