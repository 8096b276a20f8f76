import { command, type CommandContext } from "../command.ts";
import { findAgent } from "../find.ts";
import { usageError } from "../host.ts";
import { printList, printResult, sayAge } from "../print.ts";
import { splitOnce } from "../arguments.ts";
import { actOnAgent, AGENT_ACTS, labelAgent, sayLabels, sayState, showAgent } from "./agent_acts.ts";
import type { AgentAct } from "./agent_acts.ts";
import { upgradeAgents } from "./upgrade_agents.ts";

const WORDS = ["list", "show", "token", "label", "revoke", "upgrade", ...AGENT_ACTS];

export const agents = command({
  summary: "list machines, enrol one, hold one back or send one away",
  usage:
    "agents [list | show NAME | token create | label NAME K=V.. | cordon|uncordon|drain|approve|rotate|revoke NAME | upgrade NAME..] [flags]",
  details: `cordon: it finishes what it has and takes nothing new. drain: the same, and says when it is empty; uncordon
takes both back. approve: lets a machine work whose token asks for that. rotate: it makes new keys, nothing that runs
notices. revoke: it is cut off for good. upgrade: they take the master's version, one first, and go back if that fails.
Example:
  boreas agents token create --environments staging --labels role=order`,
  flags: {
    labels: { type: "list", value: "K=V,..", help: "token create: labels of the machines that enrol with it" },
    environments: { type: "list", value: "A,B", help: "token create: environments they take tasks of" },
    uses: { type: "string", value: "N", help: "token create: how many machines may use it; 1 unless told" },
    hours: { type: "string", value: "N", help: "token create: how long it is good for; 1 unless told" },
    kind: { type: "string", value: "KIND", help: "token create: agent (a machine, unless told) or operator" },
    watch: { type: "boolean", help: "drain, upgrade: follow it to the end" },
    all: { type: "boolean", help: "upgrade: every machine; --labels chooses some" },
    batch: { type: "string", value: "N", help: "upgrade: how many at once after the first; 5 unless told" },
    downgrade: { type: "boolean", help: "upgrade: also where a newer version runs" },
    cancel: { type: "string", value: "ID", help: "upgrade: stop the one with this id" },
    "approve-first": { type: "boolean", help: "token create: its machines wait until a person approves them" },
  },
  positionals: [0, 50],
  async run(context, [word = "list", operand, ...more], flags) {
    if (word === "upgrade") return await upgradeAgents(context, operand === undefined ? [] : [operand, ...more], flags);
    const given = Object.entries(flags).filter(([, v]) => v !== undefined && v !== false).map(([k]) => k);
    const stray = given.find((flag) => flag === "watch" ? word !== "drain" : word !== "token");
    if (stray) {
      throw usageError(`--${stray} goes with \`boreas agents ${stray === "watch" ? "drain" : "token create"}\`.`);
    }
    if (more.length > 0 && word !== "label") throw usageError(`"${more[0]}" is one word too many.`);
    if (word === "list" && operand === undefined) return await listAgents(context);
    if (word === "token" && operand === "create") return await createToken(context, flags);
    if (word === "token") throw usageError("Say what to do with tokens: boreas agents token create.");
    if (WORDS.includes(word)) {
      if (operand === undefined) throw usageError(`Say which agent: boreas agents ${word} NAME.`);
      const api = await context.api();
      const agent = await findAgent(api, operand);
      if (word === "show") return showAgent(context, agent);
      if (word === "label") return await labelAgent(context, api, agent, more);
      if (word !== "revoke") return await actOnAgent(context, api, agent, word as AgentAct, flags.watch ?? false);
      await api.revokeAgent(agent.id);
      printResult(context, { id: agent.id, name: agent.name, did: word }, `${agent.name} is revoked.`);
      return 0;
    }
    throw usageError(`Unknown word "${word}" after agents; there is ${WORDS.join(", ")}.`);
  },
});

async function listAgents(context: CommandContext): Promise<number> {
  const all = await (await context.api()).agents();
  printList(
    context,
    all,
    ["name", "status", "slots", "environments", "labels", "last seen"],
    (a) => [
      a.name + (a.embedded ? " (embedded)" : ""),
      sayState(a),
      `${a.busySlots}/${a.slots}`,
      a.environments.map((e) => e.name).join(", ") || "-",
      sayLabels(a.labels),
      a.status === "connected" ? "now" : sayAge(a.lastSeenAt, context.host.now()),
    ],
    "No agent is enrolled yet; see `boreas agents token create --help`.",
  );
  return 0;
}

async function createToken(
  context: CommandContext,
  flags: {
    labels?: string[];
    environments?: string[];
    uses?: string;
    hours?: string;
    kind?: string;
    "approve-first"?: boolean;
  },
): Promise<number> {
  const labels = Object.fromEntries((flags.labels ?? []).map((text) => {
    const [key, value] = splitOnce(text, "=");
    if (!key || value === undefined) throw usageError(`--labels takes key=value, not "${text}".`);
    return [key, value];
  }));
  const { kind = "agent" } = flags;
  if (kind !== "agent" && kind !== "operator") throw usageError(`--kind takes agent or operator, not "${kind}".`);
  const api = await context.api();
  const created = await api.createEnrollmentToken({
    labels,
    environments: flags.environments ?? [],
    uses: readCount("--uses", flags.uses, 1),
    expiresIn: readCount("--hours", flags.hours, 1) * 3600,
    kind,
    approveFirst: flags["approve-first"] ?? false,
  });
  printResult(
    context,
    created,
    `Paste this line on the machine (as root, leave sudo out):

${created.line}

It is shown only now, and good for ${created.usesLeft} machine${
      created.usesLeft === 1 ? "" : "s"
    } until ${created.expiresAt}.${created.approveFirst ? " Approve each one when it appears under Agents." : ""}`,
  );
  return 0;
}

function readCount(flag: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  if (!/^[1-9]\d{0,5}$/.test(text)) throw usageError(`${flag} takes a whole number above 0, not "${text}".`);
  return Number(text);
}
