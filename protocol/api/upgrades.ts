import { z } from "zod";
import { UPGRADE_AGENT_STATES, UPGRADE_STATES } from "../../domain/upgrade_state.ts";
import { Labels } from "../config/values.ts";
import { Id, Instant, MaybeInstant, Reason } from "./common.ts";

const Version = z.string().min(1).max(100);
/** Of one agent. */
export const UpgradeOne = z.strictObject({
  /** The master's own, unless told; it hands out no other. */
  version: Version.optional(),
  /** Also when the agent runs a newer one. */
  downgrade: z.boolean().default(false),
});
/** Of many: one machine first, then `batch` at a time. Without ids and labels: of every one. */
export const CreateUpgrade = UpgradeOne.extend({
  ids: z.array(Id).min(1).max(10_000).optional(),
  labels: Labels.optional(),
  batch: z.int().min(1).max(1000).default(5),
});
export type CreateUpgrade = z.input<typeof CreateUpgrade>;

export const UpgradeAgent = z.object({
  agentId: Id,
  name: z.string(),
  state: z.enum(UPGRADE_AGENT_STATES),
  reason: Reason,
  fromVersion: z.string(),
  askedAt: MaybeInstant,
  updatedAt: Instant,
}).meta({ id: "UpgradeAgent" });
export type UpgradeAgent = z.infer<typeof UpgradeAgent>;
export const Upgrade = z.object({
  id: Id,
  version: z.string(),
  downgrade: z.boolean(),
  batch: z.number().int(),
  status: z.enum(UPGRADE_STATES),
  reason: Reason,
  agents: z.array(UpgradeAgent),
  createdBy: z.string(),
  createdAt: Instant,
  completedAt: MaybeInstant,
}).meta({ id: "Upgrade" });
export type Upgrade = z.infer<typeof Upgrade>;
