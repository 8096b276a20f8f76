import { AppError } from "../../domain/app_error.ts";
import type { DeploymentState } from "../../domain/deployment_state.ts";
import { reason } from "../../domain/reason.ts";
import type { Reason } from "../../domain/reason.ts";
import type { RollbackScope } from "../../domain/strategy.ts";
import type { Tx } from "../database.ts";
import type { StrategyOverride } from "./waive_checks.ts";

export interface LockedDeployment {
  id: string;
  projectId: string;
  versionId: string;
  environmentId: string;
  status: DeploymentState;
  reason: Reason;
  applications: string[];
  mustInOrder: string[];
  strategy: Record<string, unknown> | null;
  planHash: string;
  approvalsNeeded: number;
  autoStart: boolean;
  onFailure: string;
  rollbackScope: RollbackScope;
  /** Who let it start in spite of a freeze, and until when that holds. */
  freezeOverride: FreezeOverride | null;
  /** Who let it pass over checks of its applications' own strategies. */
  strategyOverride: StrategyOverride | null;
  onlyTargets: string[] | null;
  reapply: boolean;
  removes: boolean;
  createdBy: string;
}

export interface FreezeOverride {
  by: string;
  reason: string;
  until: string;
  /** Those that were in force. */
  freezes?: string[];
}

/** Takes the row for this transaction: every verb on a deployment begins with it. */
export async function lockDeployment(tx: Tx, id: string, projectId: string): Promise<LockedDeployment> {
  const [row] = await tx<LockedDeployment[]>`
    select id, project_id, version_id, environment_id, status, reason, applications, must_in_order, strategy, plan_hash,
      approvals_needed, auto_start, on_failure, rollback_scope, freeze_override, strategy_override, only_targets, reapply, removes, created_by
    from deployment where id = ${id} and project_id = ${projectId} and retired_at is null for update`;
  if (!row) throw new AppError("not_found", "deployment.not_found", `There is no deployment ${id} in this project.`);
  return row;
}

/** null when enough people have approved the plan as it is now. */
export async function sayMissingApprovals(
  tx: Tx,
  row: Pick<LockedDeployment, "id" | "planHash" | "approvalsNeeded">,
): Promise<Reason | null> {
  if (row.approvalsNeeded === 0) return null;
  const [given] = await tx<{ n: number }[]>`
    select count(*)::int as n from approval where deployment_id = ${row.id} and plan_hash = ${row.planHash} and decision = 'approve'`;
  const missing = row.approvalsNeeded - given!.n;
  return missing > 0 ? reason("deployment.awaiting_approval", { missing, count: row.approvalsNeeded }) : null;
}

/** For a deployment that had ended and is to work again: one per application and environment, still. */
export async function takeLocksAgain(tx: Tx, row: LockedDeployment): Promise<void> {
  await tx`
    insert into deployment_lock (application_id, environment_id, deployment_id)
    select id, ${row.environmentId}, ${row.id} from application where project_id = ${row.projectId} and name = any(${row.applications}) order by id
    on conflict do nothing`;
  const [held] = await tx<
    { n: number }[]
  >`select count(*)::int as n from deployment_lock where deployment_id = ${row.id}`;
  if (held!.n >= row.applications.length) return;
  throw new AppError(
    "conflict",
    "deployment.busy",
    "Another deployment of the same applications is under way; wait for its end, or cancel it first.",
  );
}
