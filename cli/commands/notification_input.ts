/** From flags, questions and the environment to a channel; what is secret never stands in a command line. */
import {
  CHANNEL_KINDS,
  type ChannelKind,
  NOTIFICATION_EVENTS,
  type NotificationTarget,
} from "../../protocol/http_api.ts";
import { splitOnce } from "../arguments.ts";
import type { CommandContext } from "../command.ts";
import { usageError } from "../host.ts";

interface RuleFlags {
  events?: string[];
  environments?: string[];
  applications?: string[];
  labels?: string[];
}
interface TargetFlags {
  kind?: string;
  host?: string;
  port?: string;
  security?: string;
  username?: string;
  from?: string;
  to?: string[];
}

export function readRule({ events = [], environments, applications, labels }: RuleFlags) {
  const unknown = events.find((event) => !NOTIFICATION_EVENTS.includes(event as never));
  if (unknown) throw usageError(`There is no event "${unknown}"; there is ${NOTIFICATION_EVENTS.join(", ")}.`);
  const pairs = labels?.map((text) => {
    const [key, value] = splitOnce(text, "=");
    if (!key || value === undefined) throw usageError(`--labels takes key=value, not "${text}".`);
    return [key, value] as const;
  });
  return {
    events: events as (typeof NOTIFICATION_EVENTS)[number][],
    ...(environments && { environments }),
    ...(applications && { applications }),
    ...(pairs && { labels: Object.fromEntries(pairs) }),
  };
}

/** @returns with `shown`, a secret that was made up and must be shown once */
export async function readTarget(
  { host }: CommandContext,
  flags: TargetFlags,
): Promise<{ target: NotificationTarget; shown?: string }> {
  const kind = flags.kind as ChannelKind | undefined;
  if (!kind || !CHANNEL_KINDS.includes(kind)) throw usageError(`--kind is one of ${CHANNEL_KINDS.join(", ")}.`);
  const ask = async (variable: string, question: string, isNeeded: boolean): Promise<string | undefined> => {
    const given = host.env[variable] ?? (host.isTerminal ? (await host.prompt(question, true)).trim() : undefined);
    if (!given && isNeeded) throw usageError(`Set ${variable}, or run this at a terminal, which asks for it.`);
    return given || undefined;
  };
  const secret = (question: string) => ask("BOREAS_NOTIFICATION_SECRET", question, false);
  if (kind === "email") {
    const { host: server, from, to, username, security = "starttls", port = "587" } = flags;
    if (!server || !from || !to) throw usageError("email needs --host, --from and --to.");
    if (!/^\d{1,5}$/.test(port)) throw usageError(`--port takes a number, not "${port}".`);
    if (security !== "starttls" && security !== "tls" && security !== "none") {
      throw usageError(`--security is starttls, tls or none, not "${security}".`);
    }
    const password = username === undefined ? undefined : await secret("Password of the mail server: ");
    const login = username !== undefined && password !== undefined ? { username, password } : {};
    return { target: { kind, host: server, port: Number(port), security, from, to, ...login } };
  }
  const url = (await ask("BOREAS_NOTIFICATION_URL", "Address (it is not shown): ", true))!;
  if (kind === "slack" || kind === "wecom") return { target: { kind, url } };
  if (kind !== "webhook") {
    const given = await secret("Signing secret of the robot (empty if it has none): ");
    return { target: { kind, url, ...(given && { secret: given }) } };
  }
  const given = await secret("Signing secret (empty to make one): ");
  if (given) return { target: { kind, url, secret: given } };
  const made = `whsec_${btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(24))))}`;
  return { target: { kind, url, secret: made }, shown: made };
}
