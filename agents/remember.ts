/** Many times what an agent has at once, so that only what is long over is forgotten; a late dispatch comes soon or never. */
const REMEMBERED = 10_000;

/** The newest notes only, so that a map of them is bounded. */
export function remember<T>(notes: Map<string, T>, taskId: string, note: T): void {
  notes.delete(taskId);
  notes.set(taskId, note);
  if (notes.size > REMEMBERED) notes.delete(notes.keys().next().value!);
}
