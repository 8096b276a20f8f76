/** Old releases go; the one that runs and the one before it never do. Pure. */
export function choosePruned(
  names: readonly string[],
  /** Releases that ran here, newest first; the first runs now. */
  history: readonly string[],
  keep: number,
): string[] {
  const spared = new Set(history.slice(0, Math.max(2, keep)));
  return names.filter((name) => !spared.has(name));
}

export const remember = (history: readonly string[], name: string): string[] =>
  [name, ...history.filter((other) => other !== name)].slice(0, 100);
