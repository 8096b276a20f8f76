import type { Trigger, TriggerRun } from "../../protocol/http_api.ts";
import type { ApiClient } from "../api_client.ts";
import { command, type CommandContext } from "../command.ts";
import { findTrigger } from "../find.ts";
import { CliError, usageError } from "../host.ts";
import { paint, printList, printResult, sayAge } from "../print.ts";
import { watchToEnd } from "./watch_to_end.ts";

const WORDS = ["list", "fire", "runs", "enable", "disable"] as const;
const LOOK_MS = 1000;

interface Flags {
  version?: string;
  "dry-run"?: boolean;
  watch?: boolean;
  limit?: string;
}

export const triggers = command({
  summary: "list what makes deployments, see why it did or did not, fire one",
  usage: "triggers [list | fire NAME | runs NAME | enable NAME | disable NAME] [flags]",
  details:
    `NAME is a trigger's name or its id. fire ends with 0 when it fired, or would; with 1 and the reason when not.
Example:
  boreas triggers fire nightly --dry-run`,
  flags: {
    version: { type: "string", value: "NAME", help: "fire: this version; what the trigger says unless told" },
    "dry-run": { type: "boolean", help: "fire: say what would happen, and do nothing" },
    watch: { type: "boolean", short: "w", help: "fire: follow the deployment to its end" },
    limit: { type: "string", value: "N", help: "runs: how many; 20 unless told" },
  },
  positionals: [0, 2],
  async run(context, [word = "list", operand], flags) {
    if (!(WORDS as readonly string[]).includes(word)) {
      throw usageError(`Unknown word "${word}" after triggers; there is ${WORDS.join(", ")}.`);
    }
    const home = { version: "fire", "dry-run": "fire", watch: "fire", limit: "runs" } as const;
    for (const [flag, of] of Object.entries(home)) {
      if (flags[flag as keyof Flags] !== undefined && flags[flag as keyof Flags] !== false && word !== of) {
        throw usageError(`--${flag} goes with \`boreas triggers ${of}\`.`);
      }
    }
    const api = await context.api();
    if (word === "list") {
      if (operand !== undefined) throw usageError(`"${operand}" is one word too many.`);
      return listTriggers(context, await api.triggers());
    }
    if (operand === undefined) throw usageError(`Say which trigger: boreas triggers ${word} NAME.`);
    const trigger = await findTrigger(api, operand);
    if (word === "fire") return await fire(context, api, trigger, flags);
    if (word === "runs") return await listRuns(context, api, trigger, flags.limit);
    const now = await api.updateTrigger(trigger.id, { enabled: word === "enable" });
    printResult(context, now, `${now.name} is ${now.enabled ? "on" : "off"}.`);
    return 0;
  },
});

function listTriggers(context: CommandContext, all: readonly Trigger[]): number {
  printList(
    context,
    all,
    ["name", "on", "environment", "start", "from", "next tick", "last"],
    (t) => [
      t.name + (t.enabled ? "" : " (off)"),
      t.on,
      t.environment,
      t.start,
      t.source === "file" ? "boreas.yaml" : t.createdBy,
      t.nextDueAt ?? "-",
      t.lastRun ? `${sayAge(t.lastRun.createdAt, context.host.now())}: ${t.lastRun.reason.text}` : "-",
    ],
    "There is no trigger: each new version waits for a person in every environment it is bound to.",
  );
  return 0;
}

async function listRuns(context: CommandContext, api: ApiClient, trigger: Trigger, limit = "20"): Promise<number> {
  if (!/^[1-9]\d{0,3}$/.test(limit)) throw usageError(`--limit takes a whole number from 1 to 9999, not "${limit}".`);
  printList(
    context,
    await api.triggerRuns(trigger.id, Number(limit)),
    ["when", "event", "version", "outcome", "why"],
    (run) => [
      sayAge(run.createdAt, context.host.now()),
      run.event + (run.dryRun ? " (dry run)" : ""),
      run.version ?? "-",
      paint(context.host, run.outcome === "fired" ? "success" : "", run.outcome.replaceAll("_", " ")),
      run.reason.text,
    ],
    `${trigger.name} has seen no event yet.`,
  );
  return 0;
}

async function fire(context: CommandContext, api: ApiClient, trigger: Trigger, flags: Flags): Promise<number> {
  const dryRun = flags["dry-run"] ?? false;
  if (dryRun && flags.watch) {
    throw usageError("--watch and --dry-run exclude each other: nothing is made to be watched.");
  }
  const asked = await api.fireTrigger(trigger.id, { dryRun, ...(flags.version && { version: flags.version }) });
  const run = await awaitDecision(context, api, asked);
  if (flags.watch && run.deploymentId) return await watchToEnd(context, api, run.deploymentId);
  const link = run.deploymentId ? ` See it with: boreas status ${run.deploymentId}` : "";
  printResult(context, run, `${run.reason.text}${link}`);
  return run.outcome === "fired" ? 0 : 1;
}

/** No master may lead for the moment; whoever waits sees that, and may stop. */
async function awaitDecision(context: CommandContext, api: ApiClient, asked: TriggerRun): Promise<TriggerRun> {
  const { host } = context;
  const interrupted = new AbortController();
  const unlisten = host.onInterrupt(() => interrupted.abort());
  try {
    let said = "";
    for (let run = asked;; run = await api.triggerRun(asked.id)) {
      if (run.outcome !== "waiting") return run;
      if (said !== run.reason.text) host.writeError(`${run.reason.text}\n`);
      said = run.reason.text;
      await host.wait(LOOK_MS, interrupted.signal);
      if (interrupted.signal.aborted) {
        throw new CliError(`Stopped waiting; it is decided all the same. See: boreas triggers runs ${asked.trigger}`);
      }
    }
  } finally {
    unlisten();
  }
}
