/** What may be tried again at the database's door, each with its reason. */
import type { Database, Tx } from "./database.ts";

const RETRYABLE: Record<string, string> = {
  "40001": "serialization failure: another transaction won, the same work may pass now",
  "40P01": "deadlock: PostgreSQL ended one of two that waited for each other",
};
const TRIES = 5;

export const postgresCode = (error: unknown): string | undefined =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;

/** Runs a transaction, and again when PostgreSQL asks for it. The body must do nothing but talk to the database. */
export const inTransaction = <T>(db: Database, body: (tx: Tx) => Promise<T>): Promise<T> =>
  whenAsked(async () => await db.sql.begin((tx) => body(tx)) as T);

/** The same for a single statement, which is a transaction of its own. */
export async function whenAsked<T>(run: () => Promise<T>): Promise<T> {
  for (let attempt = 1;; attempt++) {
    try {
      return await run();
    } catch (error: unknown) {
      if (attempt === TRIES || !RETRYABLE[postgresCode(error) ?? ""]) throw error;
    }
  }
}
