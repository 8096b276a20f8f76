/** What a person does with one machine: look at it, hold it back, empty it, let it in, send it away. */
import type { Agent } from "../../protocol/http_api.ts";
import type { ApiClient } from "../api_client.ts";
import { splitOnce } from "../arguments.ts";
import type { CommandContext } from "../command.ts";
import { CliError, usageError } from "../host.ts";
import { printJson, printResult, sayAge } from "../print.ts";

const DONE = {
  cordon: "takes no new task",
  uncordon: "takes tasks again",
  drain: "is given nothing new; what runs on it goes on to its end",
  approve: "is approved and is given work",
  rotate: "makes new keys as soon as it is connected; what runs on it goes on",
} as const;
export type AgentAct = keyof typeof DONE;
export const AGENT_ACTS = Object.keys(DONE) as AgentAct[];

const LOOK_AGAIN_MS = 2000;

export async function actOnAgent(
  context: CommandContext,
  api: ApiClient,
  agent: Agent,
  act: AgentAct,
  watches: boolean,
): Promise<number> {
  const after = await api.actOnAgent(agent.id, act);
  if (act === "drain" && watches) return await watchDrain(context, api, after);
  const left = act === "drain" && after.busySlots > 0 ? ` ${tasks(after.busySlots)} left.` : "";
  printResult(context, { id: agent.id, name: agent.name, did: act }, `${agent.name} ${DONE[act]}.${left}`);
  return 0;
}

/** Says how many tasks are left each time that changes; an interrupt ends the watching and leaves the drain. */
async function watchDrain(context: CommandContext, api: ApiClient, begun: Agent): Promise<number> {
  const { host } = context;
  const interrupted = new AbortController();
  const unlisten = host.onInterrupt(() => interrupted.abort());
  try {
    let left = -1;
    for (let agent = begun;; agent = await api.agent(begun.id)) {
      if (!agent.drain) throw new CliError(`Somebody stopped the drain of ${agent.name}: it takes tasks again.`);
      if (agent.drain.drainedAt !== null || agent.busySlots === 0) {
        printResult(context, { id: agent.id, name: agent.name, did: "drain" }, `${agent.name} is empty.`);
        return 0;
      }
      if (agent.busySlots !== left) host.writeError(`${agent.name}: ${tasks(left = agent.busySlots)} left.\n`);
      await host.wait(LOOK_AGAIN_MS, interrupted.signal);
      if (interrupted.signal.aborted) {
        throw new CliError(`Stopped watching; the drain goes on. Take it back: boreas agents uncordon ${agent.name}`);
      }
    }
  } finally {
    unlisten();
  }
}
const tasks = (count: number) => (count === 1 ? "1 task" : `${count} tasks`);

/** `key=value` sets a label, `key-` takes it away; the others stay. */
export async function labelAgent(
  context: CommandContext,
  api: ApiClient,
  agent: Agent,
  changes: readonly string[],
): Promise<number> {
  if (changes.length === 0) throw usageError("Say which labels: boreas agents label NAME key=value other-.");
  const labels = { ...agent.labels };
  for (const change of changes) {
    const [key, value] = splitOnce(change, "=");
    if (key && value !== undefined) labels[key] = value;
    else if (change.endsWith("-") && change.length > 1) delete labels[change.slice(0, -1)];
    else throw usageError(`A label is key=value, or key- to take it away; not "${change}".`);
  }
  const after = await api.updateAgent(agent.id, { labels });
  printResult(context, after, `${agent.name} has ${sayLabels(after.labels)}.`);
  return 0;
}

export const sayLabels = (labels: Agent["labels"]): string =>
  Object.entries(labels).map(([key, value]) => `${key}=${value}`).join(", ") || "-";

/** In words, everything that a person may have to do something about. */
export const sayState = (a: Agent): string =>
  [
    a.status,
    ...(a.awaitsApproval ? ["waits for approval"] : []),
    ...(a.drain ? [a.drain.drainedAt === null ? "draining" : "drained"] : a.cordoned ? ["cordoned"] : []),
  ].join(", ");

export function showAgent({ host, json }: CommandContext, a: Agent): number {
  if (json) return printJson(host, a), 0;
  const { policy, ...facts } = a.facts;
  const rows: [string, string][] = [
    ["name", a.name],
    ["id", a.id],
    ["state", `${sayState(a)} (${a.reason.text})`],
    ["slots", `${a.busySlots} of ${a.slots} in use`],
    ["labels", sayLabels(a.labels)],
    ["environments", a.environments.map((e) => e.name).join(", ") || "-"],
    ["versions", Object.entries(a.versions).map(([name, version]) => `${name} ${version}`).join(", ") || "-"],
    ["last seen", a.status === "connected" ? "now" : sayAge(a.lastSeenAt, host.now())],
    ["keys", a.keys ? `since ${a.keys.since}${a.keys.isRenewalWanted ? ", new ones asked for" : ""}` : "-"],
    ["policy", policy ? sayValue(policy) : "allows everything that the agent's user may do"],
    ...Object.entries(facts).map(([name, value]): [string, string] => [name, sayValue(value)]),
  ];
  const wide = Math.max(...rows.map(([name]) => name.length));
  for (const [name, value] of rows) host.write(`${name.padEnd(wide)}  ${value}\n`);
  return 0;
}
const sayValue = (value: unknown): string =>
  Array.isArray(value)
    ? value.map(sayValue).join(", ") || "none"
    : typeof value === "object" && value !== null
    ? Object.entries(value).map(([name, each]) => `${name}: ${sayValue(each)}`).join("; ")
    : String(value);
