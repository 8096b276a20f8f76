/** A request for approval as it stands: of a deployment, or of an `approve` step of its plan. */
import { boundHash, ruleOf, whyNoVote } from "../../domain/approval_rule.ts";
import type { ApprovalRule, Authors, Voter } from "../../domain/approval_rule.ts";
import type { ApproveInput } from "../../domain/strategy.ts";
import type { Fragment } from "../client.ts";
import type { Database, Tx } from "../database.ts";
import { baseOfMember } from "../roles/read_roles.ts";

export interface RequestRow {
  id: string;
  projectId: string;
  deploymentId: string;
  taskId: string | null;
  /** The step's name. */
  name: string | null;
  version: string;
  commit: string | null;
  environment: string;
  applications: string[];
  removes: boolean;
  createdBy: string;
  authorId: string | null;
  commitAuthor: string;
  commitEmail: string | null;
  planHash: string;
  /** Of a step: what the file asks. */
  approve: ApproveInput | null;
  /** Of the deployment: how many it was made to need. */
  needed: number;
  policy: ApproveInput | null;
  since: string;
  /** Of a step: its deployment stands still meanwhile. */
  isHeld: boolean;
  secondsWaited: number;
}
export interface ApprovalRequestRow extends RequestRow {
  rule: ApprovalRule;
  authors: Authors;
  /** What votes are bound to. */
  bound: string;
}

/** The deployment's own. @param where of `d`, which is the deployment */
export const selectDeploymentRequests = (sql: Database["sql"] | Tx, where: Fragment): Fragment =>
  sql`
  select d.id, d.project_id, d.id as deployment_id, null::uuid as task_id, null::text as name, v.version, v.git_commit as commit,
    e.name as environment, d.applications, d.removes, d.created_by, d.author_id, v.created_by as commit_author,
    v.author_email as commit_email, d.plan_hash, null::jsonb as approve, d.approvals_needed as needed,
    e.policy -> 'approvals' as policy, coalesce(d.approvals_since, d.created_at) as since, false as is_held,
    extract(epoch from boreas_now() - coalesce(d.approvals_since, d.created_at))::float8 as seconds_waited
  from deployment d join version v on v.id = d.version_id join environment e on e.id = d.environment_id where ${where}`;

/** Steps of plans. @param where of `t`, which is the step, and `d` */
export const selectTaskRequests = (sql: Database["sql"] | Tx, where: Fragment): Fragment =>
  sql`
  select t.id, d.project_id, d.id as deployment_id, t.id as task_id, t.name, v.version, v.git_commit as commit,
    e.name as environment, array[coalesce(t.payload ->> 'application', t.name)] as applications, d.removes, d.created_by, d.author_id,
    v.created_by as commit_author, v.author_email as commit_email, d.plan_hash, t.payload -> 'approve' as approve, 0 as needed,
    e.policy -> 'approvals' as policy, t.state_since as since, not t.open as is_held,
    extract(epoch from boreas_now() - t.state_since)::float8 as seconds_waited
  from task t join deployment d on d.id = t.deployment_id join version v on v.id = d.version_id
  join environment e on e.id = d.environment_id where t.type = 'approval' and ${where}`;

export function completeRequest(row: RequestRow): ApprovalRequestRow {
  const policy = row.policy ?? {};
  const rule = row.taskId === null
    ? { ...ruleOf(policy), count: Math.max(row.needed, policy.count ?? 0) }
    : ruleOf(row.approve ?? {}, policy);
  return {
    ...row,
    rule,
    bound: boundHash(row.planHash, row.taskId),
    authors: {
      userId: row.authorId,
      createdBy: row.createdBy,
      commitAuthor: row.commitAuthor,
      commitEmail: row.commitEmail,
    },
  };
}

export async function readDeploymentRequest(tx: Tx, id: string): Promise<ApprovalRequestRow> {
  const [row] = await tx<RequestRow[]>`${selectDeploymentRequests(tx, tx`d.id = ${id}`)}`;
  return completeRequest(row!);
}

export async function readTaskRequest(tx: Tx, id: string): Promise<ApprovalRequestRow> {
  const [row] = await tx<RequestRow[]>`${selectTaskRequests(tx, tx`t.id = ${id}`)}`;
  return completeRequest(row!);
}

/** Who said yes to it as it is now. */
export async function readApprovers(tx: Tx, { deploymentId, bound }: ApprovalRequestRow): Promise<string[]> {
  const rows = await tx<{ actor: string }[]>`
    select actor from approval where deployment_id = ${deploymentId} and plan_hash = ${bound} and decision = 'approve' order by id`;
  return rows.map((row) => row.actor);
}

/** Of those who said yes to it as it is now, whom its rule means today: by the role they have, and whose work it is. */
export async function readStandingApprovers(tx: Tx, request: ApprovalRequestRow): Promise<string[]> {
  const { deploymentId, bound, rule, authors, projectId } = request;
  const voters = await tx<Voter[]>`
    select u.id as user_id, u.username, u.email, m.role, ${baseOfMember(tx)} as base
    from approval a join app_user u on u.id = a.user_id join member m on m.user_id = u.id and m.project_id = ${projectId}
    where a.deployment_id = ${deploymentId} and a.plan_hash = ${bound} and a.decision = 'approve' order by a.id`;
  return voters.filter((voter) => whyNoVote(rule, voter, authors) === undefined).map((voter) => voter.username);
}
