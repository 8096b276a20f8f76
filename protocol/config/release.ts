/** How an application is released: strategy, gates, hooks, failure. The whole grammar parses, carried out yet or not. */
import { z } from "zod";
import { CountOrPercent, Duration, HttpUrl, Name, RelativePath } from "./values.ts";

export const Gate = z.union([
  z.strictObject({
    prometheus: z.string().min(1),
    server: HttpUrl.optional(),
    max: z.number().optional(),
    min: z.number().optional(),
    every: Duration.optional(),
    for: Duration.optional(),
    noData: z.enum(["fail", "pass", "wait"]).optional(),
  }),
  z.strictObject({
    http: HttpUrl,
    expect: z.string().optional(),
    every: Duration.optional(),
    for: Duration.optional(),
    timeout: Duration.optional(),
    noData: z.enum(["fail", "pass", "wait"]).optional(),
  }),
  z.strictObject({
    script: RelativePath,
    timeout: Duration.optional(),
    every: Duration.optional(),
    for: Duration.optional(),
  }),
]);

export const ApproveStep = z.strictObject({
  roles: z.array(Name).optional(),
  count: z.int().min(1).max(20).optional(),
  notAuthor: z.boolean().optional(),
  expires: Duration.optional(),
  onExpire: z.enum(["reject", "approve"]).optional(),
});

const Batching = {
  batch: CountOrPercent.optional(),
  wait: Duration.optional(),
  maxFailures: z.int().min(0).optional(),
};

export const OnFailure = z.strictObject({
  /** `stop` ends the deployment as failed and leaves what runs as it is. */
  action: z.enum(["rollback", "pause", "continue", "stop"]),
  scope: z.enum(["target", "batch", "deployment"]).optional(),
  askFor: Duration.optional(),
  default: z.enum(["fail", "retry", "ignore", "exclude", "rollback"]).optional(),
});

export const CanaryStep = z.union([
  z.strictObject({ target: CountOrPercent, ...Batching }),
  z.strictObject({ pause: Duration }),
  z.strictObject({ gate: Gate }),
  z.strictObject({ approve: ApproveStep }),
]);

export const Strategy = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("all"), onFailure: OnFailure.optional(), maxFailures: z.int().min(0).optional() }),
  z.strictObject({ type: z.literal("rolling"), ...Batching, onFailure: OnFailure.optional() }),
  z.strictObject({ type: z.literal("canary"), steps: z.array(CanaryStep).min(1), onFailure: OnFailure.optional() }),
  z.strictObject({
    type: z.literal("blueGreen"),
    hold: Duration.optional(),
    steps: z.array(CanaryStep).optional(),
    onFailure: OnFailure.optional(),
  }),
]);
export type Strategy = z.infer<typeof Strategy>;

export const Hook = z.strictObject({
  run: RelativePath,
  on: z.enum(["once", "each"]).optional(),
  timeout: Duration.optional(),
});
export const Hooks = z.strictObject({
  preDeploy: Hook.optional(),
  preSwitch: Hook.optional(),
  postDeploy: Hook.optional(),
  onRollback: Hook.optional(),
  onFailure: Hook.optional(),
});
