/** Who may answer a request for approval, and how many must. Pure. */
import { parseDuration } from "./duration.ts";
import { reason } from "./reason.ts";
import type { Reason } from "./reason.ts";
import { baseOf, hasRole, rankOfBase } from "./roles.ts";
import type { RoleHolder } from "./roles.ts";
import type { ApproveInput } from "./strategy.ts";

export interface ApprovalRule {
  /** Different people who must say yes. */
  count: number;
  /** Any of them; empty: who may deploy. */
  roles: readonly string[];
  notAuthor: boolean;
  /** null: it waits for ever. */
  expiresSeconds: number | null;
  onExpire: "reject" | "approve";
}

/** @param floor what the environment asks of every approval in it: a file cannot loosen that */
export function ruleOf(asked: ApproveInput, floor: Pick<ApproveInput, "notAuthor"> = {}): ApprovalRule {
  return {
    count: asked.count ?? 1,
    roles: asked.roles ?? [],
    notAuthor: (asked.notAuthor ?? false) || (floor.notAuthor ?? false),
    expiresSeconds: asked.expires === undefined ? null : parseDuration(asked.expires)!,
    onExpire: asked.onExpire ?? "reject",
  };
}

export interface Voter extends RoleHolder {
  userId: string;
  username: string;
  email: string | null;
}
/** Whose work it is: who made the deployment, and who wrote what it brings, where that is known. */
export interface Authors {
  userId: string | null;
  createdBy: string;
  commitAuthor: string;
  commitEmail: string | null;
}

/** @returns why this person's word does not count; undefined when it does */
export function whyNoVote(
  rule: ApprovalRule,
  voter: Voter,
  authors: Authors,
): { code: "approval.own" | "approval.role"; text: string } | undefined {
  if (rule.notAuthor && isAuthor(voter, authors)) {
    const text = "The one who made a deployment, or wrote its commit, does not approve it here; ask somebody else.";
    return { code: "approval.own", text };
  }
  const may = rule.roles.length > 0 ? hasRole(voter, rule.roles) : rankOfBase(baseOf(voter)) >= rankOfBase("deployer");
  if (may) return undefined;
  return { code: "approval.role", text: `This is answered by ${sayRoles(rule)}; your role is ${voter.role}.` };
}

const same = (one: string | null, other: string | null) =>
  one !== null && other !== null && one !== "" && one.toLowerCase() === other.toLowerCase();

function isAuthor(voter: Voter, authors: Authors): boolean {
  const made = authors.userId === null ? same(voter.username, authors.createdBy) : voter.userId === authors.userId;
  return made || same(voter.username, authors.commitAuthor) || same(voter.email, authors.commitEmail);
}

export const sayRoles = ({ roles }: Pick<ApprovalRule, "roles">): string =>
  roles.length === 0 ? "who may deploy" : roles.join(" or ");
/** What a step says when it begins to ask. */
export const sayAsked = (rule: ApprovalRule): Reason =>
  reason("task.approval_given", { missing: rule.count, count: rule.count, roles: sayRoles(rule) });
/** A vote is for a plan: its hash, which the version and so the commit is part of, and for a step that step alone. */
export const boundHash = (planHash: string, taskId: string | null): string =>
  taskId === null ? planHash : `${planHash}:${taskId}`;
