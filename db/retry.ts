/** Runs a transaction again when another one was in its way; which failures those are stands in one table. */
import type { Database, Tx } from "./database.ts";
import { isConflict } from "./retryable_errors.ts";

const TRIES = 5;

/** Runs a transaction, and again when PostgreSQL asks for it. The body must do nothing but talk to the database. */
export const inTransaction = <T>(db: Database, body: (tx: Tx) => Promise<T>): Promise<T> =>
  whenAsked(async () => await db.sql.begin((tx) => body(tx)) as T);

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
