import { isEngineError } from "./docker/engine.ts";

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

/** Says already what serves now. */
export class ToldFailure extends PmFailure {}

const FULL = ["ENOSPC", "EDQUOT"];
/** A full disk or an engine that is away is an ending that a person can mend; whatever else a machine throws is not foreseen. */
export function asFailure(error: unknown, node: string): PmFailure | undefined {
  if (error instanceof PmFailure) return error;
  if (isEngineError(error)) {
    return error.status === undefined
      ? new PmFailure(
        "engine.away",
        `The container engine of ${node} does not answer (${error.message}); start it, or set DOCKER_HOST for the agent.`,
        { retryable: true },
      )
      : new PmFailure("engine.refused", `The container engine of ${node} refuses: ${error.message}.`);
  }
  if (!(error instanceof Error)) return undefined;
  if (!FULL.includes((error as { code?: string }).code ?? "") && !/No space left|Disk quota/i.test(error.message)) {
    return undefined;
  }
  return new PmFailure("disk.full", `The disk of ${node} is full (${error.message}); free some space and try again.`, {
    retryable: true,
  });
}
