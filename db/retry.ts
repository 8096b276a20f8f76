/** Runs a transaction again when another one was in its way; which failures those are stands in one table. */
import type { Database, Tx } from "./database.ts";
import { isAborted, isConflict } from "./retryable_errors.ts";

const TRIES = 5;

/** Runs a transaction, and again when PostgreSQL asks for it. The body must do nothing but talk to the database. */
export const inTransaction = <T>(db: Database, body: (tx: Tx) => Promise<T | Closing<T>>): Promise<T> =>
  whenAsked(async () => {
    const result = await db.sql.begin(async (tx) => {
      const result = await body(tx);
      if (result instanceof Closing) result.seal(tx);
      return result;
    }) as T | Closing<T>;
    return result instanceof Closing ? await result.answer() : result;
  });

/**
 * The last statements of a transaction, when nothing depends on their answers: the commit goes out behind them without
 * waiting. Where one of them fails, the server makes a rollback of it, and the caller hears of the first that failed.
 *
 * Each part may send one statement, and at once: a second one would come behind the commit. The seal is the last of all:
 * the driver may try a statement again whose plan has become void, and that would then succeed outside of what was rolled
 * back; the seal would not.
 */
export class Closing<T> {
  #parts: Promise<unknown>[];
  #say: () => T | Promise<T>;

  constructor(parts: readonly Promise<unknown>[], say: () => T | Promise<T>) {
    this.#parts = parts.map(heardLater);
    this.#say = say;
  }

  seal(tx: Tx): void {
    this.#parts.push(heardLater(tx`select 1`.execute()));
  }

  async answer(): Promise<T> {
    const ends = await Promise.allSettled(this.#parts);
    const failures = ends.flatMap((end) => end.status === "rejected" ? [end.reason as unknown] : []);
    if (failures.length > 0) throw failures.find((failure) => !isAborted(failure)) ?? failures[0];
    return await this.#say();
  }
}

/** Its failure is heard by whoever waits for it at the end, and is nobody's until then. */
export function heardLater<P extends Promise<unknown>>(part: P): P {
  part.catch(() => {});
  return part;
}

/** The same for a single statement, which is a transaction of its own. */
export async function whenAsked<T>(run: () => Promise<T>): Promise<T> {
  for (let attempt = 1;; attempt++) {
    try {
      return await run();
    } catch (error: unknown) {
      if (attempt === TRIES || !isConflict(error)) throw error;
    }
  }
}
