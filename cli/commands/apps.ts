import type { Application } from "../../protocol/http_api.ts";
import { command } from "../command.ts";
import { CliError, usageError } from "../host.ts";
import { printList, printResult, sayAge } from "../print.ts";

const WORDS = ["list", "approve", "dismiss"] as const;
const STATES = ["active", "proposed", "dismissed", "archived"] as const;

export const apps = command({
  summary: "list applications, and decide on those that a repository proposes",
  usage: "apps [list | approve APPLICATION | dismiss APPLICATION] [flags]",
  details:
    `A repository whose discovery is "propose" proposes what its files declare. An application whose document is gone
from the default branch is archived: what runs of it runs on, and boreas status --app names where.`,
  flags: { state: { type: "string", value: "STATE", help: `list: ${STATES.join(", ")}` } },
  positionals: [0, 2],
  async run(context, [word = "list", operand], { state }) {
    if (!(WORDS as readonly string[]).includes(word)) {
      throw usageError(`Unknown word "${word}" after apps; there is ${WORDS.join(", ")}.`);
    }
    if (state !== undefined && !(STATES as readonly string[]).includes(state)) {
      throw usageError(`Unknown state "${state}"; there is ${STATES.join(", ")}.`);
    }
    const api = await context.api();
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

const stateOf = (app: Application) => app.archivedAt !== null ? "archived" : app.proposal ?? "active";
