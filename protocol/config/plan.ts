/** A `Plan` document: how one version becomes deployments. Read from the repository's default branch only. */
import { z } from "zod";
import { Strategy } from "./release.ts";
import { Duration, Glob, Name } from "./values.ts";

const Filters = { paths: z.array(Glob).optional(), applications: z.array(Name).optional() };
const Outcome = { environment: Name, start: z.enum(["auto", "approve", "manual"]).optional(), name: Name.optional() };

export const Trigger = z.discriminatedUnion("on", [
  z.strictObject({ on: z.literal("push"), branch: z.string().optional(), ...Filters, ...Outcome }),
  z.strictObject({ on: z.literal("tag"), match: z.string().optional(), ...Filters, ...Outcome }),
  z.strictObject({
    on: z.literal("cron"),
    at: z.string().min(9),
    tz: z.string().optional(),
    version: z.string().optional(),
    missed: z.enum(["skip", "run_once"]).optional(),
    ...Filters,
    ...Outcome,
  }),
  z.strictObject({
    on: z.literal("deployment"),
    of: Name,
    after: Duration.optional(),
    version: z.string().optional(),
    ...Filters,
    ...Outcome,
  }),
  z.strictObject({ on: z.literal("api"), version: z.string().optional(), ...Filters, ...Outcome }),
]);
export type Trigger = z.infer<typeof Trigger>;

export const PlanDocument = z.strictObject({
  apiVersion: z.literal("boreas/v1"),
  kind: z.literal("Plan"),
  name: Name.optional(),
  mustInOrder: z.array(Name).optional(),
  strategy: Strategy.optional(),
  triggers: z.array(Trigger).optional(),
  concurrency: z.strictObject({ policy: z.enum(["queue", "supersede", "reject"]) }).optional(),
  freeze: z.array(z.strictObject({
    environment: Name,
    cron: z.string().min(9),
    for: Duration,
    tz: z.string().optional(),
    override: z.strictObject({ role: Name, reason: z.enum(["required", "optional"]).optional() }).optional(),
  })).optional(),
});
export type PlanDocument = z.infer<typeof PlanDocument>;
