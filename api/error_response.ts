/** Every error becomes an RFC 9457 problem here, and only here. */
import type { Context } from "hono";
import { HTTPException } from "hono/http-exception";
import { AppError } from "../domain/app_error.ts";
import type { ErrorKind, FieldError } from "../domain/app_error.ts";
import type { Logger } from "../domain/ports.ts";
import type { Problem } from "../protocol/http_api.ts";
import type { ApiEnv } from "./deps.ts";
import { LimitedError } from "./limited_error.ts";
import { fromPostgresError } from "./postgres_error.ts";

const KINDS: Record<ErrorKind, { status: number; title: string }> = {
  invalid: { status: 400, title: "The request needs a change" },
  unauthenticated: { status: 401, title: "Sign in first" },
  forbidden: { status: 403, title: "Not allowed" },
  not_found: { status: 404, title: "Not found" },
  conflict: { status: 409, title: "Not possible in the present state" },
  too_large: { status: 413, title: "Too large" },
  unsupported: { status: 415, title: "Not a format we read" },
  limited: { status: 429, title: "Too many attempts" },
  unavailable: { status: 503, title: "Not available right now" },
};

/** @returns the handler for `app.onError` */
export function createErrorResponse(logger: Logger): (error: Error, c: Context<ApiEnv>) => Response {
  return (thrown, c) => {
    const error = toAppError(thrown);
    if (!error) {
      logger.log("ERROR", "request failed unexpectedly", {
        requestId: c.get("requestId"),
        method: c.req.method,
        path: c.req.path,
        error: thrown.stack ?? String(thrown),
      });
      return problem(500, "Unexpected error", "internal", sayUnexpected(c.get("requestId")));
    }
    if (error.kind === "unavailable") {
      logger.log("WARN", "request could not be served", {
        requestId: c.get("requestId"),
        error: String(error.cause ?? error),
      });
    }
    const { status, title } = KINDS[error.kind];
    const response = problem(status, title, error.code, error.message, error.errors);
    if (error instanceof LimitedError) response.headers.set("Retry-After", String(error.retryAfterSeconds));
    if (error.kind === "unavailable") response.headers.set("Retry-After", "1");
    if (error.kind === "unauthenticated") response.headers.set("WWW-Authenticate", 'Bearer realm="boreas"');
    return response;
  };
}

const sayUnexpected = (requestId: string) =>
  `Boreas made a mistake and wrote it to its log; look for request ${requestId} there.`;

function toAppError(thrown: Error): AppError | undefined {
  if (thrown instanceof AppError) return thrown;
  if (thrown instanceof HTTPException) return fromHttpException(thrown);
  return fromPostgresError(thrown);
}

/** What Hono itself refuses before a schema sees it. */
function fromHttpException(thrown: HTTPException): AppError | undefined {
  if (thrown.status === 400) {
    return new AppError(
      "invalid",
      "request.json",
      "The body is not valid JSON; check its quotes, commas and brackets.",
    );
  }
  if (thrown.status === 415) {
    return new AppError(
      "unsupported",
      "request.content_type",
      "Send JSON, with the header Content-Type: application/json.",
    );
  }
  return undefined;
}

export const notFound = (c: Context<ApiEnv>): Response =>
  problem(
    404,
    KINDS.not_found.title,
    "route.unknown",
    `There is no ${c.req.method} ${c.req.path}; see /docs for what there is.`,
  );

/** RFC 9457. */
export function problem(
  status: number,
  title: string,
  code: string,
  detail: string,
  errors: readonly FieldError[] = [],
): Response {
  const body: Problem = {
    type: "about:blank",
    title,
    status,
    code,
    detail,
    ...(errors.length > 0 && { errors: [...errors] }),
  };
  return new Response(JSON.stringify(body), { status, headers: { "Content-Type": "application/problem+json" } });
}
