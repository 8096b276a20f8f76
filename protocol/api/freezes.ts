/** Freezes, and what a person says to start something nevertheless. */
import { z } from "zod";
import { Name } from "../config/values.ts";
import { Id, MaybeInstant } from "./common.ts";

/** For clients, which may not reach into the domain. */
export { parseDuration } from "../../domain/duration.ts";

export const CreateFreeze = z.strictObject({
  environmentId: Id,
  /** Only these; all when absent. */
  applications: z.array(Name).min(1).max(500).optional(),
  until: z.iso.datetime({ offset: true }),
  reason: z.string().trim().min(1).max(2000),
  /** Who may start something nevertheless, with a reason; admins only when absent. */
  overrideRole: Name.optional(),
});
export type CreateFreeze = z.input<typeof CreateFreeze>;

export const Freeze = z.object({
  /** Of one that a person made and can end; null of a window that a policy or a Plan has. */
  id: Id.nullable(),
  source: z.enum(["person", "policy", "plan"]),
  environmentId: Id,
  environment: z.string(),
  applications: z.array(z.string()).nullable(),
  cron: z.string().nullable(),
  tz: z.string().nullable(),
  for: z.string().nullable(),
  isActive: z.boolean(),
  /** Of the window of now, else of the next. */
  from: MaybeInstant,
  until: MaybeInstant,
  reason: z.string(),
  overrideRole: z.string().nullable(),
  createdBy: z.string().nullable(),
}).meta({ id: "Freeze" });
export type Freeze = z.infer<typeof Freeze>;
export const Freezes = z.object({ items: z.array(Freeze) }).meta({ id: "Freezes" });

/** Body of start: `override` starts it in spite of a freeze, for those whose role may. */
export const StartDeployment = z.strictObject({
  note: z.string().max(2000).optional(),
  override: z.strictObject({ reason: z.string().max(2000) }).optional(),
});
export type StartDeployment = z.input<typeof StartDeployment>;
/** What becomes of a task that failed while its deployment asks. */
export const DecideTask = z.strictObject({
  choice: z.enum(["fail", "retry", "ignore", "exclude"]),
  note: z.string().max(2000).optional(),
});
export type DecideTask = z.input<typeof DecideTask>;
export const EndFreeze = z.strictObject({ reason: z.string().trim().min(1).max(2000) });
