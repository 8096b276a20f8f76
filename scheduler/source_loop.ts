/**
 * Answers questions about the repositories' histories: this process has the mirrors, whoever asks need not.
 *
 *   asked (by any process) --hint | sweep--> claimed --> answered or refused, hinted --> read and dropped by who asked
 *
 * A claim that is not answered passes on after its time; what nobody fetches goes by itself. Nothing is changed by a
 * question, so a crash costs its asker some seconds.
 */
import { answerQuestion, claimQuestion, refuseQuestion, removeForgotten } from "../db/sources/source_questions.ts";
import type { OpenQuestion } from "../db/sources/source_questions.ts";
import { AppError } from "../domain/app_error.ts";
import { GitError } from "../domain/git.ts";
import { SOURCE_QUERIES } from "../protocol/source_query.ts";
import { answerCommits, answerContains } from "./gitops/answer_history.ts";
import { answerPlan } from "./gitops/answer_plan.ts";
import type { GitopsDeps } from "./gitops/deps.ts";
import { createLoop } from "./loop.ts";
import type { Loop } from "./loop.ts";

export function createSourceLoop(deps: GitopsDeps): Loop {
  return createLoop({
    name: "source questions",
    wokenBy: { hints: deps.hints, topic: "sources" },
    sweepSeconds: deps.sweepSeconds,
    clock: deps.clock,
    logger: deps.logger,
    async run(isOn) {
      while (isOn()) {
        const question = await claimQuestion(deps.db);
        if (!question) break;
        await work(deps, question);
        deps.hints.announce("sources", question.id);
      }
      await removeForgotten(deps.db);
    },
  });
}

async function work(deps: GitopsDeps, question: OpenQuestion): Promise<void> {
  try {
    await answerQuestion(deps.db, question.id, await answer(deps, question));
  } catch (error: unknown) {
    await refuseQuestion(deps.db, question.id, whyNot(deps, error));
  }
}

async function answer(deps: GitopsDeps, { kind, input, projectId, repositoryId }: OpenQuestion): Promise<unknown> {
  switch (kind) {
    case "contains":
      return await answerContains(deps, projectId, SOURCE_QUERIES.contains.input.parse(input));
    case "commits":
      return await answerCommits(deps, projectId, repositoryId!, SOURCE_QUERIES.commits.input.parse(input));
    case "plan":
      return await answerPlan(deps, projectId, repositoryId!, SOURCE_QUERIES.plan.input.parse(input));
  }
}

function whyNot(deps: GitopsDeps, error: unknown): Pick<AppError, "kind" | "code" | "message"> {
  if (error instanceof AppError) return error;
  if (error instanceof GitError) {
    return { kind: error.isTransient ? "unavailable" : "conflict", code: "repository.failed", message: error.message };
  }
  deps.logger.log("ERROR", "a question could not be answered", {
    error: error instanceof Error ? error.stack : String(error),
  });
  return {
    kind: "unavailable",
    code: "source.failed",
    message: "Something unexpected happened while the repository was read; the process log has it.",
  };
}
