/** Questions as the master sees them that has the mirrors. */
import type { AppError } from "../../domain/app_error.ts";
import type { SourceQueryKind } from "../../protocol/source_query.ts";
import type { Database } from "../database.ts";

export interface OpenQuestion {
  id: string;
  projectId: string;
  repositoryId: string | null;
  kind: SourceQueryKind;
  input: unknown;
}
/** A master that died in the middle leaves it to another after so long. */
const CLAIM_SECONDS = 30;
/** Whoever asked has gone away by then. */
const KEPT_SECONDS = 120;

/** Takes one; several masters take different ones. */
export async function claimQuestion(db: Database): Promise<OpenQuestion | undefined> {
  const [row] = await db.sql<OpenQuestion[]>`
    update source_query set claimed_until = boreas_now() + make_interval(secs => ${CLAIM_SECONDS})
    where id = (select id from source_query where answered_at is null
        and (claimed_until is null or claimed_until <= boreas_now())
        and created_at > boreas_now() - make_interval(secs => ${KEPT_SECONDS})
      order by id limit 1 for no key update skip locked)
    returning id, project_id, repository_id, kind, input`;
  return row;
}

export async function answerQuestion(db: Database, id: string, answer: unknown): Promise<void> {
  await db.sql`update source_query set answer = ${db.sql.json(answer as never)}, answered_at = boreas_now()
    where id = ${id} and answered_at is null`;
}

export async function refuseQuestion(
  db: Database,
  id: string,
  { kind, code, message }: Pick<AppError, "kind" | "code" | "message">,
): Promise<void> {
  await db.sql`update source_query set refusal = ${db.sql.json({ kind, code, message })}, answered_at = boreas_now()
    where id = ${id} and answered_at is null`;
}

export async function removeForgotten(db: Database): Promise<void> {
  await db.sql`delete from source_query where created_at < boreas_now() - make_interval(secs => ${KEPT_SECONDS})`;
}
