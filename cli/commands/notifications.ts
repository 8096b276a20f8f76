import type { Notification, NotificationDelivery } from "../../protocol/http_api.ts";
import type { ApiClient } from "../api_client.ts";
import { command, type CommandContext } from "../command.ts";
import { findNotification } from "../find.ts";
import { CliError, usageError } from "../host.ts";
import { printList, printResult, sayAge } from "../print.ts";
import { readRule, readTarget } from "./notification_input.ts";

const WORDS = ["list", "add", "test", "on", "off", "deliveries", "redeliver", "delete"] as const;
const FOLLOW_MS = 60_000;
const LOOK_MS = 500;

export const notifications = command({
  summary: "tell people: webhook, Slack, Lark, DingTalk, WeCom, email",
  usage:
    "notifications [list | add NAME | test NAME | on|off NAME | deliveries NAME | redeliver NAME ID | delete NAME] [flags]",
  details: `add asks for the address, or reads it from BOREAS_NOTIFICATION_URL, and what it signs or signs in with from
BOREAS_NOTIFICATION_SECRET: an address of a chat robot is a password, and no password stands in a command line. Without a
secret a webhook gets one, which is shown once.
Example:
  boreas notifications add ops --kind slack --events deployment.failed,agent.offline --environments prod`,
  flags: {
    kind: { type: "string", value: "KIND", help: "add: webhook, slack, lark, dingtalk, wecom or email" },
    events: { type: "list", value: "A,B", help: "add: which; all unless told" },
    environments: { type: "list", value: "A,B", help: "add: of these environments; * stands for any part of a name" },
    applications: { type: "list", value: "A,B", help: "add: of these applications" },
    labels: { type: "list", value: "K=V,..", help: "add: of applications with these labels" },
    language: { type: "string", value: "en|zh", help: "add: of the messages; en unless told" },
    user: { type: "string", value: "NAME", help: "add: whose it is; links that act in that name go only there" },
    host: { type: "string", value: "NAME", help: "email: the mail server" },
    port: { type: "string", value: "N", help: "email: 587 unless told" },
    security: { type: "string", value: "HOW", help: "email: starttls (unless told), tls or none" },
    username: { type: "string", value: "NAME", help: "email: who signs in" },
    from: { type: "string", value: "ADDRESS", help: "email: who writes" },
    to: { type: "list", value: "A,B", help: "email: who reads" },
  },
  positionals: [0, 3],
  async run(context, [word = "list", name, id], flags) {
    if (!(WORDS as readonly string[]).includes(word)) {
      throw usageError(`Unknown word "${word}" after notifications; there is ${WORDS.join(", ")}.`);
    }
    if (word === "list") return await listChannels(context);
    if (name === undefined) throw usageError(`Say which channel: boreas notifications ${word} NAME.`);
    if (word === "add") {
      const { target, shown } = await readTarget(context, flags);
      const made = await (await context.api()).createNotification({
        name,
        target,
        language: flags.language === "zh" ? "zh" : "en",
        username: flags.user ?? null,
        rules: [readRule(flags)],
      });
      const secret = shown ? ` It signs with ${shown}, which is shown only now.` : "";
      const shownOnce = shown ? { ...made, secret: shown } : made;
      printResult(
        context,
        shownOnce,
        `${name} is told from now on.${secret} Try it: boreas notifications test ${name}`,
      );
      return 0;
    }
    const api = await context.api();
    const channel = await findNotification(api, name);
    if (word === "test") return await follow(context, api, channel, await api.testNotification(channel.id));
    if (word === "redeliver") {
      if (id === undefined) throw usageError(`Say which message: boreas notifications redeliver ${name} ID.`);
      return await follow(context, api, channel, await api.redeliverNotification(channel.id, id));
    }
    if (word === "deliveries") return await listDeliveries(context, api, channel);
    if (word === "delete") {
      await api.deleteNotification(channel.id);
      printResult(context, { id: channel.id }, `${channel.name} is gone.`);
      return 0;
    }
    const changed = await api.updateNotification(channel.id, { enabled: word === "on" });
    printResult(context, changed, `${channel.name} is switched ${word}.`);
    return 0;
  },
});

async function listChannels(context: CommandContext): Promise<number> {
  printList(
    context,
    await (await context.api()).notifications(),
    ["name", "kind", "to", "told of", "on", "last"],
    (n) => [
      n.name,
      n.kind,
      n.destination,
      n.rules.map((rule) => sayRule(rule)).join("; "),
      n.enabled ? "yes" : "no",
      n.lastDelivery ? `${n.lastDelivery.status} ${sayAge(n.lastDelivery.createdAt, context.host.now())}` : "-",
    ],
    "Nobody is told of anything yet; see `boreas notifications add --help`.",
  );
  return 0;
}

function sayRule({ events, environments, applications, labels }: Notification["rules"][number]): string {
  const where = [
    ...environments ?? [],
    ...applications ?? [],
    ...Object.entries(labels ?? {}).map(([k, v]) => `${k}=${v}`),
  ];
  return (events.join(", ") || "everything") + (where.length > 0 ? ` of ${where.join(", ")}` : "");
}

async function listDeliveries(context: CommandContext, api: ApiClient, channel: Notification): Promise<number> {
  printList(
    context,
    await api.notificationDeliveries(channel.id),
    ["id", "when", "event", "tells", "status", "tries", "reason"],
    (d) => [
      d.id,
      sayAge(d.createdAt, context.host.now()),
      d.event,
      d.count === 1 ? d.names[0] ?? "-" : `${d.count}: ${d.names.join(", ")}`,
      d.status,
      String(d.attempts),
      d.reason.text,
    ],
    "Nothing was sent yet.",
  );
  return 0;
}

/** Until it was taken, or until it is clear that this try was not. */
async function follow(
  context: CommandContext,
  api: ApiClient,
  channel: Notification,
  asked: NotificationDelivery,
): Promise<number> {
  const { host } = context;
  let now = asked;
  for (let waited = 0; waited < FOLLOW_MS; waited += LOOK_MS) {
    const found = (await api.notificationDeliveries(channel.id)).find((d) => d.id === asked.id);
    if (!found) throw new CliError("The message is gone.");
    now = found;
    if (now.status === "sent") {
      printResult(context, now, now.reason.text);
      return 0;
    }
    if (now.status === "failed" || now.status === "dropped" || (now.status === "waiting" && now.attempts > 0)) break;
    await host.wait(LOOK_MS);
  }
  throw new CliError(now.reason.text);
}
