/**
 * Puts what somebody wants to know to the agents that this master holds the sockets of.
 *
 *   asked (by any process) --hint | sweep--> sent on the agent's connection --app.lines | state.report--> stored, hinted
 *      '-- nobody wants it any more --> the agent is told to stop, the rows go
 *
 * A connection that ends takes nothing with it: the question is sent again on the next one, wherever that is.
 */
import type { OpenQuery, QueryStore } from "../db/queries/query_store.ts";
import type { ToAgent } from "../protocol/agent_messages.ts";
import { OUTPUT_LINES } from "../protocol/observed.ts";
import type { Sessions } from "./agent_sessions.ts";
import type { CoreDeps } from "./deps.ts";
import { createLoop } from "./loop.ts";
import type { Loop } from "./loop.ts";

export function createQueryLoop(deps: CoreDeps, queries: QueryStore, sessions: Sessions): Loop {
  return createLoop({
    name: "queries",
    wokenBy: { hints: deps.hints, topic: "queries" },
    sweepSeconds: deps.sweepSeconds,
    clock: deps.clock,
    logger: deps.logger,
    async run() {
      const open = await queries.findQueries();
      if (open.length === 0) return;
      const mine = open.flatMap((query) => {
        const session = sessions.byAgent(query.agentId);
        return session ? [{ query, session }] : [];
      });
      const unsent = mine.filter(({ query, session }) =>
        query.isWanted && !query.hasEnded && query.sessionId !== session.id
      );
      // Noted first: sent twice it would be answered twice.
      await queries.noteSent(unsent.map(({ query }) => query.id), unsent.map(({ session }) => session.id));
      for (const { query, session } of unsent) session.send(messageOf(query));
      const over = mine.filter(({ query }) => !query.isWanted);
      for (const { query, session } of over) {
        if (query.kind === "tail" && !query.hasEnded) session.send({ ...messageOf(query), stop: true } as ToAgent);
      }
      if (over.length > 0) await queries.remove(over.map(({ query }) => query.id));
      if (open.some(({ isWanted }) => !isWanted)) await queries.removeForgotten();
    },
  });
}

const messageOf = (query: OpenQuery): ToAgent =>
  query.kind === "observe" ? { type: "operator.observe", requestId: query.id } : {
    type: "app.tail",
    requestId: query.id,
    application: query.application!,
    environmentId: query.environmentId!,
    lines: OUTPUT_LINES,
    follow: query.follow,
  };
