/**
 * A plan as a comment. Whoever may read the pull request reads it, also strangers: so keys and counts, but no values, no
 * machines and no addresses. What a repository's author wrote is escaped. Pure.
 */
import { sayProblem } from "../../protocol/config_file.ts";
import type { ConfigProblem } from "../../protocol/config_file.ts";
import type { Preview, PreviewedApplication } from "../../protocol/http_api.ts";

export type EnvironmentPlan = { name: string; preview: Preview } | { name: string; refusal: string };
export interface PullPlan {
  commit: string;
  base: string;
  isFork: boolean;
  /** Triggers of the default branch's Plan that a merge would fire. */
  fired: { environment: string; start: "auto" | "approve" | "manual" }[];
  environments: readonly EnvironmentPlan[];
}
/** Providers refuse longer ones. */
const MOST_CHARACTERS = 30_000;
const MOST_MISTAKES = 50;
const MOST_TASKS = 100;
const STARTS = { auto: "at once", approve: "once approved", manual: "when a person starts it" };

export function sayPullPlan(plan: PullPlan): string {
  const lines = [`### What merging \`${plan.commit.slice(0, 12)}\` into ${code(plan.base)} would deploy`];
  if (plan.isFork) {
    lines.push("From another repository: planned only. Nothing of it is run, and it is given no secret.");
  }
  for (const { environment, start } of plan.fired) lines.push(`- deploys to ${code(environment)} ${STARTS[start]}`);
  for (const environment of plan.environments) lines.push(sayEnvironment(environment));
  if (plan.environments.length === 0) lines.push("Nothing: no application goes to an active environment.");
  const text = lines.join("\n\n");
  return text.length <= MOST_CHARACTERS ? text : `${text.slice(0, MOST_CHARACTERS)}\n\n(cut here)`;
}

export function sayMistakes(commit: string, problems: readonly ConfigProblem[]): string {
  const shown = problems.slice(0, MOST_MISTAKES).map((problem) => `- ${code(sayProblem(problem))}`);
  const more = problems.length > MOST_MISTAKES ? [`- and ${problems.length - MOST_MISTAKES} more`] : [];
  return [`### \`${commit.slice(0, 12)}\` cannot be deployed`, [...shown, ...more].join("\n")].join("\n\n");
}

function sayEnvironment(environment: EnvironmentPlan): string {
  const head = `#### ${code(environment.name)}`;
  if ("refusal" in environment) return `${head}\n\n${code(environment.refusal)}`;
  const { summary, tasks } = environment.preview;
  const rows = summary.map((app) =>
    `| ${code(app.application)} | ${app.action.replace("_", " ")} | ${
      [
        app.strategy && code(app.strategy),
        app.targets > 1 && `${app.targets} targets`,
        ...app.hooks.map(code),
        ...app.gates.map((gate) => code(gate.split(":")[0]!)),
        ...app.approvals.map((approval) => `approval: ${code(approval)}`),
        app.note,
      ].filter((part) => part).join(", ")
    } | ${sayKeys(app)} |`
  );
  const order = tasks.filter((task) => task.parentKey === null).map((task) => code(task.name)).slice(0, MOST_TASKS);
  return [
    head,
    `| application | action | how | what changes |\n|---|---|---|---|\n${rows.join("\n")}`,
    ...(order.length > 0 ? [`In order: ${order.join(" -> ")}`] : []),
  ].join("\n\n");
}

const MOST_KEYS = 10;
function sayKeys({ changes }: PreviewedApplication): string {
  const keys = changes.slice(0, MOST_KEYS).map(({ path }) => code(path));
  return changes.length > MOST_KEYS ? `${keys.join(", ")} and ${changes.length - MOST_KEYS} more` : keys.join(", ");
}

/** As a span of code: no mention, link, heading or HTML of somebody else's comes alive in it. */
const code = (text: string): string =>
  `\`${text.replaceAll("`", "'").replaceAll("|", "\\|").replaceAll(/\s+/g, " ").slice(0, 500)}\``;
