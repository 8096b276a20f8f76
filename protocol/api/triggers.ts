/** Triggers, and what each of them said to events. */
import { z } from "zod";
import { TRIGGER_EVENTS, TRIGGER_OUTCOMES, TRIGGER_STARTS } from "../../domain/trigger.ts";
import { TRIGGER_RULES } from "../config/plan.ts";
import { Name } from "../config/values.ts";
import { Id, Instant, MaybeInstant, Reason } from "./common.ts";

const Own = {
  name: Name,
  environmentId: Id,
  start: z.enum(TRIGGER_STARTS).default("manual"),
  /** Whose versions it deploys; a `cron` trigger must say so. Null: those of any repository. */
  repositoryId: Id.nullable().default(null),
  enabled: z.boolean().default(true),
};
const [Push, Tag, CronTime, AfterDeployment, Call] = TRIGGER_RULES;
export const CreateTrigger = z.discriminatedUnion("on", [
  Push.extend(Own),
  Tag.extend(Own),
  CronTime.extend(Own),
  AfterDeployment.extend(Own),
  Call.extend(Own),
]);
export type CreateTrigger = z.input<typeof CreateTrigger>;

/** What a trigger says besides its name, its environment and its start: as in the file. */
export const Rule = z.discriminatedUnion("on", TRIGGER_RULES);
/** Of a trigger of a file, `enabled` alone. `rule` is given as a whole. */
export const UpdateTrigger = z.strictObject({
  name: Name,
  environmentId: Id,
  start: z.enum(TRIGGER_STARTS),
  repositoryId: Id.nullable(),
  enabled: z.boolean(),
  rule: Rule,
}).partial();
export type UpdateTrigger = z.input<typeof UpdateTrigger>;

export const TriggerRun = z.object({
  id: Id,
  /** Null when the trigger is gone; its name stays. */
  triggerId: Id.nullable(),
  trigger: z.string(),
  environment: z.string(),
  /** What happened. */
  event: z.enum(TRIGGER_EVENTS),
  outcome: z.enum(TRIGGER_OUTCOMES),
  /** Why it fired, or not. */
  reason: Reason,
  deliveryId: Id.nullable(),
  versionId: Id.nullable(),
  version: z.string().nullable(),
  /** The deployment that it made. */
  deploymentId: Id.nullable(),
  /** The deployment whose end it is about. */
  causeDeploymentId: Id.nullable(),
  /** A tick's instant, or when it is looked at again. */
  dueAt: MaybeInstant,
  dryRun: z.boolean(),
  /** The version that was named with `POST fire`. */
  wanted: z.string().nullable(),
  actor: z.string(),
  createdAt: Instant,
  decidedAt: MaybeInstant,
}).meta({ id: "TriggerRun" });
export type TriggerRun = z.infer<typeof TriggerRun>;

export const Trigger = z.object({
  id: Id,
  repositoryId: Id.nullable(),
  repository: z.string().nullable(),
  /** `file`: of the Plan in the repository, read-only but for `enabled`. */
  source: z.enum(["file", "api"]),
  name: z.string(),
  on: z.enum(TRIGGER_EVENTS),
  environment: z.string(),
  /** Null while there is no environment of that name. */
  environmentId: Id.nullable(),
  start: z.enum(TRIGGER_STARTS),
  rule: z.record(z.string(), z.unknown()),
  enabled: z.boolean(),
  /** Of a cron trigger: its next tick. */
  nextDueAt: MaybeInstant,
  lastRun: TriggerRun.nullable(),
  createdBy: z.string(),
  createdAt: Instant,
  updatedAt: Instant,
}).meta({ id: "Trigger" });
export type Trigger = z.infer<typeof Trigger>;

/** A body of `POST /triggers/:id/fire`. */
export const FireTrigger = z.strictObject({
  /** A name or an id; what the trigger itself says, when absent. */
  version: z.string().min(1).max(255).optional(),
  /** Says what would happen, and nothing happens. */
  dryRun: z.boolean().default(false),
});
