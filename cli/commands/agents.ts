import { command, type CommandContext } from "../command.ts";
import { findAgent } from "../find.ts";
import { usageError } from "../host.ts";
import { printList, printResult, sayAge } from "../print.ts";
import { splitOnce } from "../arguments.ts";

const WORDS = ["list", "token", "revoke", "cordon", "uncordon"] as const;

export const agents = command({
  summary: "list machines, enrol one, hold one back or send one away",
  usage: "agents [list | token create | revoke NAME | cordon NAME | uncordon NAME] [flags]",
  details: `cordon: it finishes what it has and takes nothing new. revoke: it is cut off for good.
Example: boreas agents token create --environments staging --labels role=order`,
  flags: {
    labels: { type: "list", value: "K=V,..", help: "token create: labels of the machines that enrol with it" },
    environments: { type: "list", value: "A,B", help: "token create: environments they take tasks of" },
    uses: { type: "string", value: "N", help: "token create: how many machines may use it; 1 unless told" },
    hours: { type: "string", value: "N", help: "token create: how long it is good for; 1 unless told" },
    kind: { type: "string", value: "KIND", help: "token create: agent (a machine, unless told) or operator" },
    "approve-first": { type: "boolean", help: "token create: its machines wait until a person approves them" },
  },
  positionals: [0, 2],
  async run(context, [word = "list", operand], flags) {
    const given = Object.entries(flags).filter(([, v]) => v !== undefined && v !== false).map(([k]) => k);
    if (word !== "token" && given.length > 0) {
      throw usageError(`--${given[0]} goes with \`boreas agents token create\`.`);
    }
    if (word === "list" && operand === undefined) return await listAgents(context);
    if (word === "token" && operand === "create") return await createToken(context, flags);
    if (word === "token") throw usageError("Say what to do with tokens: boreas agents token create.");
    if (word === "revoke" || word === "cordon" || word === "uncordon") {
      if (operand === undefined) throw usageError(`Say which agent: boreas agents ${word} NAME.`);
      const api = await context.api();
      const agent = await findAgent(api, operand);
      if (word === "revoke") await api.revokeAgent(agent.id);
      else await api.cordonAgent(agent.id, word === "cordon");
      const done = { revoke: "is revoked", cordon: "takes no new task", uncordon: "takes tasks again" }[word];
      printResult(context, { id: agent.id, name: agent.name, did: word }, `${agent.name} ${done}.`);
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
      a.status + (a.cordoned ? ", cordoned" : ""),
      `${a.busySlots}/${a.slots}`,
      a.environments.map((e) => e.name).join(", ") || "-",
      Object.entries(a.labels).map(([k, v]) => `${k}=${v}`).join(", ") || "-",
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
