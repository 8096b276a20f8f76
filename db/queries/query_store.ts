/** Questions to agents as the master sees them that holds their sockets. */
import type { Database } from "../database.ts";
import { inTransaction } from "../retry.ts";

export interface OpenQuery {
  id: string;
  agentId: string;
  kind: "observe" | "tail";
  environmentId: string | null;
  application: string | null;
  follow: boolean;
  /** The connection it was sent on. */
  sessionId: string | null;
  isWanted: boolean;
  hasEnded: boolean;
}
export interface Output {
  text: string;
  /** Bytes that the agent passed over right before them. */
  skipped: number;
  /** Why no more will come. */
  ended: string | null;
}
export interface QueryStore {
  /** All there are; few, whoever's they are. */
  findQueries(): Promise<OpenQuery[]>;
  noteSent(ids: readonly string[], sessionIds: readonly string[]): Promise<void>;
  noteAnswered(id: string, agentId: string): Promise<void>;
  /** @returns false when nobody wants it: the agent may stop */
  appendOutput(id: string, agentId: string, outputs: readonly Output[]): Promise<boolean>;
  remove(ids: readonly string[]): Promise<void>;
  /** Those that no master took away: their agents are connected to none. */
  removeForgotten(): Promise<void>;
}

/** Of one question; a viewer who falls further behind misses the rest. */
const KEPT_CHUNKS = 64;
const FORGOTTEN_SECONDS = 60;
const encoder = new TextEncoder();

export const createQueryStore = (db: Database): QueryStore => ({
  findQueries: () =>
    db.sql<OpenQuery[]>`
      select q.id, q.agent_id, q.kind, q.environment_id, a.name as application, q.follow, q.session_id,
        q.wanted_until > boreas_now() as is_wanted,
        q.ended is not null or q.kind = 'observe' and q.answered_at is not null as has_ended
      from agent_query q left join application a on a.id = q.application_id order by q.id limit 2000`.then((rows) => [
      ...rows,
    ]),
  async noteSent(ids, sessionIds) {
    await db.sql`update agent_query q set session_id = r.session_id
      from unnest(${[...ids]}::uuid[], ${[...sessionIds]}::uuid[]) as r(id, session_id) where q.id = r.id`;
  },
  async noteAnswered(id, agentId) {
    await db
      .sql`update agent_query set answered_at = boreas_now() where id = ${id} and agent_id = ${agentId} and kind = 'observe'`;
  },
  appendOutput: (id, agentId, outputs) =>
    inTransaction(db, async (tx) => {
      const [query] = await tx<{ nextSequence: number; bytes: number }[]>`
        select next_sequence, bytes from agent_query
        where id = ${id} and agent_id = ${agentId} and kind = 'tail' and ended is null for update`;
      if (!query) return false;
      let { nextSequence: sequence, bytes } = query;
      const rows = outputs.flatMap(({ text, skipped }) => {
        bytes += skipped;
        if (text === "") return [];
        const data = encoder.encode(text);
        const row = { sequence: sequence++, offset: bytes, data };
        bytes += data.length;
        return [row];
      });
      for (const row of rows) {
        await tx`insert into agent_query_chunk (query_id, sequence, "offset", data)
          values (${id}, ${row.sequence}, ${row.offset}, ${row.data})`;
      }
      await tx`delete from agent_query_chunk where query_id = ${id} and sequence < ${sequence - KEPT_CHUNKS}`;
      const ended = outputs.findLast((output) => output.ended !== null)?.ended ?? null;
      await tx`update agent_query set next_sequence = ${sequence}, bytes = ${bytes}, ended = ${ended},
        answered_at = coalesce(answered_at, boreas_now()) where id = ${id}`;
      return true;
    }),
  async remove(ids) {
    await db.sql`delete from agent_query where id = any(${[...ids]}::uuid[])`;
  },
  async removeForgotten() {
    await db
      .sql`delete from agent_query where wanted_until < boreas_now() - make_interval(secs => ${FORGOTTEN_SECONDS})`;
  },
});
