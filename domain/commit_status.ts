/** What a provider shows beside a commit: what Boreas makes of it, in a word and a short sentence. Pure. */
import type { DeploymentState } from "./deployment_state.ts";

export const COMMIT_STATES = ["pending", "running", "success", "failure", "cancelled"] as const;
export type CommitState = (typeof COMMIT_STATES)[number];

/**
 *   waiting --taken--> sending --accepted--> sent
 *      ^-- no, not yet --'  '-- no, for good or too often --> failed
 *   sent | failed --what it should say changes--> waiting
 */
export const STATUS_DELIVERY_STATES = ["waiting", "sending", "sent", "failed"] as const;
export type StatusDeliveryState = (typeof STATUS_DELIVERY_STATES)[number];

/** What a commit should show under one name. */
export interface CommitSaying {
  context: string;
  state: CommitState;
  description: string;
  /** Of the page that it leads to, below the dashboard's address. */
  path: string;
}

/** Of the plan of a commit, whatever environments are called. */
export const PLAN_CONTEXT = "boreas";
/** Of what became of a commit in one environment. */
export const contextOf = (environment: string): string => `${PLAN_CONTEXT}/${environment}`;

/** GitHub takes no longer ones. */
const MOST_CHARACTERS = 140;
export const shorten = (text: string): string =>
  text.length <= MOST_CHARACTERS ? text : `${text.slice(0, MOST_CHARACTERS - 3).toWellFormed()}...`;

/**
 * Whoever can read the repository reads these, also strangers. So nothing of a reason stands in them: those may name
 * machines, people, and what a program printed.
 */
const OF_DEPLOYMENT: Record<DeploymentState, [CommitState, string]> = {
  pending: ["pending", "{version} waits to be deployed."],
  awaiting_approval: ["pending", "{version} waits for approval."],
  running: ["running", "{version} is being deployed."],
  paused: ["running", "The deployment of {version} is paused."],
  cancelling: ["running", "The deployment of {version} is being cancelled."],
  rolling_back: ["running", "{version} is being rolled back."],
  completed: ["success", "{version} is deployed."],
  failed: ["failure", "The deployment of {version} failed."],
  cancelled: ["cancelled", "The deployment of {version} was cancelled."],
  rolled_back: ["failure", "{version} was rolled back."],
  rollback_failed: ["failure", "{version} failed, and so did its rollback."],
  superseded: ["cancelled", "A newer version took the place of {version}."],
};

/** Of a plan: whether the commit can be deployed, or the first place where its files are mistaken. */
export function sayPlan(path: string, outcome: PlanOutcome): CommitSaying {
  const say = (state: CommitState, sentence: string): CommitSaying => ({
    context: PLAN_CONTEXT,
    state,
    description: shorten(sentence),
    path,
  });
  switch (outcome.kind) {
    case "recorded":
      return say("success", `Recorded as ${outcome.version}.`);
    case "planned":
      return say(
        "success",
        outcome.environments.length === 0
          ? "Would deploy nothing."
          : `Would deploy to ${outcome.environments.join(", ")}.`,
      );
    case "reverted":
      return say("failure", "It is marked as reverted, so nothing deploys it.");
    case "mistaken": {
      const more = outcome.count > 1 ? ` (and ${outcome.count - 1} more)` : "";
      return say("failure", `Cannot be deployed: a mistake at ${outcome.file}:${outcome.line}${more}.`);
    }
  }
}
export type PlanOutcome =
  | { kind: "recorded"; version: string }
  | { kind: "planned"; environments: readonly string[] }
  | { kind: "reverted" }
  | { kind: "mistaken"; file: string; line: number; count: number };

export function sayDeployment(
  deployment: { id: string; status: DeploymentState; version: string; environment: string },
): CommitSaying {
  const [state, sentence] = OF_DEPLOYMENT[deployment.status];
  return {
    context: contextOf(deployment.environment),
    state,
    description: shorten(sentence.replace("{version}", () => deployment.version)),
    path: `/deployments/${deployment.id}`,
  };
}
