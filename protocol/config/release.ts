/** How an application is released: strategy, gates, hooks, failure. The whole grammar parses, carried out yet or not. */
import { z } from "zod";
import { GATE_PLACEHOLDERS, unknownPlaceholders } from "../../domain/fill_gate.ts";
import { CountOrPercent, Duration, HttpUrl, Name, RelativePath } from "./values.ts";

/** Text with placeholders of a gate in it. */
const Filled = <T extends z.ZodType<string>>(text: T) =>
  text.refine(
    (value) => unknownPlaceholders(value).length === 0,
    `no other placeholder than ${GATE_PLACEHOLDERS.map((name) => `\${${name}}`).join(" ")}`,
  );

export const Gate = z.union([
  z.strictObject({
    prometheus: Filled(z.string().min(1)).describe("An instant query; the worst sample of its answer is compared."),
    server: Filled(HttpUrl).optional().describe(
      "Address of the Prometheus server; `config.prometheus.server` of the environment unless told.",
    ),
    max: z.number().optional().describe("A sample above it fails the gate."),
    min: z.number().optional().describe("A sample below it fails the gate."),
    every: Duration.optional().describe("Time between two measurements."),
    for: Duration.optional().describe("How long every measurement must pass; without it one does."),
    timeout: Duration.optional().describe("Most time one answer may take."),
    noData: z.enum(["fail", "pass", "wait"]).optional().meta({
      description: "What an answer without samples means; a server that is away never passes.",
      default: "fail",
    }),
  }).meta({ title: "prometheus gate" }).refine(
    ({ max, min }) => max !== undefined || min !== undefined,
    "needs max or min: what the value is compared with",
  ),
  z.strictObject({
    http: Filled(HttpUrl).describe("The address that is asked."),
    expect: Filled(z.string().min(1).max(1000)).optional().meta({
      description: "The status that passes, `200` or `2xx`; or a text that an answer of 2xx must hold.",
      default: "2xx",
    }),
    every: Duration.optional().describe("Time between two measurements."),
    for: Duration.optional().describe("How long every measurement must pass; without it one does."),
    timeout: Duration.optional().describe("Most time one answer may take."),
    noData: z.enum(["fail", "pass", "wait"]).optional().meta({
      description: "What no answer means; with `pass` it is waited for, as nobody who is away passes.",
      default: "fail",
    }),
  }).meta({ title: "http gate" }),
  z.strictObject({
    script: RelativePath.describe("A script of the bundle, run on an agent of the environment; exit code 0 passes."),
    timeout: Duration.optional().describe("Most time one run may take."),
    every: Duration.optional().describe("Time between two runs."),
    for: Duration.optional().describe("How long every run must pass; without it one does."),
  }).meta({ title: "script gate" }),
]);

export const ApproveStep = z.strictObject({
  roles: z.array(Name).optional().describe("Who may approve; without it, whoever may deploy."),
  count: z.int().min(1).max(20).optional().meta({ description: "How many people must.", default: 1 }),
  notAuthor: z.boolean().optional().describe("Whoever made the deployment or the commit does not count."),
  expires: Duration.optional().describe("How long it is waited for."),
  onExpire: z.enum(["reject", "approve"]).optional().meta({ description: "What happens then.", default: "reject" }),
}).meta({ title: "approval" });

/** The database counts failures in 32 bits. */
const MOST_FAILURES = 1_000_000;
const Batching = {
  batch: CountOrPercent.optional().meta({ description: "How many targets go at once.", default: 1 }),
  wait: Duration.optional().describe("Time between two batches."),
  maxFailures: z.int().min(0).max(MOST_FAILURES).optional().meta({
    description: "Targets that may fail before it has failed.",
    default: 0,
  }),
};

export const OnFailure = z.strictObject({
  /** `stop` ends the deployment as failed and leaves what runs as it is. */
  action: z.enum(["rollback", "pause", "continue", "stop"]).describe("What is done; see On a failure."),
  scope: z.enum(["target", "batch", "deployment"]).optional().meta({
    description: "Of a rollback: what goes back.",
    default: "deployment",
  }),
  askFor: Duration.optional().describe("People are asked first, for so long at most; then the answer is `default`."),
  default: z.enum(["fail", "retry", "ignore", "exclude", "rollback"]).optional().describe(
    "The answer when nobody gave one: of a rollback, `rollback`, else `fail`, unless told.",
  ),
  deadline: Duration.optional().meta({
    description: "Most time a rollback may take; what is not back by then is told, and it has failed.",
    default: "30m",
  }),
}).superRefine(({ action, askFor, default: answer }, context) => {
  if (answer !== undefined && askFor === undefined) {
    context.addIssue({ code: "custom", path: ["default"], message: "is the answer after askFor; say askFor too" });
  }
  if (askFor !== undefined && action === "continue") {
    context.addIssue({ code: "custom", path: ["askFor"], message: "asks before a rollback or a stop, or with pause" });
  }
}).meta({ title: "failure" });

export const CanaryStep = z.union([
  z.strictObject({
    target: CountOrPercent.describe("So many targets have the version after this step, earlier ones included."),
    ...Batching,
  }).meta({ title: "target step" }),
  z.strictObject({ pause: Duration.describe("Waits; a person may skip it.") }).meta({ title: "pause step" }),
  z.strictObject({ gate: Gate.describe("Goes on when the condition holds.") }).meta({ title: "gate step" }),
  z.strictObject({ approve: ApproveStep.describe("Goes on when people say so.") }).meta({ title: "approve step" }),
]);

const Failure = OnFailure.optional().describe("What is done when it fails.");

export const Strategy = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("all").describe("Everywhere at once."),
    onFailure: Failure,
    maxFailures: z.int().min(0).max(MOST_FAILURES).optional().meta({
      description: "Targets that may fail.",
      default: 0,
    }),
  }).meta({ title: "all" }),
  z.strictObject({
    type: z.literal("rolling").describe("Batch after batch."),
    ...Batching,
    onFailure: Failure,
  }).meta({ title: "rolling" }),
  z.strictObject({
    type: z.literal("canary").describe("Step by step; what the steps leave follows as one last batch."),
    steps: z.array(CanaryStep).min(1).describe("In order."),
    onFailure: Failure,
  }).meta({ title: "canary" }),
  z.strictObject({
    type: z.literal("blueGreen").describe("Started everywhere beside the old release, then switched everywhere."),
    hold: Duration.optional().describe("How long the old release goes on running after the switch."),
    steps: z.array(CanaryStep).optional().describe("Between the start and the switch: pauses, gates, approvals."),
    onFailure: Failure,
  }).meta({ title: "blueGreen" }),
]);
export type Strategy = z.infer<typeof Strategy>;

export const Hook = z.strictObject({
  run: RelativePath.describe("A script of the bundle."),
  on: z.enum(["once", "each"]).optional().meta({
    description: "Once for the application, or per target.",
    default: "once",
  }),
  timeout: Duration.optional().describe("Most time it may take; ten minutes unless told, and one for onFailure."),
}).meta({ title: "hook" });
export const Hooks = z.strictObject({
  preDeploy: Hook.optional().describe("Before anything is deployed."),
  preSwitch: Hook.optional().describe("When the new release is healthy and gets no requests yet."),
  postDeploy: Hook.optional().describe("When the new release has the requests."),
  onRollback: Hook.optional().describe("Before a rollback; of the version that is left, with BOREAS_IS_ROLLBACK=1."),
  onFailure: Hook.optional().describe("When the application's part of the deployment has failed."),
});
