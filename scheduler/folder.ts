/**
 * Folds what many sessions ask for into few transactions: while one runs, the next collects. Alone, a call waits for
 * nobody; under load, the batches grow by themselves. Order is kept per caller, because a caller awaits its answer.
 */
export interface Folder<Item, Answer> {
  /** @returns one answer per item, in order */
  add(items: readonly Item[]): Promise<Answer[]>;
}

/** @param limit of what is run together; what one caller brings is never parted */
export function createFolder<Item, Answer>(
  run: (items: Item[]) => Promise<Answer[]>,
  limit: number,
  weigh: (item: Item) => number = () => 1,
): Folder<Item, Answer> {
  interface Waiting {
    items: readonly Item[];
    weight: number;
    resolve(answers: Answer[]): void;
    reject(error: unknown): void;
  }
  const waiting: Waiting[] = [];
  let running = false;

  const pump = async () => {
    running = true;
    while (waiting.length > 0) {
      let size = 0;
      const batch: Waiting[] = [];
      while (waiting[0] && (batch.length === 0 || size + waiting[0].weight <= limit)) {
        const next = waiting.shift()!;
        batch.push(next);
        size += next.weight;
      }
      try {
        const answers = await run(batch.flatMap((b) => b.items));
        let at = 0;
        for (const b of batch) b.resolve(answers.slice(at, at += b.items.length));
      } catch (error: unknown) {
        if (batch.length === 1) batch[0]!.reject(error);
        // One caller's bad input must not be the others' trouble: each is tried alone.
        else for (const b of batch) await run([...b.items]).then(b.resolve, b.reject);
      }
    }
    running = false;
  };
  return {
    add: (items) =>
      items.length === 0 ? Promise.resolve([]) : new Promise((resolve, reject) => {
        waiting.push({ items, weight: items.reduce((sum, item) => sum + weigh(item), 0), resolve, reject });
        if (!running) void pump();
      }),
  };
}
