/** Requests for a person's yes: a deployment's own, or an `approve` step of its plan; and roles that a team adds. */
import { z } from "zod";
import { BASE_ROLES } from "../../domain/roles.ts";
import { Id, Instant, MaybeInstant } from "./common.ts";

export const Vote = z.object({
  actor: z.string(),
  decision: z.enum(["approve", "reject"]),
  note: z.string(),
  at: Instant,
  /** Given for the plan as it is now; one that was given before a change counts no more. */
  counts: z.boolean(),
}).meta({ id: "Vote" });
export type Vote = z.infer<typeof Vote>;

export const ApprovalRequest = z.object({
  /** Of the task, or of the deployment where the whole of it waits. */
  id: Id,
  kind: z.enum(["deployment", "task"]),
  deploymentId: Id,
  taskId: Id.nullable(),
  /** The step's name, or null. */
  name: z.string().nullable(),
  version: z.string(),
  commit: z.string().nullable(),
  environment: z.string(),
  applications: z.array(z.string()),
  /** They are taken away from the environment; `version` is what runs there. */
  removes: z.boolean().default(false),
  createdBy: z.string(),
  count: z.number().int(),
  missing: z.number().int(),
  /** Any of them; empty: whoever may sign in. */
  roles: z.array(z.string()),
  notAuthor: z.boolean(),
  planHash: z.string(),
  since: Instant,
  expiresAt: MaybeInstant,
  onExpire: z.enum(["reject", "approve"]),
  votes: z.array(Vote),
  /** Whether the one who asks may answer; else why not. */
  mayVote: z.boolean(),
  why: z.string(),
}).meta({ id: "ApprovalRequest" });
export type ApprovalRequest = z.infer<typeof ApprovalRequest>;

export const CreateApprovalLink = z.strictObject({
  deploymentId: Id,
  /** An `approve` step; without it the deployment's own approval. */
  taskId: Id.optional(),
  /** Who may answer with it; oneself when absent. Only an admin names another. */
  username: z.string().max(63).optional(),
  /** Seconds. */
  expiresIn: z.int().min(60).max(7 * 86_400).default(86_400),
});
/** Shown once: whoever has it may answer in that person's name, once, for that plan. */
export const ApprovalLink = z.object({
  id: Id,
  username: z.string(),
  url: z.string(),
  expiresAt: Instant,
}).meta({ id: "ApprovalLink" });
export type ApprovalLink = z.infer<typeof ApprovalLink>;

export const NamedRole = z.object({
  name: z.string(),
  /** What it may call: that of one of the three. */
  base: z.enum(BASE_ROLES),
  builtIn: z.boolean(),
  /** Who has it. */
  members: z.array(z.string()),
}).meta({ id: "NamedRole" });
export type NamedRole = z.infer<typeof NamedRole>;
export const PutRole = z.strictObject({ base: z.enum(BASE_ROLES) });
