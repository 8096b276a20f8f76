/** A list that a person puts in order: some in a row, the others free to run at once. */
export interface OrderChoice {
  ordered: string[];
  free: string[];
}

export const startOrder = (applications: string[], mustInOrder: string[]): OrderChoice => ({
  ordered: mustInOrder.filter((name) => applications.includes(name)),
  free: applications.filter((name) => !mustInOrder.includes(name)).sort(),
});

export function moveTo({ ordered, free }: OrderChoice, name: string, index: number): OrderChoice {
  const without = ordered.filter((other) => other !== name);
  const at = Math.max(0, Math.min(index, without.length));
  return { ordered: without.toSpliced(at, 0, name), free: free.filter((other) => other !== name) };
}

export const release = ({ ordered, free }: OrderChoice, name: string): OrderChoice => ({
  ordered: ordered.filter((other) => other !== name),
  free: [...free, name].sort(),
});

export const isSameOrder = (a: string[], b: string[]): boolean =>
  a.length === b.length && a.every((name, at) => name === b[at]);
