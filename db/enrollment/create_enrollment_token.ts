import { AppError } from "../../domain/app_error.ts";
import type { EnrollmentToken } from "../../protocol/http_api.ts";
import type { AgentDeps } from "../agents/change_agent.ts";
import { recordAudit } from "../audit/record_audit.ts";
import type { Actor } from "../database.ts";
import { inTransaction } from "../retry.ts";
import { hashJoinToken, makeJoinToken } from "./join_token.ts";
import { toEnrollmentToken } from "./read_enrollment_tokens.ts";
import type { EnrollmentTokenRow } from "./read_enrollment_tokens.ts";

export interface EnrollmentInput {
  uses: number;
  /** Seconds. */
  expiresIn: number;
  labels: Record<string, string>;
  /** Ids or names. */
  environments: string[];
  kind: "agent" | "operator";
  /** Who enrols with it is given nothing to do until a person approves. */
  approveFirst?: boolean;
}

/** The token's text is in this answer and nowhere else. */
export async function createEnrollmentToken(
  { db }: Pick<AgentDeps, "db">,
  input: EnrollmentInput,
  actor: Actor,
): Promise<{ row: EnrollmentToken; token: string }> {
  const token = makeJoinToken();
  const hash = await hashJoinToken(token);
  const row = await inTransaction(db, async (tx) => {
    const known = await tx<{ id: string; name: string }[]>`
      select id, name from environment
      where project_id = ${actor.projectId} and (id::text = any(${input.environments}::text[]) or name = any(${input.environments}::text[]))`;
    const missing = input.environments.filter((one) => !known.some((e) => e.id === one || e.name === one));
    if (missing.length > 0) {
      throw new AppError(
        "invalid",
        "enrollment.environments",
        `There is no environment ${missing[0]}; create it first, or check its name.`,
        [{ path: "environments", message: `${missing.join(", ")} is unknown` }],
      );
    }
    const id = db.newId();
    const [made] = await tx<EnrollmentTokenRow[]>`
      insert into enrollment_token (id, project_id, hash, kind, uses_left, labels, environment_ids, approve_first,
        expires_at, created_by)
      values (${id}, ${actor.projectId}, ${hash}, ${input.kind}, ${input.uses}, ${tx.json(input.labels)},
        ${known.map((e) => e.id)}::uuid[], ${
      input.approveFirst ?? false
    }, boreas_now() + make_interval(secs => ${input.expiresIn}), ${actor.name})
      returning id, kind, uses_left, labels, environment_ids, approve_first, expires_at, created_by, created_at`;
    await recordAudit(db, tx, actor, "enrollment_token.create", `enrollment-token:${id}`, { ...input });
    return made!;
  });
  return { row: toEnrollmentToken(row), token };
}
