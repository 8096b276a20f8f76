/**
 * Rows that a sweep could not move for a reason that nobody foresaw: each is said with its id and left alone for a while,
 * and the others go on.
 *
 *   due --unforeseen--> aside (5 s, 10 s, ... 10 min) --> tried again --> moved: forgotten | aside for longer
 *
 * Kept in the memory of the one that sweeps: after a crash, or by another leader, all of them are tried again at once.
 */
import type { Clock, Logger } from "../domain/ports.ts";
import { isOutage } from "./retryable_errors.ts";

export interface Aside {
  /**
   * Those whose time has not come again: a query leaves them out, or they would take the places of others.
   * @param least only what failed so often in a row
   */
  ids(least?: number): string[];
  /** Says it, and leaves it alone for a while. */
  put(id: string, error: unknown): void;
  /** It went well. */
  forget(id: string): void;
  /**
   * @returns undefined when it failed, or is aside
   * @throws while the database is away: that is nobody's fault, and nothing else would work either
   */
  attempt<T>(id: string, work: () => Promise<T>): Promise<T | undefined>;
  /** All of them in one, which is cheap; when that fails each by itself, so that one does not keep the others. @returns the sum */
  attemptAll(ids: readonly string[], work: (ids: readonly string[]) => Promise<number>): Promise<number>;
}

/** For who calls by hand: what fails is thrown. */
export const noAside: Aside = {
  ids: () => [],
  put: (_id, error) => {
    throw error;
  },
  forget: () => {},
  attempt: (_id, work) => work(),
  attemptAll: (ids, work) => ids.length === 0 ? Promise.resolve(0) : work(ids),
};

const FIRST_SECONDS = 5;
const LONGEST_SECONDS = 600;
/** The oldest is forgotten beyond it, and so tried again. */
const MOST = 10_000;

/** @param what of a row, for the log: "a rollback" */
export function createAside({ clock, logger }: { clock: Clock; logger: Logger }, what: string): Aside {
  const failed = new Map<string, { failures: number; until: number }>();
  const isAside = (id: string) => (failed.get(id)?.until ?? 0) > clock.monotonic();

  function put(id: string, error: unknown): void {
    const failures = (failed.get(id)?.failures ?? 0) + 1;
    const seconds = Math.min(LONGEST_SECONDS, FIRST_SECONDS * 2 ** (failures - 1));
    failed.delete(id);
    failed.set(id, { failures, until: clock.monotonic() + seconds * 1000 });
    if (failed.size > MOST) failed.delete(failed.keys().next().value!);
    logger.log("ERROR", `${what} failed unexpectedly; the others go on, and it is tried again`, {
      id,
      failures,
      againInSeconds: seconds,
      error: error instanceof Error ? error.stack ?? String(error) : String(error),
    });
  }
  async function attempt<T>(id: string, work: () => Promise<T>): Promise<T | undefined> {
    if (isAside(id)) return undefined;
    try {
      const done = await work();
      failed.delete(id);
      return done;
    } catch (error: unknown) {
      if (isOutage(error)) throw error;
      put(id, error);
      return undefined;
    }
  }
  return {
    ids: (least = 1) => [...failed].filter(([id, { failures }]) => failures >= least && isAside(id)).map(([id]) => id),
    put,
    forget: (id) => void failed.delete(id),
    attempt,
    async attemptAll(all, work) {
      const ids = all.filter((id) => !isAside(id));
      if (ids.length === 0) return 0;
      // Those that failed before are not let in with the others again, or all of these would be done one by one.
      const together = ids.filter((id) => !failed.has(id));
      let sum = 0;
      let alone = ids.filter((id) => failed.has(id));
      try {
        if (together.length > 0) sum += await work(together);
      } catch (error: unknown) {
        if (isOutage(error)) throw error;
        alone = [...alone, ...together];
      }
      for (const id of alone) sum += await attempt(id, () => work([id])) ?? 0;
      return sum;
    },
  };
}
