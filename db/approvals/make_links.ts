/**
 * Links by which one person answers one request once, from a chat or a letter, without signing in.
 *
 *   link = publicUrl/approve?link=<id>.<signature>
 *   made (a row, bound to person, request and plan) --GET--> a page that asks; nothing happens, because chats fetch links
 *                                                  --POST--> spent, and the answer counts as that person's
 *
 * The row says what may be answered and until when; the signature says that the link is ours. Who has the link may
 * answer in that person's name: it belongs into their own letter or direct message, never into a room.
 */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { Buffer } from "node:buffer";
import { AppError } from "../../domain/app_error.ts";
import { whyNoVote } from "../../domain/approval_rule.ts";
import { recordAudit } from "../audit/record_audit.ts";
import type { Actor, Database, Tx } from "../database.ts";
import { baseOfMember } from "../roles/read_roles.ts";
import { readDeploymentRequest, readTaskRequest } from "./read_request.ts";
import type { ApprovalRequestRow } from "./read_request.ts";
import { baseOf } from "../../domain/roles.ts";
import type { BaseRole } from "../../domain/roles.ts";

export interface LinkDeps {
  db: Database;
  /** Without a trailing slash. */
  publicUrl: string;
  /** 32 bytes of the installation (`blobTicketKey`); links are signed with a key that is derived from it. */
  key: Uint8Array;
}
export interface LinkedRequest {
  deploymentId: string;
  /** An `approve` step; without it the deployment's own approval. */
  taskId?: string | null;
  /** Absent: everybody who may answer it. */
  for?: { userIds?: readonly string[]; usernames?: readonly string[] };
}
export interface MadeLink {
  id: string;
  userId: string;
  username: string;
  email: string | null;
  url: string;
  expiresAt: string;
}

/**
 * One link for each person, for those who may answer as it stands.
 * @param actor who asks for them: written into the audit
 * @throws AppError when the request is over, or a person who was named may not answer it
 */
export async function makeApprovalLinks(
  deps: LinkDeps,
  wanted: LinkedRequest,
  expiresInSeconds: number,
  actor: Actor,
): Promise<MadeLink[]> {
  const { db } = deps;
  return await db.sql.begin(async (tx) => {
    const request = await readOpenRequest(tx, wanted, actor.projectId);
    const people = await readPeople(tx, actor, wanted.for);
    const links: MadeLink[] = [];
    for (const person of people) {
      const why = whyNoVote(request.rule, person, request.authors);
      if (why && wanted.for) throw new AppError("forbidden", why.code, `${person.username}: ${why.text}`);
      if (why) continue;
      const id = db.newId();
      const grant = signGrant(deps.key, id);
      const [row] = await tx<{ expiresAt: string }[]>`
        insert into approval_link (id, project_id, deployment_id, task_id, user_id, plan_hash, hash, expires_at, created_by)
        values (${id}, ${request.projectId}, ${request.deploymentId}, ${request.taskId}, ${person.userId}, ${request.bound},
          ${
        createHash("sha256").update(grant).digest()
      }, boreas_now() + make_interval(secs => ${expiresInSeconds}), ${actor.name})
        returning expires_at`;
      const { userId, username, email } = person;
      links.push({
        id,
        userId,
        username,
        email,
        url: `${deps.publicUrl}/approve?link=${grant}`,
        expiresAt: row!.expiresAt,
      });
      await recordAudit(db, tx, actor, "approval.link", `deployment:${request.deploymentId}`, {
        for: username,
        taskId: request.taskId,
        planHash: request.planHash,
      });
    }
    return links;
  });
}

async function readOpenRequest(
  tx: Tx,
  { deploymentId, taskId = null }: LinkedRequest,
  projectId: string,
): Promise<ApprovalRequestRow> {
  const [open] = taskId === null
    ? await tx`select 1 from deployment where id = ${deploymentId} and project_id = ${projectId} and retired_at is null
        and (status = 'awaiting_approval' or status = 'pending' and approvals_needed > 0)`
    : await tx`select 1 from task where id = ${taskId} and deployment_id = ${deploymentId} and project_id = ${projectId}
        and type = 'approval' and state = 'pending'`;
  if (!open) throw new AppError("conflict", "approval.not_waiting", "Nothing of this waits for an approval now.");
  return taskId === null ? await readDeploymentRequest(tx, deploymentId) : await readTaskRequest(tx, taskId);
}

interface Person {
  userId: string;
  username: string;
  email: string | null;
  role: string;
  base: BaseRole;
}

async function readPeople(
  tx: Tx,
  { projectId, userId, role, base }: Actor,
  named: LinkedRequest["for"],
): Promise<Person[]> {
  const people = await tx<Person[]>`
    select u.id as user_id, u.username, u.email, m.role, ${baseOfMember(tx)} as base
    from member m join app_user u on u.id = m.user_id where m.project_id = ${projectId}
      and (${named === undefined} or u.id = any(${[...named?.userIds ?? []]}::uuid[])
        or u.username = any(${[...named?.usernames ?? []]})) order by u.username`;
  if (named && people.length === 0) throw new AppError("not_found", "user.unknown", "There is no such user.");
  // For oneself it is worth what one asks with: a token that may only read gets no link that may approve.
  return people.map((one) => one.userId === userId ? { ...one, role, base: baseOf({ role, base }) } : one);
}

const LABEL = "boreas.approval_link.v1";
const macOf = (key: Uint8Array, id: string) =>
  createHmac("sha256", createHmac("sha256", key).update(LABEL).digest()).update(id).digest("base64url");

/** `<id>.<signature>` */
const signGrant = (key: Uint8Array, id: string): string => `${id}.${macOf(key, id)}`;

/** @returns the link's id when the signature is ours; the row says the rest */
export function readGrant(key: Uint8Array, grant: string): string | undefined {
  const [, id, signature] = /^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.([A-Za-z0-9_-]{43})$/.exec(grant) ?? [];
  if (!id || !signature) return undefined;
  const [given, right] = [Buffer.from(signature, "base64url"), Buffer.from(macOf(key, id), "base64url")];
  return given.length === right.length && timingSafeEqual(given, right) ? id : undefined;
}
