/** Deployments, tasks, agents, overview. */
import { z } from "zod";
import { DEPLOYMENT_STATES } from "../../domain/deployment_state.ts";
import { MEASUREMENT_VERDICTS } from "../../domain/judge_gate.ts";
import { TASK_STATUSES, TASK_STEPS, TASK_TYPES } from "../../domain/task_state.ts";
import { Strategy } from "../config/release.ts";
import { CountOrPercent, Labels, Name } from "../config/values.ts";
import { ValueChange } from "./history.ts";
import { Vote } from "./approvals.ts";
import { Id, Instant, MaybeInstant, Reason } from "./common.ts";

/** For clients, which may not reach into the domain. */
export { isEnded } from "../../domain/deployment_state.ts";

/** Leaves out approvals and gates of the applications' own strategies, for those whose role may. */
const StrategyOverride = z.strictObject({ reason: z.string().max(2000) });
export const CreateDeployment = z.strictObject({
  versionId: Id,
  environmentId: Id,
  /** Names; all applications of the version that changed and are bound to the environment, when absent. */
  applications: z.array(Name).min(1).max(500).optional(),
  mustInOrder: z.array(Name).max(500).optional(),
  /** Replaces each application's own strategy, and keeps its approvals and gates. */
  strategy: Strategy.optional(),
  override: StrategyOverride.optional(),
  manualApproval: z.boolean().optional(),
});
export type CreateDeployment = z.input<typeof CreateDeployment>;
/** Takes applications away from where they run in an environment; those that need others go first. */
export const CreateRemoval = z.strictObject({
  environmentId: Id,
  /** Names; archived ones too. */
  applications: z.array(Name).min(1).max(500),
  /** `all`, or `rolling`; at once unless told. */
  strategy: Strategy.optional(),
  manualApproval: z.boolean().optional(),
  /** It starts at once, or as soon as approvals and freezes let it; else it waits for a person. */
  start: z.boolean().default(false),
  note: z.string().max(2000).optional(),
});
export type CreateRemoval = z.input<typeof CreateRemoval>;
/** The plan of a commit that no version stands for: read from the repository, nothing stored. */
export const PreviewCommit = z.strictObject({
  repositoryId: Id,
  environmentId: Id,
  /** A branch or tag, whole (`refs/heads/x`) or by its name; with a commit, the branch that the commit is on. */
  ref: z.string().min(1).max(255).optional(),
  commit: z.string().regex(/^[0-9a-f]{7,64}$/, "a commit, or at least its first 7 digits").optional(),
}).refine((input) => input.ref !== undefined || input.commit !== undefined, "say which ref or commit");
export type PreviewCommit = z.input<typeof PreviewCommit>;
/** While it runs, `strategy` may hold the batch size alone: the batches that have not begun are cut anew. */
export const UpdateDeployment = z.strictObject({
  mustInOrder: z.array(Name).max(500),
  strategy: z.union([Strategy, z.strictObject({ batch: CountOrPercent })]),
  override: StrategyOverride,
}).partial();

/** One look of a gate. */
export const Measurement = z.object({
  /** Counts per task, from 1. */
  number: z.number().int(),
  at: Instant,
  value: z.number().nullable(),
  verdict: z.enum(MEASUREMENT_VERDICTS),
  note: z.string(),
}).meta({ id: "Measurement" });
export type Measurement = z.infer<typeof Measurement>;

export const Task = z.object({
  id: Id,
  deploymentId: Id,
  parentId: Id.nullable(),
  appId: Id.nullable(),
  /** The application's name; of a part, the machine's. */
  name: z.string(),
  type: z.enum(TASK_TYPES),
  step: z.enum(TASK_STEPS),
  status: z.enum(TASK_STATUSES),
  /** Ids of the tasks it waits for. */
  dependencies: z.array(Id),
  payload: z.record(z.string(), z.unknown()),
  result: z.record(z.string(), z.unknown()).nullable(),
  attempt: z.number().int(),
  fence: z.number().int(),
  agentId: Id.nullable(),
  agent: z.string().nullable(),
  leaseExpiresAt: MaybeInstant,
  reason: Reason,
  blockedBy: z.array(z.object({ id: Id, name: z.string(), status: z.enum(TASK_STATUSES), since: Instant })),
  createdAt: Instant,
  updatedAt: Instant,
  startedAt: MaybeInstant,
  completedAt: MaybeInstant,
}).meta({ id: "Task" });
export type Task = z.infer<typeof Task>;
/** One task alone: a gate's with what was measured last, newest first; an approval's with who has answered. */
export const TaskWithDetails = Task.extend({
  measurements: z.array(Measurement),
  votes: z.array(Vote),
}).meta({ id: "TaskWithDetails" });
export type TaskWithDetails = z.infer<typeof TaskWithDetails>;

/** `GET /tasks/:id/logs/lines`: lines by number, the first is 0. Fewer than asked for may come; ask again from there. */
export const LogLines = z.object({
  attempt: z.number().int(),
  from: z.number().int(),
  /** Lines that are stored now, a begun last one included. */
  total: z.number().int(),
  lines: z.array(z.object({
    /** Byte offset of its beginning within the attempt. */
    offset: z.number().int(),
    /** Without its newline; bytes that are not UTF-8 are shown as U+FFFD. */
    text: z.string(),
    /** Only its first 64 KiB are here. */
    cut: z.boolean(),
  })),
}).meta({ id: "LogLines" });
export type LogLines = z.infer<typeof LogLines>;

export const Deployment = z.object({
  id: Id,
  versionId: Id,
  version: z.string(),
  environmentId: Id,
  environment: z.string(),
  status: z.enum(DEPLOYMENT_STATES),
  reason: Reason,
  mustInOrder: z.array(z.string()),
  applications: z.array(z.string()),
  strategy: z.record(z.string(), z.unknown()).nullable(),
  manualApproval: z.boolean(),
  /** It takes the applications away from the environment; `version` is what ran there. */
  removes: z.boolean().default(false),
  approvals: z.object({ count: z.number().int(), given: z.array(z.object({ actor: z.string(), at: Instant })) }),
  createdBy: z.string(),
  errorMessage: z.string().nullable(),
  createdAt: Instant,
  updatedAt: Instant,
  startedAt: MaybeInstant,
  completedAt: MaybeInstant,
  /** Counts of app tasks by status. */
  progress: z.record(z.string(), z.number()),
}).meta({ id: "Deployment" });
export type Deployment = z.infer<typeof Deployment>;
export const DeploymentWithTasks = Deployment.extend({ tasks: z.array(Task) }).meta({ id: "DeploymentWithTasks" });
export type DeploymentWithTasks = z.infer<typeof DeploymentWithTasks>;

/** What happened to a deployment and its tasks, in order. `id` tells it apart from what the live stream brings again. */
export const TimelineEntry = z.object({
  id: z.number().int(),
  at: Instant,
  deploymentId: Id,
  taskId: Id.nullable(),
  kind: z.string(),
  name: z.string(),
  reason: Reason,
}).meta({ id: "TimelineEntry" });
export type TimelineEntry = z.infer<typeof TimelineEntry>;

/** The plan, nothing stored: what would be created, in order. */
export const PlannedTask = z.object({
  key: z.string(),
  parentKey: z.string().nullable(),
  name: z.string(),
  application: z.string(),
  type: z.enum(TASK_TYPES),
  dependsOn: z.array(z.string()),
  target: z.string().nullable(),
  action: z.enum(["create", "update", "unchanged", "remove"]).optional(),
}).meta({ id: "PlannedTask" });
/** What a deployment would mean for one application there. */
export const PreviewedApplication = z.object({
  application: z.string(),
  environment: z.string(),
  /** `delete`: a removal takes it away; any other deployment leaves alone what runs there and is no part of the version any more. */
  action: z.enum(["create", "update", "unchanged", "delete", "left_out"]),
  strategy: z.string().nullable(),
  targets: z.number().int(),
  hooks: z.array(z.string()),
  gates: z.array(z.string()),
  approvals: z.array(z.string()),
  /** What would run differently. A secret is a name among others, never its value. */
  changes: z.array(ValueChange),
  note: z.string().nullable(),
}).meta({ id: "PreviewedApplication" });
export type PreviewedApplication = z.infer<typeof PreviewedApplication>;
export const Preview = z.object({
  applications: z.array(z.string()),
  summary: z.array(PreviewedApplication).default([]),
  tasks: z.array(PlannedTask),
  warnings: z.array(z.string()),
  /** Approvals and gates of the applications' own that the strategy which was asked for leaves out: that takes a reason. */
  dropped: z.array(z.string()).default([]),
}).meta({ id: "Preview" });
export type Preview = z.infer<typeof Preview>;

/** Body of start, cancel, rollback, approve, reject, pause, resume, retry: a note for the record. */
export const Act = z.strictObject({ note: z.string().max(2000).optional() });

export const Agent = z.object({
  id: Id,
  name: z.string(),
  kind: z.string(),
  status: z.enum(["connected", "disconnected", "revoked"]),
  reason: Reason,
  embedded: z.boolean(),
  labels: z.record(z.string(), z.string()),
  environments: z.array(z.object({ id: Id, name: z.string() })),
  facts: z.record(z.string(), z.unknown()),
  versions: z.record(z.string(), z.string()),
  slots: z.number().int(),
  busySlots: z.number().int(),
  cordoned: z.boolean(),
  /** Enrolled with a token that asks for a person's yes: given nothing until then. */
  awaitsApproval: z.boolean().default(false),
  /** Being emptied since; `drainedAt` once nothing runs on it any more. */
  drain: z.object({ startedAt: Instant, drainedAt: MaybeInstant }).nullable().default(null),
  /** Since when its present keys are in use, and whether new ones are asked for. */
  keys: z.object({ since: Instant, isRenewalWanted: z.boolean() }).nullable().default(null),
  lastSeenAt: MaybeInstant,
  createdAt: Instant,
}).meta({ id: "Agent" });
export type Agent = z.infer<typeof Agent>;
export const UpdateAgent = z.strictObject({ labels: Labels, environments: z.array(Id).max(1000) }).partial();

export const CreateEnrollmentToken = z.strictObject({
  uses: z.int().min(1).max(10_000).default(1),
  /** Seconds. */
  expiresIn: z.int().min(60).max(90 * 86_400).default(3600),
  labels: Labels.default({}),
  /** Ids or names. */
  environments: z.array(z.string()).max(1000).default([]),
  kind: z.enum(["agent", "operator"]).default("agent"),
  /** A machine that enrols with it is given nothing to do until a person approves it. */
  approveFirst: z.boolean().default(false),
});
export const EnrollmentToken = z.object({
  id: Id,
  kind: z.enum(["agent", "operator"]),
  usesLeft: z.number().int(),
  labels: z.record(z.string(), z.string()),
  environments: z.array(Id),
  approveFirst: z.boolean(),
  expiresAt: Instant,
  createdBy: z.string(),
  createdAt: Instant,
}).meta({ id: "EnrollmentToken" });
export type EnrollmentToken = z.infer<typeof EnrollmentToken>;
/** The token is shown here once and never again; `line` is what a person pastes on the machine, with it in it. */
export const CreatedEnrollmentToken = EnrollmentToken.extend({ token: z.string(), line: z.string() });
export type CreatedEnrollmentToken = z.infer<typeof CreatedEnrollmentToken>;

/** What agents of a machine type run on. */
export const AgentRuntime = z.object({
  os: z.string(),
  arch: z.string(),
  /** Of the program, unpacked. */
  sha256: z.string(),
  size: z.number().int(),
  createdBy: z.string(),
  createdAt: Instant,
}).meta({ id: "AgentRuntime" });
export type AgentRuntime = z.infer<typeof AgentRuntime>;

export const Overview = z.object({
  counts: z.object({
    applications: z.number().int(),
    environments: z.number().int(),
    repositories: z.number().int(),
    agentsConnected: z.number().int(),
    agents: z.number().int(),
    deploymentsActive: z.number().int(),
    deploymentsWaiting: z.number().int(),
    failedDeliveries: z.number().int(),
  }),
  environments: z.array(z.object({ id: Id, name: z.string(), type: z.string() })),
  applications: z.array(z.object({ id: Id, name: z.string() })),
  /** One per application and environment, the worst of its targets. */
  grid: z.array(z.object({
    applicationId: Id,
    environmentId: Id,
    version: z.string().nullable(),
    health: z.string(),
    targets: z.number().int(),
  })),
  deployments: z.array(Deployment),
}).meta({ id: "Overview" });
export type Overview = z.infer<typeof Overview>;

export const Ready = z.object({
  ready: z.boolean(),
  database: z.object({ kind: z.enum(["embedded", "server"]), ok: z.boolean(), detail: z.string() }),
  redis: z.object({ inUse: z.boolean(), ok: z.boolean(), detail: z.string() }),
  scheduler: z.object({ running: z.boolean(), lastSweepSecondsAgo: z.number().nullable() }),
  web: z.boolean(),
}).meta({ id: "Ready" });
