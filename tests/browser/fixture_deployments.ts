/** The company's deployments: every state that a page can show. */
import { reason } from "../../domain/reason.ts";
import type { ReasonCode } from "../../domain/reason.ts";
import type { DeploymentState } from "../../domain/deployment_state.ts";
import type { DeploymentWithTasks, Environment, Task, Version } from "../../protocol/http_api.ts";
import { agents } from "./fixture_agents.ts";
import { applications, environments, NAMES, newId, secondsAgo, versions } from "./fixture_data.ts";

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

const [staging, production, playground] = environments as [Environment, Environment, Environment];
const [, v150, v141, v140, v132] = versions as [Version, Version, Version, Version, Version];
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
