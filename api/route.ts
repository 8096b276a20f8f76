/** What every route file is built from. */
import { OpenAPIHono, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { AppError } from "../domain/app_error.ts";
import type { Actor } from "../db/database.ts";
import { Id, Problem } from "../protocol/http_api.ts";
import type { ApiEnv } from "./deps.ts";
import { sayIssues } from "./say_issues.ts";

/** A router whose requests are checked by their schemas; what does not fit becomes one AppError that names every place. */
export function createRouter(): OpenAPIHono<ApiEnv> {
  return new OpenAPIHono<ApiEnv>({
    defaultHook: (result) => {
      if (result.success) return;
      const input = "data" in result ? (result as { data: unknown }).data : undefined;
      const errors = sayIssues(result.error.issues, input);
      const places = errors.map((e) => e.path ? `${e.path}: ${e.message}` : e.message).slice(0, 3).join("; ");
      const more = errors.length > 3 ? `; and ${errors.length - 3} more` : "";
      throw new AppError(
        "invalid",
        "request.invalid",
        `${WHERE[result.target] ?? "The request does not fit"}. ${places}${more}.`,
        errors,
      );
    },
  });
}
const WHERE: Record<string, string> = {
  json: "The body does not fit",
  query: "The query does not fit",
  param: "The address does not fit",
};

/** `application/json` with this schema. */
export const json = <T extends z.ZodType>(schema: T, description: string) => ({
  description,
  content: { "application/json": { schema } },
});
/** A body that must be there. */
export const jsonBody = <T extends z.ZodType>(schema: T) => ({
  required: true as const,
  content: { "application/json": { schema } },
});
/** A body that may be left out; its schema must accept `{}`. */
export const optionalJsonBody = <T extends z.ZodType>(schema: T) => ({
  required: false as const,
  content: { "application/json": { schema } },
});

const problem = (description: string) => ({
  description,
  content: { "application/problem+json": { schema: Problem } },
});
/** Spread into every route's `responses`. */
export const problemResponses = {
  "4XX": problem("The caller can mend it; `detail` says how"),
  "5XX": problem("Boreas cannot answer now; `detail` says why"),
};
export const IdParams = z.object({ id: Id });

/** Who asks. Set by the authorize middleware, so only missing on a public route. */
export function actorOf(c: Context<ApiEnv>): Actor {
  const actor = c.get("actor");
  if (!actor) {
    throw new AppError("unauthenticated", "auth.required", "Sign in first: this call needs to know who asks.");
  }
  return actor;
}
