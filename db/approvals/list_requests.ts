/** Requests for approval that are open now, each with its votes and whether the one who asks may answer. */
import { boundHash, whyNoVote } from "../../domain/approval_rule.ts";
import type { Voter } from "../../domain/approval_rule.ts";
import type { ApprovalRequest, Vote } from "../../protocol/http_api.ts";
import type { Actor, Database } from "../database.ts";
import { readVoter } from "./cast_vote.ts";
import { completeRequest, selectDeploymentRequests, selectTaskRequests } from "./read_request.ts";
import type { ApprovalRequestRow, RequestRow } from "./read_request.ts";
import { expiryOf } from "./vote_on_task.ts";

/** More than a team can answer; who has more sees the newest. */
const MOST = 1000;

export interface RequestFilter {
  /** Also those that this person cannot answer, or has answered. */
  all?: boolean;
  deploymentId?: string;
}

/** Newest first. */
export async function listRequests(
  db: Database,
  actor: Actor,
  { all = false, deploymentId }: RequestFilter,
): Promise<ApprovalRequest[]> {
  const { sql } = db;
  const of = deploymentId === undefined ? sql`` : sql`and d.id = ${deploymentId}`;
  const rows = await sql<RequestRow[]>`
    select * from (
      (${
    selectDeploymentRequests(
      sql,
      sql`d.project_id = ${actor.projectId} and d.retired_at is null ${of}
        and (d.status = 'awaiting_approval' or d.status = 'pending' and d.approvals_needed > 0)`,
    )
  })
      union all
      (${
    selectTaskRequests(
      sql,
      sql`t.state = 'pending' and d.project_id = ${actor.projectId} and d.status in ('running', 'paused') ${of}`,
    )
  })
    ) r order by id desc limit ${MOST}`;
  const requests = rows.map(completeRequest);
  const votes = await readVotesOf(db, requests.map((one) => one.deploymentId));
  const voter = actor.userId === null ? undefined : await readVoter(sql, actor);
  const shown = requests.map((request) => show(request, votes, voter));
  return shown.filter((one) => one.missing > 0 && (all || one.mayVote));
}

type VoteRow = Omit<Vote, "counts"> & { deploymentId: string; taskId: string | null; planHash: string; userId: string };

async function readVotesOf(db: Database, deploymentIds: readonly string[]): Promise<VoteRow[]> {
  if (deploymentIds.length === 0) return [];
  return await db.sql<VoteRow[]>`
    select deployment_id, task_id, plan_hash, user_id, actor, decision, note, created_at as at from approval
    where deployment_id = any(${[...new Set(deploymentIds)]}::uuid[]) order by id`;
}

function show(request: ApprovalRequestRow, all: readonly VoteRow[], voter: Voter | undefined): ApprovalRequest {
  const { rule, bound, taskId, deploymentId } = request;
  const votes = all.filter((one) => one.deploymentId === deploymentId && one.taskId === taskId);
  const counting = votes.filter((one) => one.planHash === bound);
  const hasVoted = counting.some((one) => one.userId === voter?.userId);
  const why = !voter
    ? "Only a person can approve or reject."
    : hasVoted
    ? "You have already voted on this plan."
    : whyNoVote(rule, voter, request.authors)?.text ?? "";
  return {
    id: request.id,
    kind: taskId === null ? "deployment" : "task",
    deploymentId,
    taskId,
    name: request.name,
    version: request.version,
    commit: request.commit,
    environment: request.environment,
    applications: request.applications,
    removes: request.removes,
    createdBy: request.createdBy,
    count: rule.count,
    missing: rule.count - counting.filter((one) => one.decision === "approve").length,
    roles: [...rule.roles],
    notAuthor: rule.notAuthor,
    planHash: request.planHash,
    since: request.since,
    expiresAt: expiryOf(request),
    onExpire: rule.onExpire,
    votes: votes.map((one) => sayVote(one, bound)),
    mayVote: why === "",
    why,
  };
}

const sayVote = ({ actor, decision, note, at, planHash }: VoteRow, bound: string): Vote => ({
  actor,
  decision,
  note,
  at,
  counts: planHash === bound,
});

/** Of one step, oldest first; also when it has ended. */
export async function readTaskVotes(db: Database, taskId: string): Promise<Vote[]> {
  const rows = await db.sql<(VoteRow & { now: string })[]>`
    select p.deployment_id, p.task_id, p.plan_hash, p.user_id, p.actor, p.decision, p.note, p.created_at as at, d.plan_hash as now
    from approval p join deployment d on d.id = p.deployment_id
    where p.deployment_id = (select deployment_id from task where id = ${taskId}) and p.task_id = ${taskId} order by p.id`;
  return rows.map((one) => sayVote(one, boundHash(one.now, taskId)));
}
