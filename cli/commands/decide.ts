import { command } from "../command.ts";
import { findDeployment } from "../find.ts";
import { CliError, usageError } from "../host.ts";
import { printResult } from "../print.ts";
import { watchToEnd } from "./watch_to_end.ts";

const CHOICES = ["fail", "retry", "ignore", "exclude"] as const;
type Choice = (typeof CHOICES)[number];
const isChoice = (text: string): text is Choice => (CHOICES as readonly string[]).includes(text);

export const decide = command({
  summary: "decide about what failed, of a deployment that asks",
  usage: "decide DEPLOYMENT fail|retry|ignore|exclude [flags]",
  details: `DEPLOYMENT is an id, its beginning, or latest. fail: it fails; retry: once more; ignore: counts as done;
exclude: leaves its machine out. To bring back what ran before: boreas rollback DEPLOYMENT.`,
  flags: {
    task: {
      type: "string",
      value: "NAME",
      help: "which of several that failed: a machine's name, or an application's",
    },
    note: { type: "string", value: "TEXT", help: "why, for the record" },
    watch: { type: "boolean", short: "w", help: "follow it to its end" },
  },
  positionals: [2, 2],
  async run(context, [wanted, choice], flags) {
    if (!isChoice(choice!)) throw usageError(`"${choice}" is no choice; there is ${CHOICES.join(", ")}.`);
    const api = await context.api();
    const { id } = await findDeployment(api, wanted!);
    const { tasks } = await api.deployment(id);
    const failed = tasks.filter((task) => task.status === "failed" && !tasks.some((part) => part.parentId === task.id));
    const named = tasks.filter((task) => task.name === flags.task);
    const meant = flags.task === undefined ? failed : failed.filter((task) => task.name === flags.task);
    const one = meant.length === 1 ? meant[0] : named.find((task) => task.parentId === null);
    if (!one) {
      const names = failed.map((task) => task.name).join(", ");
      throw new CliError(
        failed.length === 0
          ? "Nothing of this deployment has failed, so there is nothing to decide."
          : `Say about which of ${names} with --task NAME.`,
      );
    }
    await api.decideTask(one.id, { choice, ...(flags.note && { note: flags.note }) });
    if (flags.watch) return await watchToEnd(context, api, id);
    const now = await api.deployment(id);
    printResult(context, now, `${one.name}: ${choice}. ${now.reason.text}`);
    return 0;
  },
});
