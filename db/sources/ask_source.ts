/** Questions about repositories' histories, put where a master that has the mirrors finds them. */
import { AppError } from "../../domain/app_error.ts";
import type { ErrorKind } from "../../domain/app_error.ts";
import { SOURCE_QUERIES } from "../../protocol/source_query.ts";
import type { SourceAnswer, SourceInput, SourceQueryKind } from "../../protocol/source_query.ts";
import type { Database } from "../database.ts";
import type { Hints } from "../hints.ts";

interface Deps {
  db: Database;
  hints: Hints;
}
export interface SourceQuestion<K extends SourceQueryKind> {
  projectId: string;
  /** null: of every repository of the project. */
  repositoryId: string | null;
  kind: K;
  input: SourceInput<K>;
}

/** @returns the id of the question */
export async function askSource<K extends SourceQueryKind>(
  { db, hints }: Deps,
  { projectId, repositoryId, kind, input }: SourceQuestion<K>,
): Promise<string> {
  const id = db.newId();
  await db.sql`insert into source_query (id, project_id, repository_id, kind, input)
    values (${id}, ${projectId}, ${repositoryId}, ${kind}, ${db.sql.json(input as never)})`;
  hints.announce("sources");
  return id;
}

/**
 * @returns undefined while nobody has answered
 * @throws AppError: why it cannot be answered
 */
export async function readSourceAnswer<K extends SourceQueryKind>(
  db: Database,
  kind: K,
  id: string,
): Promise<SourceAnswer<K> | undefined> {
  const [row] = await db.sql<
    { answer: unknown; refusal: { kind: ErrorKind; code: string; message: string } | null; answeredAt: string | null }[]
  >`select answer, refusal, answered_at from source_query where id = ${id}`;
  if (!row || row.answeredAt === null) return undefined;
  if (row.refusal) throw new AppError(row.refusal.kind, row.refusal.code, row.refusal.message);
  return SOURCE_QUERIES[kind].answer.parse(row.answer) as SourceAnswer<K>;
}

export async function dropSourceQuery(db: Database, id: string): Promise<void> {
  await db.sql`delete from source_query where id = ${id}`;
}
