/** What agents answer to questions: stored for whoever asked, in whatever process. */
import type { Hints } from "../db/hints.ts";
import type { Output, QueryStore } from "../db/queries/query_store.ts";
import type { FromAgent } from "../protocol/agent_messages.ts";
import type { Session } from "./agent_sessions.ts";

type Printed = Extract<FromAgent, { type: "app.lines" }>;
export interface Answers {
  observed(session: Session, requestId: string): Promise<void>;
  printed(session: Session, messages: readonly Printed[]): Promise<void>;
}
const UUID = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/;
const TOO_OLD = "This agent cannot follow what an application prints; upgrade it to see more than its last lines.";

export const createAnswers = (queries: QueryStore, hints: Hints): Answers => ({
  async observed(session, requestId) {
    if (!UUID.test(requestId)) return;
    await queries.noteAnswered(requestId, session.agentId);
    hints.announce("answers", requestId);
  },
  async printed(session, messages) {
    for (const [requestId, all] of Map.groupBy(messages, (message) => message.requestId)) {
      if (!UUID.test(requestId)) continue;
      const isWanted = await queries.appendOutput(requestId, session.agentId, all.map(toOutput));
      // Asked for a last time: it is stopped where nobody knows it any more.
      if (!isWanted && all.every(({ ended, text }) => ended === undefined && text !== undefined)) {
        session.send({ type: "app.tail", requestId, application: "", lines: 0, stop: true });
      }
      hints.announce("answers", requestId);
    }
  },
});

function toOutput({ lines, text, skipped = 0, ended }: Printed): Output {
  if (text !== undefined || ended !== undefined) return { text: text ?? "", skipped, ended: ended ?? null };
  return { text: lines.map((line) => `${line}\n`).join(""), skipped, ended: TOO_OLD };
}
