/**
 * What an agent sees to run. Everything is bounded: the agent cuts what is longer, so that an application that talks much
 * costs it neither its connection nor the master memory.
 */
import { z } from "zod";
import { storableText } from "../domain/storable_text.ts";

/** Characters. With the bounds below, one application stays within a frame, whatever its characters weigh. */
export const MAX_OBSERVED_TEXT = 1000;
const MAX_NAME = 300;
/** Of one application on one target. */
export const MAX_RESOURCES = 50;
export const MAX_DIFFERENCES = 50;
/** Characters of `details` as JSON, of an application and of one resource. */
export const MAX_DETAILS = 16_000;
export const MAX_RESOURCE_DETAILS = 2000;
/** Applications in one message, and names in `present`. */
export const MAX_OBSERVED = 200;
export const MAX_PRESENT = 2000;

const Name = z.string().max(MAX_NAME);
const detailsOf = (most: number) =>
  z.record(z.string(), z.unknown()).refine(
    (value) => JSON.stringify(value).length <= most,
    `is longer than ${most} characters`,
  );
export const HEALTH = ["healthy", "degraded", "progressing", "missing", "unknown"] as const;
export type Health = (typeof HEALTH)[number];

/** A process, unit or container that an application consists of on one target. */
export const Resource = z.object({
  kind: z.enum(["process", "unit", "container"]),
  /** As a person would look for it on the machine: `pid 812`, `boreas-app-order@a.service`, a container's name. */
  name: Name,
  /** `running`, `exited`, `restarting`, `paused`, ... in the words of what runs it. */
  state: Name,
  startedAt: z.string().max(40).nullable(),
  restarts: z.number(),
  details: detailsOf(MAX_RESOURCE_DETAILS),
});
export type Resource = z.infer<typeof Resource>;

/** One point in which what runs is not what the version says. `path` is what `drift.ignore` names. No secret's value. */
export const Difference = z.object({
  path: Name,
  expected: z.string().max(MAX_OBSERVED_TEXT),
  actual: z.string().max(MAX_OBSERVED_TEXT),
});
export type Difference = z.infer<typeof Difference>;

/** One application as it is seen to run. */
export const Observed = z.object({
  application: Name,
  environmentId: z.string().max(36),
  target: Name,
  version: Name.nullable(),
  health: z.enum(HEALTH),
  resources: z.array(Resource).max(MAX_RESOURCES),
  /** Empty when what runs is what the version says; null when this kind of application cannot be compared. */
  differences: z.array(Difference).max(MAX_DIFFERENCES).nullable(),
  details: detailsOf(MAX_DETAILS),
});
export type Observed = z.infer<typeof Observed>;

/** Lines of an application's output that whoever opens it may look back on. */
export const OUTPUT_LINES = 1000;
/** Characters of its text in one message. */
export const MAX_OUTPUT_TEXT = 32 * 1024;

/** One application in one environment, as a key. */
export const Present = z.object({ environmentId: z.string().max(36), application: Name });
export type Present = z.infer<typeof Present>;

/** Fits it into the bounds above, and into a database; what is cut ends with `...`. */
export function clipObserved(seen: Observed): Observed {
  return {
    ...seen,
    resources: seen.resources.slice(0, MAX_RESOURCES).map((resource) => ({
      ...resource,
      name: clip(resource.name, MAX_NAME),
      state: clip(resource.state, MAX_NAME),
      details: clipDetails(resource.details, MAX_RESOURCE_DETAILS),
    })),
    differences: seen.differences?.slice(0, MAX_DIFFERENCES).map(({ path, expected, actual }) => ({
      path: clip(path, MAX_NAME),
      expected: clip(expected, MAX_OBSERVED_TEXT),
      actual: clip(actual, MAX_OBSERVED_TEXT),
    })) ?? null,
    details: clipDetails(seen.details, MAX_DETAILS),
  };
}

const clip = (text: string, most: number) => storableText(text.length <= most ? text : `${text.slice(0, most - 3)}...`);

function clipDetails(details: Record<string, unknown>, most: number): Record<string, unknown> {
  const short = Object.fromEntries(
    Object.entries(details).map(([key, value]) => [
      key,
      typeof value === "string" ? clip(value, MAX_OBSERVED_TEXT) : value,
    ]),
  );
  return JSON.stringify(short).length <= most ? short : { cut: "the details were too long to be sent" };
}
