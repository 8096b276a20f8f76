/** A small company's deployments, for the dashboard's own browser tests: every state that a page can show. */
import { reason } from "../../domain/reason.ts";
import type { ReasonCode } from "../../domain/reason.ts";
import type { DeploymentState } from "../../domain/deployment_state.ts";
import type {
  Agent,
  Application,
  CommitStatus,
  Delivery,
  DeploymentWithTasks,
  Environment,
  Repository,
  Task,
  Upgrade,
  Version,
} from "../../protocol/http_api.ts";

let lastId = 0;
export const newId = (): string => `0198c000-0000-7000-8000-${(++lastId).toString(16).padStart(12, "0")}`;
export const secondsAgo = (seconds: number): string => new Date(Date.now() - seconds * 1000).toISOString();
const no = reason("repository.new");

const REPOSITORY = "https://git.example.com/acme/shop.git";
const NAMES = ["user-service", "order-service", "payment-service", "catalog-web", "mail-worker"];

export const environments: Environment[] = ([
  ["staging", "pm", "eu-central", {}],
  ["production", "pm", "eu-central", { branches: ["main"], approvals: { count: 2 }, agentsRequired: 3 }],
  ["playground", "mock", "", {}],
] as const).map(([name, type, region, policy]) => ({
  id: newId(),
  name,
  type,
  region,
  config: {},
  policy,
  status: "active",
  createdAt: secondsAgo(40 * 86_400),
  updatedAt: secondsAgo(86_400),
}));
const [staging, production, playground] = environments as [Environment, Environment, Environment];

export const applications: Application[] = NAMES.map((name) => ({
  id: newId(),
  name,
  description: { "user-service": "Accounts and sessions", "order-service": "Carts and orders" }[name] ?? "",
  repository: REPOSITORY,
  repositoryId: null,
  type: "microservice",
  config: { runtime: { binary: { exec: [`bin/${name}`, "--port", "${port.http}"], ports: { http: "auto" } } } },
  environments: [staging, production].map(({ id, name }) => ({ id, name })),
  proposal: null,
  archivedAt: null,
  running: 0,
  createdAt: secondsAgo(30 * 86_400),
  updatedAt: secondsAgo(7200),
}));

function version(name: string, age: number, more: Partial<Version> = {}): Version {
  return {
    id: newId(),
    version: name,
    gitTag: name.startsWith("v") ? name : null,
    gitCommit: "4f2a9c1d7e8b60315a4cfe29b7d8a01c3e5f7a92",
    repository: REPOSITORY,
    repositoryId: null,
    description: "Checkout keeps the cart when the session is renewed",
    status: "normal",
    builds: "ready",
    reason: reason("version.normal", { ref: name }),
    buildsReason: reason("version.builds_ready"),
    appBuilds: {},
    applications: applications.map((app, at) => ({
      id: app.id,
      name: app.name,
      changed: at < 4,
      builds: "ready" as const,
    })),
    createdBy: "webhook",
    createdAt: secondsAgo(age),
    ...more,
  };
}
export const versions: Version[] = [
  version("main-8c1f20aa93d4", 95, {
    builds: "waiting",
    buildsReason: reason("version.builds_waiting", {
      what: "order:main-8c1f20 in the registry",
      checked: "12 s",
      until: "10:30",
    }),
  }),
  version("v1.5.0", 400),
  version("v1.4.1", 5400, {
    status: "revert",
    reason: reason("version.reverted_by_rollback", {
      task: "order-service",
      detail: "its health check did not pass within 60 s.",
    }),
  }),
  version("v1.4.0", 90_000, { description: "Orders can be split" }),
  version("v1.3.2", 400_000, { description: "Fix rounding of VAT" }),
];
const [, v150, v141, v140, v132] = versions as [Version, Version, Version, Version, Version];

const MACHINE_POLICY = { modes: ["docker", "binary"], registries: ["reg.example.com"], maxSlots: 4 };
export const agents: Agent[] = ["m1.eu", "m2.eu", "m3.eu", "build-7"].map((name, at) => ({
  id: newId(),
  name,
  kind: "agent",
  status: at === 3 ? "disconnected" : "connected",
  reason: reason(at === 3 ? "agent.disconnected" : "agent.connected"),
  embedded: false,
  labels: { role: at < 2 ? "order" : "web", rack: `b${at + 1}` },
  environments: [staging, production].map(({ id, name }) => ({ id, name })),
  facts: {
    os: "linux",
    arch: "amd64",
    cpus: 8,
    memoryBytes: 16 * 2 ** 30,
    installed: true,
    ...(at === 0 ? { policy: MACHINE_POLICY } : {}),
  },
  versions: { boreas: "0.1.0" },
  slots: 4,
  busySlots: [2, 0, 1, 0][at]!,
  cordoned: at === 2,
  awaitsApproval: at === 3,
  drain: at === 2 ? { startedAt: secondsAgo(40), drainedAt: null } : null,
  keys: { since: secondsAgo(20 * 86_400), isRenewalWanted: false },
  lastSeenAt: secondsAgo(at === 3 ? 5000 : 3),
  createdAt: secondsAgo(20 * 86_400),
}));

/** One machine is back with the new version, the next one is at it. */
export const upgrades: Upgrade[] = [{
  id: newId(),
  version: "0.2.0",
  downgrade: false,
  batch: 5,
  status: "running",
  reason: reason("upgrade.running", { actor: "admin", batch: 5 }),
  agents: agents.slice(0, 3).map(({ id, name }, at) => ({
    agentId: id,
    name,
    state: (["succeeded", "asked", "waiting"] as const)[at]!,
    reason: [
      reason("upgrade.succeeded", { version: "0.2.0" }),
      reason("upgrade.progress", { detail: "Fetching 0.2.0." }),
      reason("upgrade.waiting"),
    ][at]!,
    fromVersion: "0.1.0",
    askedAt: at < 2 ? secondsAgo(30) : null,
    updatedAt: secondsAgo(5),
  })),
  createdBy: "admin",
  createdAt: secondsAgo(60),
  completedAt: null,
}];

export interface TaskInput {
  name: string;
  state: Task["status"] | "blocked";
  after?: string[];
  type?: Task["type"];
  parts?: TaskInput[];
  detail?: string;
  seconds?: number;
  result?: Record<string, unknown>;
  attempt?: number;
}

/** Tasks from a short description; `after` names tasks of the same list. */
export function makeTasks(
  deploymentId: string,
  inputs: TaskInput[],
  parentId: string | null = null,
  appId?: string,
): Task[] {
  const made = new Map<string, Task>();
  return inputs.flatMap((input) => {
    const { name, state, after = [], type = parentId ? "apply" : "deploy", seconds = 14 } = input;
    const isOver = !["pending", "blocked", "running", "cancelling"].includes(state);
    const hasBegun = !["pending", "blocked", "skipped"].includes(state);
    const before = after.map((one) => made.get(one)!);
    const agent = agents[made.size % 3]!;
    const why: Record<string, ReasonCode> = {
      blocked: "task.waiting_for_dependencies",
      pending: "task.waiting_for_start",
      running: input.parts ? "task.children_running" : "task.running",
      success: "task.succeeded",
      failed: "task.failed",
      skipped: "task.skipped_dependency",
      cancelling: "task.cancelling",
      cancelled: "task.cancelled",
    };
    const task: Task = {
      id: newId(),
      deploymentId,
      parentId,
      appId: appId ?? applications.find((app) => app.name === name)?.id ?? null,
      name,
      type,
      step: state === "blocked" ? "blocked" : isOver ? "completed" : state === "pending" ? "pending" : "running",
      status: state === "blocked" ? "pending" : state,
      dependencies: before.map((one) => one.id),
      payload: {},
      result: input.result ?? null,
      attempt: hasBegun && !input.parts ? input.attempt ?? 1 : 0,
      fence: 1,
      agentId: hasBegun && !input.parts ? agent.id : null,
      agent: hasBegun && !input.parts ? agent.name : null,
      leaseExpiresAt: null,
      reason: reason(why[state]!, {
        names: after.join(", "),
        agent: agent.name,
        attempt: input.attempt ?? 1,
        detail: input.detail ?? "Healthy on port 41873 for 10 s.",
        name: after[0] ?? "",
        outcome: "failed",
        done: input.parts?.filter((p) => p.state === "success").length ?? 0,
        count: input.parts?.length ?? 0,
      }),
      blockedBy: state === "blocked"
        ? before.map((one) => ({
          id: one.id,
          name: one.name,
          status: one.status,
          since: one.startedAt ?? one.createdAt,
        }))
        : [],
      createdAt: secondsAgo(300),
      updatedAt: secondsAgo(200),
      startedAt: hasBegun ? secondsAgo(120) : null,
      completedAt: isOver ? secondsAgo(120 - seconds) : null,
    };
    made.set(name, task);
    return [task, ...(input.parts ? makeTasks(deploymentId, input.parts, task.id, task.appId ?? undefined) : [])];
  });
}

interface DeploymentInput {
  of: Version;
  to: Environment;
  status: DeploymentState;
  why: [ReasonCode, Record<string, string | number>?];
  age: number;
  tasks: TaskInput[];
  more?: Partial<DeploymentWithTasks>;
}

function deployment({ of, to, status, why, age, tasks, more }: DeploymentInput): DeploymentWithTasks {
  const id = newId();
  const made = makeTasks(id, tasks);
  const tops = made.filter((task) => task.parentId === null && task.type !== "rollback");
  const isOver = ["completed", "failed", "cancelled", "rolled_back", "superseded"].includes(status);
  const hasBegun = !["pending", "awaiting_approval", "superseded"].includes(status);
  return {
    id,
    versionId: of.id,
    version: of.version,
    environmentId: to.id,
    environment: to.name,
    status,
    reason: reason(...why),
    mustInOrder: NAMES.slice(0, 3),
    applications: tops.map((task) => task.name),
    strategy: null,
    manualApproval: false,
    removes: false,
    approvals: { count: 0, given: [] },
    createdBy: "maria",
    errorMessage: null,
    createdAt: secondsAgo(age),
    updatedAt: secondsAgo(Math.min(age, 100)),
    startedAt: hasBegun ? secondsAgo(age - 4) : null,
    completedAt: isOver ? secondsAgo(age - 66) : null,
    progress: Object.fromEntries(
      Map.groupBy(tops, (task) => task.status).entries().map(([state, list]) => [state, list.length]),
    ),
    tasks: made,
    ...more,
  };
}

const [user, order, payment, catalog, mail] = NAMES as [string, string, string, string, string];
const chain = (states: TaskInput["state"][]): TaskInput[] => [
  { name: user, state: states[0]! },
  { name: order, state: states[1]!, after: [user] },
  { name: payment, state: states[2]!, after: [order] },
];
const FAILED = "its health check did not pass within 60 s.";

export const deployments: Record<string, DeploymentWithTasks> = {
  running: deployment({
    of: v150,
    to: staging,
    status: "running",
    why: ["deployment.started", { actor: "maria" }],
    age: 124,
    tasks: [
      ...chain(["success", "running", "blocked"]),
      {
        name: catalog,
        state: "running",
        after: [user],
        parts: [
          { name: "migrate", state: "success", type: "hook", seconds: 3 },
          { name: "m1.eu", state: "success", after: ["migrate"] },
          { name: "m2.eu", state: "success", after: ["migrate"] },
          { name: "wait 30 s", state: "success", type: "pause", after: ["m1.eu", "m2.eu"] },
          { name: "m3.eu", state: "running", after: ["wait 30 s"] },
          { name: "m4.eu", state: "blocked", after: ["wait 30 s"] },
        ],
      },
      { name: mail, state: "success", seconds: 8 },
    ],
  }),
  pending: deployment({
    of: v150,
    to: production,
    status: "awaiting_approval",
    why: ["deployment.awaiting_approval", { missing: 1, count: 2 }],
    age: 300,
    tasks: [...chain(["pending", "blocked", "blocked"]), { name: catalog, state: "pending" }],
    more: { manualApproval: true, approvals: { count: 2, given: [{ actor: "ben", at: secondsAgo(50) }] } },
  }),
  rolledBack: deployment({
    of: v141,
    to: staging,
    status: "rolled_back",
    why: ["deployment.rolled_back", { detail: "all applications run v1.4.0 again." }],
    age: 5300,
    tasks: [
      { name: user, state: "success" },
      {
        name: order,
        state: "failed",
        after: [user],
        detail: FAILED,
        seconds: 61,
        attempt: 2,
        result: {
          message: FAILED,
          lastLines: [
            "listening on 41990",
            "GET /healthz 500 3ms",
            "ERROR cannot connect to orders database: connection refused (10.0.4.12:5432)",
            "GET /healthz 500 2ms",
            "\u001b[31mfatal: giving up\u001b[0m",
          ],
        },
      },
      { name: payment, state: "skipped", after: [order] },
      { name: order, state: "success", type: "rollback", detail: "Back on v1.4.0.", seconds: 9 },
      { name: user, state: "success", type: "rollback", after: [order], detail: "Back on v1.4.0.", seconds: 7 },
    ],
  }),
  completed: deployment({
    of: v140,
    to: production,
    status: "completed",
    why: ["deployment.completed", { count: 5, version: "v1.4.0" }],
    age: 86_000,
    tasks: [...chain(["success", "success", "success"]), { name: catalog, state: "success" }, {
      name: mail,
      state: "success",
    }],
  }),
  cancelled: deployment({
    of: v140,
    to: playground,
    status: "cancelled",
    why: ["deployment.cancelled", { actor: "ben" }],
    age: 87_000,
    tasks: chain(["success", "cancelled", "skipped"]),
  }),
  failed: deployment({
    of: v132,
    to: production,
    status: "failed",
    why: ["deployment.failed", { task: payment, detail: "the artifact's sha256 is not the declared one." }],
    age: 401_000,
    tasks: chain(["success", "success", "failed"]),
  }),
};

export const repositories: Repository[] = [{
  id: newId(),
  url: REPOSITORY,
  provider: "gitea",
  branch: "main",
  tagPattern: "v*",
  configPaths: ["boreas.yaml", "services/*/boreas.yaml"],
  pollSeconds: 300,
  hasCredential: true,
  hasStatusToken: false,
  apiUrl: null,
  discovery: "create",
  webhookPath: "/webhook/gitea/0198c000",
  reason: reason("repository.ok", { ref: "main at 8c1f20aa93" }),
  lastSyncedAt: secondsAgo(95),
  createdAt: secondsAgo(30 * 86_400),
  updatedAt: secondsAgo(95),
}];

const delivery = (age: number, status: Delivery["status"], more: Partial<Delivery>): Delivery => ({
  id: newId(),
  repositoryId: repositories[0]!.id,
  deliveryKey: `d-${age}`,
  source: "webhook",
  event: "push",
  ref: "refs/heads/main",
  pull: null,
  commit: "8c1f20aa93d40b1e5c2f7a6d9e3b4c5d6e7f8a90",
  status,
  reason: no,
  problems: [],
  versionId: null,
  attempts: 1,
  receivedAt: secondsAgo(age),
  processedAt: secondsAgo(age - 1),
  ...more,
});
export const commitStatuses: CommitStatus[] = [{
  ...{ id: newId(), repositoryId: repositories[0]!.id, commit: "8c1f20aa93d40b1e5c2f7a6d9e3b4c5d6e7f8a90" },
  ...{ context: "boreas/prod", state: "failure", description: "v1.4.2 was rolled back.", status: "sent", attempts: 1 },
  reason: reason("notification.sent", { destination: "api.github.com" }),
  ...{ createdAt: secondsAgo(95), changedAt: secondsAgo(60), sentAt: secondsAgo(59) },
}];
export const deliveries: Delivery[] = [
  delivery(95, "processed", {
    versionId: versions[0]!.id,
    reason: reason("delivery.processed", { version: versions[0]!.version }),
  }),
  delivery(1200, "failed", {
    reason: reason("delivery.failed", { detail: "boreas.yaml has 2 mistakes." }),
    problems: [
      { file: "boreas.yaml", line: 14, path: "runtime.binary.exce", message: "unknown key; did you mean exec?" },
      {
        file: "services/mail/boreas.yaml",
        line: 3,
        path: "needs.0",
        message: "mail-worker needs smtp-relay, which no file defines",
      },
    ],
  }),
  delivery(5400, "processed", {
    source: "poll",
    ref: "refs/tags/v1.4.1",
    reason: reason("delivery.processed", { version: "v1.4.1" }),
  }),
  delivery(9000, "ignored", {
    ref: "refs/heads/feature/x",
    reason: reason("delivery.ignored", { detail: "Branch feature/x is not followed." }),
  }),
];
