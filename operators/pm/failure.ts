/** An expected ending of a deploy, thrown from wherever it shows and turned into an outcome in one place (`pm_operator.ts`). */
export class PmFailure extends Error {
  override readonly name = "PmFailure";
  constructor(
    /** Stable, dotted: `artifact.sha256`, `health.deadline`, ... */
    readonly code: string,
    /** A sentence a person can act on. */
    message: string,
    readonly more: { retryable?: boolean; lastLines?: string[]; details?: Record<string, unknown> } = {},
  ) {
    super(message);
  }
}

const FULL = ["ENOSPC", "EDQUOT"];
/** A full disk is an ending that a person can mend; whatever else a machine throws is not foreseen. */
export function asFailure(error: unknown, node: string): PmFailure | undefined {
  if (error instanceof PmFailure) return error;
  if (!(error instanceof Error)) return undefined;
  if (!FULL.includes((error as { code?: string }).code ?? "") && !/No space left|Disk quota/i.test(error.message)) {
    return undefined;
  }
  return new PmFailure("disk.full", `The disk of ${node} is full (${error.message}); free some space and try again.`, {
    retryable: true,
  });
}
