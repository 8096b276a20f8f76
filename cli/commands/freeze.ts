import { type Freeze, parseDuration } from "../../protocol/http_api.ts";
import { command, type CommandContext } from "../command.ts";
import { findEnvironment } from "../find.ts";
import { CliError, usageError } from "../host.ts";
import { printList, printResult, shortId } from "../print.ts";

export const freeze = command({
  summary: "start nothing more in an environment until a time; list and end freezes",
  usage: "freeze [ENVIRONMENT | list | end ID] [flags]",
  details: `What runs goes on, and rollbacks are never frozen. Examples:
  boreas freeze prod --until 4h --reason "Stocktaking" --role incident
  boreas freeze list
  boreas freeze end 0192f0 --reason "Counted"`,
  flags: {
    until: { type: "string", value: "TIME", help: "for so long (90m, 4h), or an instant (2026-12-24T18:00:00Z)" },
    reason: { type: "string", value: "TEXT", help: "why" },
    role: { type: "string", value: "ROLE", help: "who may start something nevertheless; else admins alone" },
    apps: { type: "list", value: "A,B", help: "only these applications" },
  },
  positionals: [0, 2],
  async run(context, [word = "list", operand], flags) {
    if (word === "list") return await listFreezes(context);
    const api = await context.api();
    if (!flags.reason) throw usageError(`Say why: boreas freeze ${word} ${operand ?? ""} --reason TEXT.`);
    if (word === "end") {
      if (operand === undefined) throw usageError("Say which freeze: boreas freeze end ID.");
      const found = (await api.freezes()).filter((one) => one.id?.startsWith(operand));
      if (found.length !== 1) throw new CliError(`No single freeze "${operand}"; see boreas freeze list.`);
      await api.endFreeze(found[0]!.id!, flags.reason);
      printResult(context, { ended: found[0]!.id }, `${found[0]!.environment} is no longer frozen by this one.`);
      return 0;
    }
    if (flags.until === undefined) throw usageError(`Say until when: boreas freeze ${word} --until 4h.`);
    const environment = await findEnvironment(api, word);
    const made = await api.createFreeze({
      environmentId: environment.id,
      until: instantOf(flags.until, context.host.now()),
      reason: flags.reason,
      ...(flags.role && { overrideRole: flags.role }),
      ...(flags.apps && { applications: flags.apps }),
    });
    printResult(context, made, `${made.environment} is frozen until ${made.until} (${shortId(made.id!)}).`);
    return 0;
  },
});

function instantOf(text: string, now: number): string {
  const seconds = parseDuration(text);
  const at = seconds === undefined ? Date.parse(text) : now + seconds * 1000;
  if (Number.isNaN(at)) throw usageError(`"${text}" is neither a duration such as 4h nor an instant.`);
  return new Date(at).toISOString();
}

async function listFreezes(context: CommandContext): Promise<number> {
  printList(
    context,
    await (await context.api()).freezes(),
    ["environment", "id", "now", "from", "until", "override", "applications", "why"],
    (one: Freeze) => [
      one.environment,
      one.id ? shortId(one.id) : "-",
      one.isActive ? "frozen" : "-",
      one.from ?? "-",
      one.until ?? "-",
      one.overrideRole ?? "admin",
      one.applications?.join(", ") ?? "all",
      one.cron ? `${one.reason} ${one.cron} for ${one.for}, ${one.tz}` : `${one.createdBy}: ${one.reason}`,
    ],
    "Nothing is frozen, and no freeze is planned.",
  );
  return 0;
}
