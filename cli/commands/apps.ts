import type { Application } from "../../protocol/http_api.ts";
import type { ApiClient } from "../api_client.ts";
import { command, type CommandContext } from "../command.ts";
import { findRepository } from "../find.ts";
import { CliError, usageError } from "../host.ts";
import { removeApps } from "./remove_apps.ts";
import { printList, printResult, sayAge } from "../print.ts";

const WORDS = ["list", "approve", "dismiss", "hand-over", "remove"] as const;
const STATES = ["active", "proposed", "dismissed", "archived"] as const;

export const apps = command({
  summary: "list applications, decide on those that a repository proposes, hand one over, and remove what runs",
  usage:
    "apps [list | approve APPLICATION | dismiss APPLICATION | hand-over APPLICATION --to URL | remove APPLICATION... --env ENVIRONMENT] [flags]",
  details:
    `A repository whose discovery is "propose" proposes what its files declare. An application whose document is gone
from the default branch is archived: what runs of it runs on, and boreas status --app names where.
An application belongs to the repository that declared it first; hand-over gives it, archived or not, to another one,
whose next push that declares it counts.
remove takes what runs of it away from one environment, archived or not: it shows what would go and from where, and asks
for the name. Those that need others go first; what still needs one of them has to go with it. Nothing deploys it there
again until somebody names it. Example: boreas apps remove order --env prod --watch`,
  flags: {
    state: { type: "string", value: "STATE", help: `list: ${STATES.join(", ")}` },
    to: { type: "string", value: "URL", help: "hand-over: the repository that gets it" },
    env: { type: "string", value: "ENVIRONMENT", help: "remove: where it is to go from" },
    batch: {
      type: "string",
      value: "N",
      help: "remove: so many machines at a time, a count or a share; all unless told",
    },
    yes: { type: "boolean", help: "remove: without being asked" },
    watch: { type: "boolean", short: "w", help: "remove: follow it to its end; fails when it fails" },
    note: { type: "string", value: "TEXT", help: "remove: why, for the record" },
  },
  positionals: [0, 51],
  async run(context, [word = "list", ...operands], { state, to, ...removal }) {
    const [operand, more] = operands;
    if (!(WORDS as readonly string[]).includes(word)) {
      throw usageError(`Unknown word "${word}" after apps; there is ${WORDS.join(", ")}.`);
    }
    if (state !== undefined && !(STATES as readonly string[]).includes(state)) {
      throw usageError(`Unknown state "${state}"; there is ${STATES.join(", ")}.`);
    }
    const api = await context.api();
    if (word === "remove") return await removeApps(context, api, operands, removal);
    if (more !== undefined) {
      throw usageError(`"${more}" is one word too many: boreas apps ${word} takes one application.`);
    }
    if (word === "list") {
      const items = state === undefined
        ? [...await api.applicationsIn("proposed"), ...await api.applicationsIn("active")]
        : await api.applicationsIn(state);
      printList(
        context,
        items,
        ["application", "state", "environments", "runs on", "changed", "repository"],
        (app) => [
          app.name,
          stateOf(app),
          app.environments.map((e) => e.name).join(", ") || "-",
          String(app.running),
          sayAge(app.updatedAt, context.host.now()),
          app.repository ?? "-",
        ],
        "There is none.",
      );
      return 0;
    }
    if (operand === undefined) throw usageError(`Say which one: boreas apps ${word} APPLICATION.`);
    if (word === "hand-over") return await handOver(context, api, operand, to);
    const open = [...await api.applicationsIn("proposed"), ...await api.applicationsIn("dismissed")];
    const found = open.find((app) => app.name === operand || app.id === operand);
    if (!found) {
      const there = open.map((app) => app.name).join(", ");
      throw new CliError(`No proposed application "${operand}"; ${there ? `there is ${there}` : "there is none"}.`);
    }
    const now = await api.settleApplication(found.id, word as "approve" | "dismiss");
    const done = word === "approve"
      ? `${now.name} is an application now; its next version is planned, and the present one can be deployed.`
      : `${now.name} was dismissed.`;
    printResult(context, now, done);
    return 0;
  },
});

async function handOver(
  context: CommandContext,
  api: ApiClient,
  operand: string,
  to: string | undefined,
): Promise<number> {
  if (to === undefined) throw usageError(`Say which repository gets it: boreas apps hand-over ${operand} --to URL.`);
  const all = [...await api.applicationsIn("active"), ...await api.applicationsIn("archived")];
  const found = all.find((app) => app.name === operand || app.id === operand);
  if (!found) throw new CliError(`There is no application "${operand}"; see boreas apps.`);
  const repository = await findRepository(api, to);
  const now = await api.handOver(found.id, repository.id);
  printResult(
    context,
    now,
    `${now.name} belongs to ${repository.url} now; the next push there that declares it counts.`,
  );
  return 0;
}

const stateOf = (app: Application) => app.archivedAt !== null ? "archived" : app.proposal ?? "active";
