import type { z } from "zod";
import type { FieldError } from "../domain/app_error.ts";

/** Zod's issues as sentences a person can act on, one per place. `input` is what was sent: it tells missing from wrong. */
export function sayIssues(issues: readonly z.core.$ZodIssue[], input: unknown, at: PropertyKey[] = []): FieldError[] {
  return issues.flatMap((issue): FieldError[] => {
    const path = [...at, ...issue.path];
    if (issue.code === "unrecognized_keys") {
      return issue.keys.map((key) => ({
        path: [...path, key].join("."),
        message: "is not a known key; remove it or check its spelling",
      }));
    }
    if (issue.code === "invalid_union" && issue.errors.length > 0) {
      // The branch with the fewest problems is the one that was meant.
      const branches = issue.errors.map((errors) => sayIssues(errors, input, path)).filter((b) => b.length > 0);
      branches.sort((a, b) => a.length - b.length);
      if (branches[0]) return branches[0];
    }
    return [{ path: path.join("."), message: sayIssue(issue, valueAt(input, path)) }];
  });
}

function sayIssue(issue: z.core.$ZodIssue, value: unknown): string {
  switch (issue.code) {
    case "invalid_type":
      return value === undefined ? `is missing; expected ${issue.expected}` : `must be ${issue.expected}`;
    case "invalid_value":
      return `${value === undefined ? "is missing; expected" : "must be"} one of ${
        issue.values.map(String).join(", ")
      }`;
    case "invalid_format":
      if (issue.format === "uuid") return "must be an id, such as 01890a5d-ac96-774b-bcce-b302099a8057";
      return issue.message.startsWith("Invalid") ? `must match ${issue.pattern ?? issue.format}` : issue.message;
    case "too_small":
      return `must be at least ${issue.minimum}${unitOf(issue.origin)}`;
    case "too_big":
      return `must be at most ${issue.maximum}${unitOf(issue.origin)}`;
    default:
      return issue.message;
  }
}

const unitOf = (origin: string) => origin === "string" ? " characters" : origin === "array" ? " items" : "";

function valueAt(input: unknown, path: PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, key) =>
      value !== null && typeof value === "object" ? (value as Record<PropertyKey, unknown>)[key] : undefined,
    input,
  );
}
