/** Parties in turns, round after round, so that what drifts on the machine drifts for all of them alike. */
export interface Party<T> {
  name: string;
  measure(round: number): Promise<T>;
}

export async function inTurns<T>(
  parties: readonly Party<T>[],
  rounds: number,
  said: (party: string, round: number, value: T) => void,
): Promise<Map<string, T[]>> {
  const measured = new Map<string, T[]>(parties.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const { name, measure } of parties) {
      const value = await measure(round);
      measured.get(name)!.push(value);
      said(name, round, value);
    }
  }
  return measured;
}
