import type { Database } from "../database.ts";

export interface Answer {
  /** The agent has said something. */
  isAnswered: boolean;
  /** Why no more will come; null while more may. */
  ended: string | null;
  /** In order, from the one that was asked for, or the first that is still there. */
  chunks: { sequence: number; offset: number; data: Uint8Array }[];
}
/** Of one reading. */
const CHUNKS = 32;

/** @returns undefined when the question is gone: nobody wanted it any more */
export async function readAnswer(db: Database, id: string, from: number): Promise<Answer | undefined> {
  const [query] = await db.sql<{ answeredAt: string | null; ended: string | null }[]>`
    select answered_at, ended from agent_query where id = ${id}`;
  if (!query) return undefined;
  const chunks = await db.sql<Answer["chunks"]>`
    select sequence, "offset", data from agent_query_chunk where query_id = ${id} and sequence >= ${from}
    order by sequence limit ${CHUNKS}`;
  return { isAnswered: query.answeredAt !== null, ended: query.ended, chunks: [...chunks] };
}
