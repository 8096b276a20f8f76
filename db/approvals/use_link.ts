/** What stands behind a link, and its one use. The caller has checked the signature. */
import { AppError } from "../../domain/app_error.ts";
import type { Reason } from "../../domain/reason.ts";
import type { BaseRole } from "../../domain/roles.ts";
import { recordAudit } from "../audit/record_audit.ts";
import type { Actor, Database, Tx } from "../database.ts";
import { voteOnDeploymentIn } from "../deployments/approve_deployment.ts";
import type { DeploymentDeps } from "../deployments/load_plan.ts";
import { inTransaction } from "../retry.ts";
import { baseOfMember } from "../roles/read_roles.ts";
import type { Decision } from "./cast_vote.ts";
import type { ApprovalRequestRow } from "./read_request.ts";
import { voteOnTaskIn } from "./vote_on_task.ts";

export interface LinkRow {
  id: string;
  projectId: string;
  deploymentId: string;
  taskId: string | null;
  planHash: string;
  userId: string;
  username: string;
  role: string;
  base: BaseRole;
  version: string;
  commit: string | null;
  environment: string;
  applications: string[];
  removes: boolean;
  /** What the request says now. */
  reason: Reason;
  isUsed: boolean;
  isOver: boolean;
  /** The plan is not the one that it was made for any more. */
  isStale: boolean;
}

/** undefined where the person has left the project, or the deployment is gone. */
export async function readLink(sql: Database["sql"] | Tx, id: string): Promise<LinkRow | undefined> {
  const [row] = await sql<LinkRow[]>`
    select l.id, l.project_id, l.deployment_id, l.task_id, l.plan_hash, l.user_id, u.username, m.role, ${
    baseOfMember(sql)
  } as base, v.version, v.git_commit as commit, e.name as environment, d.applications, d.removes,
      coalesce(t.reason, d.reason) as reason, l.used_at is not null as is_used, l.expires_at <= boreas_now() as is_over,
      l.plan_hash <> case when l.task_id is null then d.plan_hash else d.plan_hash || ':' || l.task_id end as is_stale
    from approval_link l join app_user u on u.id = l.user_id join member m on m.user_id = u.id and m.project_id = l.project_id
    join deployment d on d.id = l.deployment_id and d.retired_at is null join version v on v.id = d.version_id
    join environment e on e.id = d.environment_id left join task t on t.id = l.task_id
    where l.id = ${id}`;
  return row;
}

export const WHY_DEAD = {
  unknown: "This link is not one of ours, or what it was for is gone.",
  used: "This link has been used; each works once.",
  over: "This link has expired; ask for another, or sign in.",
  stale: "The plan has changed since this link was made, so it counts no more.",
} as const;
export type DeadLink = keyof typeof WHY_DEAD;

/** Why a link does nothing (any more); undefined when it does. */
export function whyDead(link: LinkRow | undefined): DeadLink | undefined {
  if (!link) return "unknown";
  if (link.isUsed) return "used";
  if (link.isOver) return "over";
  return link.isStale ? "stale" : undefined;
}

const refuse = (why: DeadLink) => new AppError("conflict", "approval.link", WHY_DEAD[why]);

/**
 * Spends the link and casts the vote, in one transaction: both or neither.
 * @throws AppError conflict (`approval.link`) for a dead link, and what a vote throws
 */
export async function useLink(deps: DeploymentDeps, id: string, decision: Decision, note: string, ip: string | null) {
  await inTransaction(deps.db, async (tx) => {
    const link = await readLink(tx, id);
    const why = whyDead(link);
    if (!link || why) throw refuse(why ?? "unknown");
    // Of two at the same moment one waits here, and finds it spent.
    const spent =
      await tx`update approval_link set used_at = boreas_now() where id = ${id} and used_at is null returning id`;
    if (spent.length === 0) throw refuse("used");
    const { userId, username, role, base, projectId } = link;
    const actor: Actor = { userId, name: username, role, base, ip, projectId };
    const check = (request: ApprovalRequestRow) => {
      if (request.bound !== link.planHash) throw refuse("stale");
    };
    await recordAudit(deps.db, tx, actor, "approval.link_used", `deployment:${link.deploymentId}`, {
      link: id,
      decision,
    });
    if (link.taskId === null) await voteOnDeploymentIn(deps, tx, link.deploymentId, actor, decision, note, check);
    else await voteOnTaskIn(deps.db, tx, link.taskId, actor, decision, note, check);
  });
  deps.hints.announce("tasks");
  deps.hints.announce("events");
}
