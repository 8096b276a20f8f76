/** Asks agents what they see now, and waits for their word, not long. */
import type { Database } from "../../db/database.ts";
import type { Hints } from "../../db/hints.ts";
import { askObserve, dropQuery } from "../../db/queries/ask_agent.ts";
import { readAnswer } from "../../db/queries/read_answer.ts";
import type { Clock } from "../../domain/ports.ts";
import type { AppStateItem } from "../../protocol/http_api.ts";
import { createWaiter } from "./waiter.ts";

/** Whoever asks waits for the slowest; health checks of a machine's applications take so long at most, usually. */
const PATIENCE_MS = 2500;
/** Of a page that shows more, each agent's own scan has to do. */
const MOST_AGENTS = 20;
const LOOK_MS = 500;

/** @returns whether anybody was asked */
export async function observeNow(
  deps: { db: Database; hints: Hints; clock: Clock; shutdown?: AbortSignal },
  projectId: string,
  rows: readonly AppStateItem[],
): Promise<boolean> {
  const agents = [...new Set(rows.flatMap((row) => row.agent?.connected ? [row.agent.id] : []))];
  if (agents.length === 0 || agents.length > MOST_AGENTS) return false;
  const waiter = createWaiter(deps.clock);
  const off = deps.hints.on("answers", waiter.wake);
  const deadline = deps.clock.monotonic() + PATIENCE_MS;
  const asked = await Promise.all(agents.map((agentId) => askObserve(deps, projectId, agentId)));
  try {
    for (let waiting = asked; waiting.length > 0 && deps.clock.monotonic() < deadline;) {
      const answers = await Promise.all(waiting.map((id) => readAnswer(deps.db, id, 0)));
      waiting = waiting.filter((_, i) => answers[i] && !answers[i].isAnswered);
      if (waiting.length > 0) await waiter.wait(LOOK_MS);
    }
  } finally {
    off();
    waiter.close();
    await Promise.all(asked.map((id) => dropQuery(deps.db, id)));
  }
  return true;
}
