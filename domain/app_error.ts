/** What kind of answer an error deserves at the edge. One table in `api/error_response.ts` maps it to HTTP. */
export type ErrorKind =
  | "invalid" // 400: the caller can mend the request
  | "unauthenticated" // 401
  | "forbidden" // 403
  | "not_found" // 404
  | "conflict" // 409: the state does not allow it now
  | "too_large" // 413
  | "unsupported" // 415: a body in a form we do not read
  | "limited" // 429
  | "unavailable"; // 503: try again later

export interface FieldError {
  /** Dotted path in the body or file, `line 12` where only a line is known. */
  path: string;
  message: string;
}

/** A broken expectation with a sentence that says what to do. Thrown, and mapped once at each edge. */
export class AppError extends Error {
  override readonly name = "AppError";
  constructor(
    readonly kind: ErrorKind,
    /** Stable, dotted, e.g. `plan.cycle`: clients match on it, so never rename one. */
    readonly code: string,
    message: string,
    readonly errors: FieldError[] = [],
    cause?: unknown,
  ) {
    super(message, { cause });
  }
}
