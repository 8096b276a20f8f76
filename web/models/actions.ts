/** Which acts a page offers: by state, because others would be refused, and by role. The API decides; this only shows. */
import type { DeploymentState } from "../../domain/deployment_state.ts";
import type { Deployment, Role, Task } from "../../protocol/http_api.ts";
import { isAsking } from "./questions.ts";

export const CAPABILITIES = {
  /** Versions and deployments with every act on them, applications, cordoning agents, syncing repositories. */
  deploy: ["deployer", "admin"],
  /** Repositories, environments, enrolling and revoking agents. */
  manage: ["admin"],
} as const satisfies Record<string, readonly Role[]>;
export type Capability = keyof typeof CAPABILITIES;

export const can = (role: Role | undefined, capability: Capability): boolean =>
  role !== undefined && (CAPABILITIES[capability] as readonly Role[]).includes(role);

export const DEPLOYMENT_ACTIONS = [
  "start",
  "approve",
  "reject",
  "resume",
  "retry",
  "pause",
  "rollback",
  "cancel",
] as const;
export type DeploymentAction = (typeof DEPLOYMENT_ACTIONS)[number];

/** In the order of the buttons: what moves the deployment on comes first, what ends it last. */
const OFFERED: Record<DeploymentState, readonly DeploymentAction[]> = {
  pending: ["start", "cancel"],
  awaiting_approval: ["approve", "reject", "cancel"],
  running: ["pause", "rollback", "cancel"],
  paused: ["resume", "retry", "rollback", "cancel"],
  cancelling: [],
  rolling_back: [],
  completed: ["rollback"],
  failed: ["retry", "rollback"],
  cancelled: ["rollback"],
  rolled_back: [],
  rollback_failed: ["rollback"],
  superseded: [],
};

export function deploymentActions(
  deployment: Pick<Deployment, "status" | "progress" | "reason">,
  role: Role | undefined,
): readonly DeploymentAction[] {
  if (!can(role, "deploy")) return [];
  const hasFailure = (deployment.progress.failed ?? 0) > 0;
  const asks = isAsking(deployment); // each task that failed is decided about then
  return OFFERED[deployment.status].filter((action) =>
    action === "retry" ? hasFailure && !asks : action !== "resume" || !asks
  );
}

/** These take something away, so the dialog says so in red. */
export const isDangerous = (action: DeploymentAction): boolean => ["cancel", "rollback", "reject"].includes(action);

export type TaskAction = "retry" | "cancel";

/** A task is tried again only while its deployment waits for that. */
export function taskActions(
  task: Pick<Task, "status">,
  deployment: Pick<Deployment, "status">,
  role: Role | undefined,
): TaskAction[] {
  if (!can(role, "deploy")) return [];
  const waits = deployment.status === "failed" || deployment.status === "paused";
  if (waits && (task.status === "failed" || task.status === "cancelled")) return ["retry"];
  return task.status === "running" ? ["cancel"] : [];
}
