/** What must not wait for a person for ever: questions answer themselves, rollbacks end, what is outrun makes way. */
import { answerQuestions } from "../db/deployments/answer_questions.ts";
import { endRollbacks } from "../db/deployments/end_rollbacks.ts";
import { nextDeadline } from "../db/deployments/next_deadline.ts";
import { cancelOutrun } from "../db/deployments/take_turns.ts";
import type { SchedulerDeps } from "./deps.ts";
import { createLoop } from "./loop.ts";
import type { Loop } from "./loop.ts";

export function createDeadlineLoop(deps: SchedulerDeps): Loop {
  return createLoop({
    name: "deadline loop",
    sweepSeconds: deps.sweepSeconds,
    onlyLeader: deps.leadership,
    clock: deps.clock,
    logger: deps.logger,
    async run() {
      const moved = await answerQuestions(deps.db) + await endRollbacks(deps.db) + await cancelOutrun(deps);
      if (moved > 0) {
        deps.hints.announce("tasks");
        deps.hints.announce("events");
      }
      return await nextDeadline(deps.db);
    },
  });
}
