/** A `Plan` document: how one version becomes deployments. Read from the repository's default branch only. */
import { z } from "zod";
import { TRIGGER_STARTS } from "../../domain/trigger.ts";
import { Concurrency, PlanFreeze } from "./freeze.ts";
import { Strategy } from "./release.ts";
import { Duration, Glob, Name } from "./values.ts";

const Filters = {
  paths: z.array(Glob).optional().describe("Fires only when a file that matches has changed."),
  applications: z.array(Name).optional().describe("Deploys only these."),
};
/** Of a version that no push names. */
const Origin = {
  branch: z.string().optional().describe("Glob; versions of these branches."),
  match: z.string().optional().describe("Glob; versions of these tags. Where `branch` is given too, either will do."),
};
const Chosen = {
  version: z.string().max(255).optional().meta({
    description:
      "Which version: `latest`, `latest-verified:ENVIRONMENT` for the newest that completed there and still runs, or a name.",
    default: "latest",
  }),
  after: Duration.optional().describe("How long a version must have been well there: of `latest-verified:`."),
};
const Outcome = {
  environment: Name.describe("Where it deploys to."),
  start: z.enum(TRIGGER_STARTS).optional().meta({
    description: "At once, once approved, or when a person starts it.",
    default: "manual",
  }),
  name: Name.optional().describe("What it is called; one is made up when it has none."),
};
const Push = z.strictObject({
  on: z.literal("push").describe("A push to a branch."),
  branch: z.string().optional().describe("Glob; the default branch unless told."),
  ...Filters,
});
const Tag = z.strictObject({
  on: z.literal("tag").describe("A new tag."),
  match: z.string().optional().describe("Glob over its name; any unless told."),
  ...Filters,
});
const CronTime = z.strictObject({
  on: z.literal("cron").describe("The clock."),
  at: z.string().min(9).max(100).describe("Minute, hour, day of month, month, day of week."),
  tz: z.string().max(100).optional().meta({ description: "IANA time zone.", default: "UTC" }),
  missed: z.enum(["skip", "run_once"]).optional().meta({
    description: "What becomes of an instant at which no master was up.",
    default: "skip",
  }),
  ...Chosen,
  ...Origin,
  ...Filters,
});
const AfterDeployment = z.strictObject({
  on: z.literal("deployment").describe("A deployment that has completed: its version goes on."),
  of: Name.describe("The environment of that deployment."),
  after: Duration.optional().describe("So long the version must have been well there."),
  ...Origin,
  ...Filters,
});
const Call = z.strictObject({
  on: z.literal("api").describe("A call of the API, and nothing else."),
  ...Chosen,
  ...Origin,
  ...Filters,
});

export const Trigger = z.discriminatedUnion("on", [
  Push.extend(Outcome).meta({ title: "push" }),
  Tag.extend(Outcome).meta({ title: "tag" }),
  CronTime.extend(Outcome).meta({ title: "cron" }),
  AfterDeployment.extend(Outcome).meta({ title: "deployment" }),
  Call.extend(Outcome).meta({ title: "api" }),
]);
/** What each kind says besides its name, its environment and its start. */
export const TRIGGER_RULES = [Push, Tag, CronTime, AfterDeployment, Call] as const;
export type Trigger = z.infer<typeof Trigger>;

export const PlanDocument = z.strictObject({
  apiVersion: z.literal("boreas/v1").describe("The grammar."),
  kind: z.literal("Plan").describe("One per repository, read from its default branch."),
  name: Name.optional().describe("For people."),
  mustInOrder: z.array(Name).optional().describe("One after another; the rest run in parallel once their needs hold."),
  strategy: Strategy.optional().describe("Of applications that have none of their own."),
  triggers: z.array(Trigger).optional().describe("What becomes a deployment, and where; see below."),
  concurrency: Concurrency.optional().describe("Per application and environment."),
  freeze: z.array(PlanFreeze).optional().describe("Times in which nothing is started."),
});
export type PlanDocument = z.infer<typeof PlanDocument>;
