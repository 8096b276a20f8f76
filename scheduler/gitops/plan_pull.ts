/**
 * One pull request: the plan of its commit, as if it were merged, told on the pull request.
 *
 *   fetch its ref -> read the commit -> plan each environment (nothing stored) -> write the comment anew
 *
 * Nothing of it is recorded, frozen or run, and no secret is opened for it but the token of the provider's API. Every
 * attempt does the whole again: the comment is found by its mark, so a crash in the middle leaves one comment, not two.
 */
import type { ClaimedDelivery } from "../../db/repositories/claim_delivery.ts";
import type { DeliveryEnd } from "../../db/repositories/finish_delivery.ts";
import { openStatusToken } from "../../db/repositories/repository_row.ts";
import type { RepositoryRow } from "../../db/repositories/repository_row.ts";
import { previewCandidate } from "../../db/deployments/preview_deployment.ts";
import { listActive } from "../../db/environments/list_active.ts";
import { sayPlan } from "../../domain/commit_status.ts";
import type { CommitSaying, PlanOutcome } from "../../domain/commit_status.ts";
import { AppError } from "../../domain/app_error.ts";
import { GitError } from "../../domain/git.ts";
import { matchTriggers } from "../../domain/match_trigger.ts";
import { reason } from "../../domain/reason.ts";
import type { ConfigProblem } from "../../protocol/config_file.ts";
import type { PullRequest } from "../../protocol/webhooks/webhook.ts";
import { makeCandidate } from "./answer_plan.ts";
import type { GitopsDeps } from "./deps.ts";
import { RefusedCall } from "./forges/call_forge.ts";
import { tellPull } from "./forges/tell_pull.ts";
import { sayMistakes, sayPullPlan } from "./pull_text.ts";
import type { EnvironmentPlan } from "./pull_text.ts";
import { readCommit } from "./read_commit.ts";
import { openRemote } from "./read_source.ts";
import type { Source } from "./read_source.ts";

/** Throws what another attempt may mend. */
export async function planPull(
  deps: GitopsDeps,
  repository: RepositoryRow,
  delivery: ClaimedDelivery,
  pull: PullRequest,
): Promise<DeliveryEnd> {
  let says: { commit: string; saying: CommitSaying } | undefined;
  const end = (status: "processed" | "ignored" | "failed", told: string): DeliveryEnd => ({
    ...{ status, says },
    reason: status === "processed"
      ? reason("delivery.pull_planned", { number: pull.number, told })
      : reason(status === "failed" ? "delivery.failed" : "delivery.ignored", { detail: told }),
  });
  try {
    const source = await readPullSource(deps, repository, delivery, pull);
    if (source === undefined) {
      return end("ignored", `Pull request ${pull.number} has newer commits; those are planned.`);
    }
    const token = await openStatusToken(deps.vault, repository);
    const { text, outcome } = await planText(deps, repository, source, pull);
    says = { commit: source.commit, saying: sayPlan(`/repositories/${repository.id}`, outcome) };
    if (token === null) {
      return end("processed", "It was not told there: the repository has no statusToken for the provider's API.");
    }
    const place = { ...repository, repositoryId: repository.id, number: pull.number };
    const done = await tellPull(deps, place, token, text);
    return end("processed", done === "created" ? "Its comment was written." : "Its comment was written anew.");
  } catch (error: unknown) {
    if (error instanceof RefusedCall) {
      return end("failed", `The plan of pull request ${pull.number} could not be told: ${error.message}.`);
    }
    if (error instanceof GitError && !error.isTransient) return end("failed", error.message);
    throw error;
  }
}

/** @returns undefined when the pull request has moved on: another delivery speaks of that */
async function readPullSource(
  { git, vault }: GitopsDeps,
  repository: RepositoryRow,
  delivery: ClaimedDelivery,
  pull: PullRequest,
): Promise<Source | undefined> {
  const defaultRef = `refs/heads/${repository.branch}`;
  await git.fetch(await openRemote(vault, repository), [delivery.ref, defaultRef]);
  const tip = await git.resolve(repository.id, delivery.ref);
  if (tip === undefined || (delivery.commit !== null && delivery.commit !== tip)) return undefined;
  return {
    ref: { kind: "branch", name: pull.base },
    commit: tip,
    info: await git.commitInfo(repository.id, tip),
    // Never of the pull request itself: it could give itself other triggers.
    planCommit: await git.resolve(repository.id, defaultRef),
    isDefaultBranch: false,
  };
}

async function planText(
  deps: GitopsDeps,
  repository: RepositoryRow,
  source: Source,
  pull: PullRequest,
): Promise<{ text: string; outcome: PlanOutcome }> {
  const read = await readCommit(deps, repository, source, { toStrangers: true });
  if (read.problems.length > 0) {
    const [{ file, line }] = read.problems as [ConfigProblem];
    return {
      text: sayMistakes(source.commit, read.problems),
      outcome: { kind: "mistaken", file, line, count: read.problems.length },
    };
  }
  const candidate = await makeCandidate(deps, repository, source, read);
  const environments: EnvironmentPlan[] = [];
  for (const { id, name } of await listActive(deps.db, repository.projectId)) {
    try {
      const input = { projectId: repository.projectId, environmentId: id, candidate };
      const preview = await previewCandidate(deps, input);
      if (preview.summary.some(({ action }) => action !== "left_out")) environments.push({ name, preview });
    } catch (error: unknown) {
      if (!(error instanceof AppError) || error.kind === "unavailable") throw error;
      // Whose names machines have is nobody's business who only opened a pull request.
      const isOfMachines = error.code.startsWith("targets.");
      environments.push({
        name,
        refusal: isOfMachines ? "No machine of it takes one of the applications." : error.message,
      });
    }
  }
  const pushed = { ref: source.ref, defaultBranch: repository.branch, files: undefined };
  const fired = matchTriggers(read.plan?.triggers ?? [], pushed).flatMap(({ trigger, why }) =>
    why === undefined ? [{ environment: trigger.environment, start: trigger.start ?? "manual" }] : []
  );
  return {
    text: sayPullPlan({ commit: source.commit, isFork: pull.isFork, base: pull.base, fired, environments }),
    outcome: {
      kind: "planned",
      environments: environments.flatMap((one) => ("preview" in one ? [one.name] : [])),
    },
  };
}
