/**
 * Which failures of the database pass by themselves, and what is known of the transaction that met them. One table,
 * each entry with its reason; what is not in it is a mistake of ours and is not tried again.
 */
export interface RetryableError {
  /** For people to read, after "the database": why trying again helps. */
  why: string;
  /** `none`: nothing was committed. `unknown`: the commit may have happened, so only what is safe to do twice may be. */
  effect: "none" | "unknown";
  /** Before the first further try. */
  delayMs: number;
}

const TABLE: Record<string, RetryableError> = {
  // Another transaction was in the way; ours was rolled back whole.
  "40001": { why: "met a concurrent change", effect: "none", delayMs: 5 },
  "40P01": { why: "broke a deadlock", effect: "none", delayMs: 20 },
  "55P03": { why: "did not get a lock in time", effect: "none", delayMs: 50 },
  // The server is not ready for anybody just now.
  "57P03": { why: "is starting or shutting down", effect: "none", delayMs: 250 },
  "53300": { why: "has no connection free", effect: "none", delayMs: 250 },
  "53400": { why: "has reached a configured limit", effect: "none", delayMs: 1_000 },
  // After a failover the old address leads to a standby until the name is moved.
  "25006": { why: "is read-only, as after a failover", effect: "none", delayMs: 1_000 },
  // The connection broke: the answer to a commit may have been lost on the way.
  "57P01": { why: "ended the connection for a shutdown", effect: "unknown", delayMs: 250 },
  "57P02": { why: "ended the connection after a crash", effect: "unknown", delayMs: 500 },
  "08000": { why: "lost the connection", effect: "unknown", delayMs: 250 },
  "08003": { why: "lost the connection", effect: "unknown", delayMs: 250 },
  "08006": { why: "lost the connection", effect: "unknown", delayMs: 250 },
  CONNECTION_CLOSED: { why: "closed the connection", effect: "unknown", delayMs: 250 },
  CONNECTION_DESTROYED: { why: "closed the connection", effect: "unknown", delayMs: 250 },
  ECONNRESET: { why: "closed the connection", effect: "unknown", delayMs: 250 },
  EPIPE: { why: "closed the connection", effect: "unknown", delayMs: 250 },
  // Nothing was sent yet.
  "08001": { why: "cannot be reached", effect: "none", delayMs: 500 },
  "08004": { why: "refused the connection", effect: "none", delayMs: 500 },
  CONNECT_TIMEOUT: { why: "did not answer in time", effect: "none", delayMs: 500 },
  ECONNREFUSED: { why: "cannot be reached", effect: "none", delayMs: 500 },
  ETIMEDOUT: { why: "cannot be reached", effect: "none", delayMs: 500 },
  EHOSTUNREACH: { why: "cannot be reached", effect: "none", delayMs: 1_000 },
  ENETUNREACH: { why: "cannot be reached", effect: "none", delayMs: 1_000 },
  EAI_AGAIN: { why: "has a name that cannot be looked up just now", effect: "none", delayMs: 1_000 },
  // The socket of an embedded server that is being started again.
  ENOENT: { why: "cannot be reached", effect: "none", delayMs: 500 },
};
// Left out on purpose: CONNECTION_ENDED (we closed it ourselves), 57014 (we cancelled it), 53100 and 53200 (disk or
// memory is full: trying again makes it worse).

/** @returns undefined when trying again would not help */
export function retryableError(error: unknown): RetryableError | undefined {
  // Drizzle wraps the driver's error, which carries the code.
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth++) {
    const { code } = at as { code?: unknown };
    if (typeof code === "string" && TABLE[code]) return TABLE[code];
  }
  return undefined;
}

/** Said of every statement behind one that failed in the same transaction: never the cause. */
export const isAborted = (error: unknown): boolean => (error as { code?: unknown } | null)?.code === "25P02";

/** Nothing that a caller should try again at once, and nothing that any row is to blame for. */
const EVERYBODYS: ReadonlySet<string> = new Set([
  "53100", // the disk is full
  "58030", // it cannot be read or written
  "28000", // who we are is not known there any more
  "28P01", // the password was changed
  "3D000", // the database is not there
  "ENOTFOUND", // nor the name of the server
  "CONNECTION_ENDED", // we close
]);

/** Not something between two transactions: the server itself is away, or takes nothing from anybody. */
export function isOutage(error: unknown): boolean {
  const found = retryableError(error);
  if (found === undefined) return EVERYBODYS.has(String((error as { code?: unknown } | null)?.code));
  return !isConflict(error) && found !== TABLE["55P03"];
}

/** Two transactions met and ours was rolled back whole: it may run again at once. */
export function isConflict(error: unknown): boolean {
  const found = retryableError(error);
  return found !== undefined && (found === TABLE["40001"] || found === TABLE["40P01"]);
}
