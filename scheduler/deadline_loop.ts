/** What must not wait for a person for ever: questions answer themselves, rollbacks end, what is outrun makes way. */
import { createAside } from "../db/aside.ts";
import { answerQuestions } from "../db/deployments/answer_questions.ts";
import { endRollbacks } from "../db/deployments/end_rollbacks.ts";
import { nextDeadline } from "../db/deployments/next_deadline.ts";
import { cancelOutrun } from "../db/deployments/take_turns.ts";
import type { SchedulerDeps } from "./deps.ts";
import { createLoop } from "./loop.ts";
import type { Loop } from "./loop.ts";

export function createDeadlineLoop(deps: SchedulerDeps): Loop {
  const parts = createAside(deps, "a part of the deadline loop");
  const questions = createAside(deps, "the default answer of a deployment");
  const rollbacks = createAside(deps, "the end of a deployment's rollback");
  const outrun = createAside(deps, "the cancel of a deployment that a newer one outruns");
  return createLoop({
    name: "deadline loop",
    sweepSeconds: deps.sweepSeconds,
    onlyLeader: deps.leadership,
    clock: deps.clock,
    logger: deps.logger,
    async run() {
      const answered = await parts.attempt("questions", () => answerQuestions(deps.db, questions)) ?? 0;
      const ended = await parts.attempt("rollbacks", () => endRollbacks(deps.db, rollbacks)) ?? 0;
      const cancelled = await parts.attempt("outrun", () => cancelOutrun(deps, outrun)) ?? 0;
      if (answered + ended + cancelled > 0) {
        deps.hints.announce("tasks");
        deps.hints.announce("events");
      }
      return await nextDeadline(deps.db, [...questions.ids(), ...rollbacks.ids()]);
    },
  });
}
