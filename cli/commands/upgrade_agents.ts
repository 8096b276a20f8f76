/** `boreas agents upgrade`: one machine first, then in batches; followed to the end with `--watch`. */
import type { Upgrade, UpgradeAgent } from "../../protocol/http_api.ts";
import type { ApiClient } from "../api_client.ts";
import { splitOnce } from "../arguments.ts";
import type { CommandContext } from "../command.ts";
import { findAgent } from "../find.ts";
import { CliError, usageError } from "../host.ts";
import { printJson } from "../print.ts";

export interface UpgradeFlags {
  all?: boolean;
  labels?: string[];
  batch?: string;
  downgrade?: boolean;
  cancel?: string;
  watch?: boolean;
}
const LOOK_MS = 1000;

export async function upgradeAgents(context: CommandContext, names: string[], flags: UpgradeFlags): Promise<number> {
  const api = await context.api();
  if (flags.cancel !== undefined) {
    const cancelled = await api.cancelUpgrade(flags.cancel);
    if (context.json) printJson(context.host, cancelled);
    else context.host.write(`${cancelled.reason.text}\n`);
    return 0;
  }
  const chosen = [names.length > 0, flags.labels !== undefined, flags.all === true].filter(Boolean).length;
  if (chosen !== 1) {
    throw usageError("Say which: boreas agents upgrade NAME.., or --labels K=V, or --all.");
  }
  const ids = names.length > 0
    ? await Promise.all(names.map(async (name) => (await findAgent(api, name)).id))
    : undefined;
  const labels = flags.labels && Object.fromEntries(flags.labels.map((text) => {
    const [key, value] = splitOnce(text, "=");
    if (!key || value === undefined) throw usageError(`--labels takes key=value, not "${text}".`);
    return [key, value];
  }));
  if (flags.batch !== undefined && !/^[1-9]\d{0,2}$/.test(flags.batch)) {
    throw usageError(`--batch takes a number from 1 to 999, not "${flags.batch}".`);
  }
  const upgrade = await api.upgradeAgents({
    ids,
    labels,
    downgrade: flags.downgrade ?? false,
    ...(flags.batch === undefined ? {} : { batch: Number(flags.batch) }),
  });
  if (flags.watch) return await watch(context, api, upgrade);
  if (context.json) printJson(context.host, upgrade);
  else {
    context.host.write(
      `${upgrade.agents.length} agents go to ${upgrade.version}, one first and then ${upgrade.batch} at a time.\n` +
        `Stop it with: boreas agents upgrade --cancel ${upgrade.id}\n`,
    );
  }
  return 0;
}

/** Each change of an agent on a line of its own; 0 only when it was completed. */
async function watch(context: CommandContext, api: ApiClient, begun: Upgrade): Promise<number> {
  const { host } = context;
  const interrupted = new AbortController();
  const unlisten = host.onInterrupt(() => interrupted.abort());
  const said = new Map<string, string>();
  const tell = (agent: UpgradeAgent) => {
    const line = `${agent.name}  ${agent.state}  ${agent.reason.text}`;
    if (said.get(agent.agentId) !== line) host.writeError(`${line}\n`);
    said.set(agent.agentId, line);
  };
  try {
    for (let upgrade = begun;; upgrade = await api.upgrade(begun.id)) {
      upgrade.agents.forEach(tell);
      if (upgrade.status !== "running") {
        if (context.json) printJson(host, upgrade);
        else host.write(`${upgrade.status}: ${upgrade.reason.text}\n`);
        return upgrade.status === "completed" ? 0 : 1;
      }
      await host.wait(LOOK_MS, interrupted.signal);
      if (interrupted.signal.aborted) {
        throw new CliError(
          `Stopped watching; the upgrade goes on. Stop it with: boreas agents upgrade --cancel ${begun.id}`,
        );
      }
    }
  } finally {
    unlisten();
  }
}
