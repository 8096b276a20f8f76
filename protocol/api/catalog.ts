/** Repositories, applications, environments, versions, secrets. */
import { Difference, HEALTH, Resource } from "../observed.ts";
import { z } from "zod";
import { ApplicationConfig } from "../config/application.ts";
import { Concurrency, PolicyFreeze } from "../config/freeze.ts";
import { Duration, EnvironmentMap, Glob, HttpUrl, Name, RelativePath } from "../config/values.ts";
import { COMMIT_STATES, STATUS_DELIVERY_STATES } from "../../domain/commit_status.ts";
import { SECRET_VARIABLE, SHORTEST_SECRET } from "../../domain/secret_source.ts";
import { PullRequest } from "../webhooks/webhook.ts";
import { Id, Instant, MaybeInstant, Reason } from "./common.ts";

export const PROVIDERS = ["github", "gitlab", "gitea", "forgejo", "bitbucket", "generic"] as const;
export type Provider = (typeof PROVIDERS)[number];

const repositoryInput = {
  url: z.string().min(1).max(2048),
  provider: z.enum(PROVIDERS),
  branch: z.string().min(1).max(255),
  tagPattern: z.string().max(255).nullable(),
  configPaths: z.array(Glob).min(1).max(50),
  /** Write-only, at least 16 characters. */
  webhookSecret: z.string().min(16).max(500),
  /** Write-only: `user:password`, a token, or an OpenSSH private key. */
  credential: z.string().max(20_000).nullable(),
  /** Write-only: for the provider's API, where plans of pull requests and statuses of commits are told. Of plans the credential does it when there is none. */
  statusToken: z.string().min(1).max(2000).nullable(),
  /** Address of the provider's API, where it is not what the repository's host suggests. */
  apiUrl: HttpUrl.nullable(),
  /** What a new Application document becomes: an application, or the proposal of one that a person approves. */
  discovery: z.enum(["create", "propose"]),
  pollSeconds: z.int().min(0).max(86_400),
};
export const CreateRepository = z.strictObject({
  ...repositoryInput,
  branch: repositoryInput.branch.default("main"),
  tagPattern: repositoryInput.tagPattern.default(null),
  configPaths: repositoryInput.configPaths.default(["boreas.yaml"]),
  credential: repositoryInput.credential.default(null),
  statusToken: repositoryInput.statusToken.default(null),
  apiUrl: repositoryInput.apiUrl.default(null),
  discovery: repositoryInput.discovery.default("create"),
  /** 0 turns polling off; webhooks alone then. */
  pollSeconds: repositoryInput.pollSeconds.default(300),
});
export const UpdateRepository = z.strictObject(repositoryInput).partial();
export const Repository = z.object({
  id: Id,
  url: z.string(),
  provider: z.enum(PROVIDERS),
  branch: z.string(),
  tagPattern: z.string().nullable(),
  configPaths: z.array(z.string()),
  pollSeconds: z.number().int(),
  hasCredential: z.boolean(),
  hasStatusToken: z.boolean().default(false),
  apiUrl: z.string().nullable().default(null),
  discovery: z.enum(["create", "propose"]).default("create"),
  /** Where the provider must send its hooks. */
  webhookPath: z.string(),
  reason: Reason,
  lastSyncedAt: MaybeInstant,
  createdAt: Instant,
  updatedAt: Instant,
}).meta({ id: "Repository" });
export type Repository = z.infer<typeof Repository>;

export const DELIVERY_STATES = ["received", "processing", "processed", "ignored", "failed"] as const;
export const Delivery = z.object({
  id: Id,
  repositoryId: Id,
  deliveryKey: z.string(),
  source: z.enum(["webhook", "poll", "sync", "redeliver"]),
  event: z.string(),
  ref: z.string().nullable(),
  commit: z.string().nullable(),
  /** The pull request that it speaks of; its plan is told there. */
  pull: PullRequest.nullable().default(null),
  status: z.enum(DELIVERY_STATES),
  reason: Reason,
  /** `file:line: what was expected`, one per mistake in boreas.yaml. */
  problems: z.array(z.object({ file: z.string(), line: z.number(), path: z.string(), message: z.string() })),
  versionId: Id.nullable(),
  attempts: z.number().int(),
  receivedAt: Instant,
  processedAt: MaybeInstant,
}).meta({ id: "Delivery" });
export type Delivery = z.infer<typeof Delivery>;

/** What the provider shows beside a commit, and how far it has been told. */
export const CommitStatus = z.object({
  id: Id,
  repositoryId: Id,
  commit: z.string(),
  /** `boreas` of the commit's plan, `boreas/prod` of what became of it there. */
  context: z.string(),
  state: z.enum(COMMIT_STATES),
  description: z.string(),
  status: z.enum(STATUS_DELIVERY_STATES),
  reason: Reason,
  attempts: z.int(),
  createdAt: Instant,
  /** When it last came to say something else. */
  changedAt: Instant,
  sentAt: MaybeInstant,
}).meta({ id: "CommitStatus" });
export type CommitStatus = z.infer<typeof CommitStatus>;

export const CreateApplication = z.strictObject({
  name: Name,
  description: z.string().max(2000).default(""),
  /** Address of its repository; it need not be registered. */
  repository: z.string().max(2048).nullable().default(null),
  type: z.enum(["microservice", "monolith"]).default("microservice"),
  config: ApplicationConfig.default({}),
});
export const UpdateApplication = z.strictObject({
  description: z.string().max(2000),
  type: z.enum(["microservice", "monolith"]),
  config: ApplicationConfig,
}).partial();
/** Whose files may say what runs under its name from now on. */
export const HandOver = z.strictObject({ repositoryId: Id }).meta({ id: "HandOver" });
export type HandOver = z.infer<typeof HandOver>;
export const Application = z.object({
  id: Id,
  name: z.string(),
  description: z.string(),
  repository: z.string().nullable(),
  repositoryId: Id.nullable(),
  type: z.enum(["microservice", "monolith"]),
  config: z.record(z.string(), z.unknown()),
  environments: z.array(z.object({ id: Id, name: z.string() })),
  /** Found in a repository that only proposes: deployed by nothing until a person approves it. */
  proposal: z.enum(["proposed", "dismissed"]).nullable().default(null),
  /** Since when its repository declares it no more. What runs of it runs on. */
  archivedAt: MaybeInstant.default(null),
  /** Targets that it runs on. */
  running: z.number().int().default(0),
  createdAt: Instant,
  updatedAt: Instant,
}).meta({ id: "Application" });
export type Application = z.infer<typeof Application>;
export const BindEnvironment = z.strictObject({ config: ApplicationConfig.default({}) });
export const Binding = z.object({
  environmentId: Id,
  environment: z.string(),
  config: z.record(z.string(), z.unknown()),
  /** A person removed the application from there then: nothing deploys it there until a person names it. */
  removedAt: MaybeInstant.default(null),
}).meta({ id: "Binding" });
export type Binding = z.infer<typeof Binding>;
/** One line of an application's history: a deployment of it and how its part ended. */
export const HistoryItem = z.object({
  deploymentId: Id,
  taskId: Id,
  versionId: Id,
  version: z.string(),
  environment: z.string(),
  status: z.string(),
  reason: Reason,
  startedAt: MaybeInstant,
  completedAt: MaybeInstant,
}).meta({ id: "HistoryItem" });
export type HistoryItem = z.infer<typeof HistoryItem>;

export const ENVIRONMENT_TYPES = ["k8s", "pm", "mock"] as const;
export const Policy = z.strictObject({
  /** Globs; a version from another branch or tag is refused. */
  branches: z.array(z.string()).optional(),
  tags: z.array(z.string()).optional(),
  repositories: z.array(z.string()).optional(),
  approvals: z.strictObject({
    count: z.int().min(0).max(20),
    roles: z.array(z.string()).optional(),
    notAuthor: z.boolean().optional(),
    /** How long it waits for them; for ever when absent. */
    expires: Duration.optional(),
    onExpire: z.enum(["reject", "approve"]).optional(),
  }).optional(),
  /** Windows in which nothing starts here; a file may add to them. */
  freezes: z.array(PolicyFreeze).optional(),
  /** What becomes of deployments that meet here; of a Plan's and this the stricter counts. */
  concurrency: Concurrency.optional(),
  /** Who may give one deployment a strategy without approvals and gates of the application's own; without it admins alone. */
  strategyOverride: z.strictObject({ role: Name }).optional(),
  /** Most time a rollback may take here; 30 m unless told. */
  rollbackDeadline: Duration.optional(),
  /** Connected agents that must be there before a deployment starts. */
  agentsRequired: z.int().min(0).optional(),
});
export type Policy = z.infer<typeof Policy>;
export const EnvironmentConfig = z.strictObject({
  /** pm: which machines an application goes to, by agent name. */
  appToNodes: z.record(z.string(), z.array(z.string())).optional(),
  /**
   * pm: what is done when a machine is not there at its turn. `wait` (15 m unless told) and then fail; `skip`, after
   * `deadline` (30 s), and catch up when it is back; `fail` after `deadline` (30 s).
   */
  offline: z.strictObject({ action: z.enum(["wait", "skip", "fail"]), deadline: Duration.optional() }).optional(),
  /** mock: names of the machines that are played, so that a strategy over many can be rehearsed; without it there is one place. */
  targets: z.array(Name).min(1).max(200).optional(),
  /** What prometheus gates ask that name no server of their own: `https://prometheus.example.com`. */
  prometheus: z.strictObject({ server: HttpUrl }).optional(),
  /** Given to every application of this environment, below its own. */
  env: EnvironmentMap.optional(),
  operator: z.string().optional(),
  namespace: z.string().optional(),
  operatorApiUrl: z.unknown().refine(
    (value) => value === undefined,
    "is gone: operators dial the master, so no address is needed",
  ).optional(),
});
export const CreateEnvironment = z.strictObject({
  name: Name,
  type: z.enum(ENVIRONMENT_TYPES),
  region: z.string().max(100).default(""),
  config: EnvironmentConfig.default({}),
  policy: Policy.default({}),
  status: z.enum(["active", "inactive"]).default("active"),
});
export const UpdateEnvironment = z.strictObject({
  region: z.string().max(100),
  config: EnvironmentConfig,
  policy: Policy,
  status: z.enum(["active", "inactive"]),
}).partial();
export const Environment = z.object({
  id: Id,
  name: z.string(),
  type: z.enum(ENVIRONMENT_TYPES),
  region: z.string(),
  config: z.record(z.string(), z.unknown()),
  policy: z.record(z.string(), z.unknown()),
  status: z.enum(["active", "inactive"]),
  createdAt: Instant,
  updatedAt: Instant,
}).meta({ id: "Environment" });
export type Environment = z.infer<typeof Environment>;
/** What one application runs on one target of an environment. */
export const AppStateItem = z.object({
  applicationId: Id,
  application: z.string(),
  environmentId: Id,
  target: z.string(),
  versionId: Id.nullable(),
  version: z.string().nullable(),
  health: z.enum(HEALTH),
  sync: z.enum(["synced", "out_of_sync", "unknown"]),
  details: z.record(z.string(), z.unknown()),
  updatedAt: Instant,
  /** Its agent. While that is not connected, health and sync are `unknown`, and what follows is the last that was seen. */
  agent: z.object({ id: Id, name: z.string(), connected: z.boolean(), lastSeenAt: Instant.nullable() }).nullable(),
  lastHealth: z.enum(HEALTH),
  lastSync: z.enum(["synced", "out_of_sync", "unknown"]),
  /** When the agent last saw something new here; null before its first word after a deployment. */
  observedAt: Instant.nullable(),
  healthSince: Instant.nullable(),
  observedVersion: z.string().nullable(),
  resources: z.array(Resource),
  /** All that differs from the version; null when it cannot be compared. */
  differences: z.array(Difference).nullable(),
  /** Those of them that count. */
  drift: z.array(Difference),
  driftMode: z.enum(["report", "heal", "ignore"]),
  healing: z.object({ tries: z.array(z.number()), deploymentId: Id.nullable(), error: z.string().optional() })
    .nullable(),
}).meta({ id: "AppState" });
export type AppStateItem = z.infer<typeof AppStateItem>;

/** What CI built for one application. */
export const AppBuild = z.strictObject({
  /** `name@sha256:...`, or a tag that is looked up. */
  image: z.string().max(1000).optional(),
  artifact: z.union([
    z.string().max(2048),
    z.strictObject({
      name: Name.optional(),
      url: z.string().max(2048),
      sha256: z.union([z.string(), z.record(z.string(), z.string())]),
    }),
  ]).optional(),
  script: z.string().max(1024).optional(),
  env: EnvironmentMap.optional(),
  changed: z.boolean().default(true),
});
export type AppBuild = z.infer<typeof AppBuild>;
export const CreateVersion = z.strictObject({
  version: z.string().min(1).max(255).regex(/^[A-Za-z0-9][A-Za-z0-9._\/+-]*$/, "letters, digits and . _ / + - only"),
  gitTag: z.string().max(255).nullable().default(null),
  gitCommit: z.string().regex(/^[0-9a-f]{7,64}$/).nullable().default(null),
  /** Address of the repository; it need not be registered. */
  repository: z.string().max(2048).nullable().default(null),
  description: z.string().max(10_000).default(""),
  appBuilds: z.record(Name, AppBuild).default({}),
});
export const Version = z.object({
  id: Id,
  version: z.string(),
  gitTag: z.string().nullable(),
  gitCommit: z.string().nullable(),
  repository: z.string().nullable(),
  repositoryId: Id.nullable(),
  description: z.string(),
  status: z.enum(["normal", "revert"]),
  builds: z.enum(["waiting", "ready", "failed"]),
  reason: Reason,
  buildsReason: Reason,
  appBuilds: z.record(z.string(), z.unknown()),
  applications: z.array(
    z.object({ id: Id, name: z.string(), changed: z.boolean(), builds: z.enum(["waiting", "ready", "failed"]) }),
  ),
  createdBy: z.string(),
  createdAt: Instant,
}).meta({ id: "Version" });
export type Version = z.infer<typeof Version>;
export const VersionStatus = z.object({
  versionId: Id,
  deployments: z.array(z.object({ id: Id, environment: z.string(), status: z.string(), reason: Reason })),
  running: z.array(AppStateItem),
}).meta({ id: "VersionStatus" });
export type VersionStatus = z.infer<typeof VersionStatus>;
export const ReasonInput = z.strictObject({ reason: z.string().min(1).max(2000) });

export const Secret = z.object({
  id: Id,
  name: z.string(),
  environmentId: Id.nullable(),
  applicationId: Id.nullable(),
  /** Where the value is: here, or in the variable or file that `reference` names, on the master's machine. */
  provider: z.enum(["boreas", "env", "file"]),
  reference: z.string().nullable(),
  createdBy: z.string(),
  createdAt: Instant,
  updatedAt: Instant,
  /** The last new value, and who gave it; null while it is the first. */
  rotatedAt: Instant.nullable(),
  rotatedBy: z.string().nullable(),
}).meta({ id: "Secret" });
export type Secret = z.infer<typeof Secret>;
export const PutSecret = z.strictObject({
  name: z.string().regex(
    /^[A-Za-z_][A-Za-z0-9_]{0,127}$/,
    "1 to 128 letters, digits and underscores, not beginning with a digit",
  ),
  /** Write-only. At least 4 characters: a shorter one could not be masked in logs without ruining them. */
  value: z.string().min(SHORTEST_SECRET).max(65_536).optional(),
  /** Instead of a value: where the master finds it, anew at each dispatch. */
  from: z.union([
    z.strictObject({ env: z.string().regex(SECRET_VARIABLE, "a variable that begins with BOREAS_SECRET_VALUE_") }),
    z.strictObject({ file: RelativePath }),
  ]).optional(),
  environmentId: Id.nullable().default(null),
  applicationId: Id.nullable().default(null),
}).refine(({ value, from }) => (value === undefined) !== (from === undefined), {
  path: ["value"],
  message: "give either a value or from, where it is kept",
});
