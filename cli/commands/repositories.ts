import { type Provider, PROVIDERS } from "../../protocol/http_api.ts";
import type { ApiClient } from "../api_client.ts";
import { command, type CommandContext } from "../command.ts";
import { findRepository } from "../find.ts";
import { CliError, usageError } from "../host.ts";
import { printList, printResult, sayAge } from "../print.ts";

const WORDS = ["list", "add", "sync", "deliveries", "statuses"] as const;

export const repositories = command({
  summary: "list, register and read Git repositories, see what their hooks brought and what their providers were told",
  usage: "repositories [list | add URL | sync URL | deliveries URL | statuses URL] [flags]",
  details: `add reads the webhook secret from standard input or BOREAS_WEBHOOK_SECRET, and the credential
from BOREAS_REPOSITORY_CREDENTIAL, and the token for the provider's API, where plans and commit statuses are told,
from BOREAS_REPOSITORY_STATUS_TOKEN, so that none of them stands in a command line.
statuses lists what the provider was told of commits; with --resend ID one is told once more.`,
  flags: {
    provider: { type: "string", value: "NAME", help: `add: ${PROVIDERS.join(", ")}` },
    branch: { type: "string", value: "NAME", help: "add: the default branch; main unless told" },
    tags: { type: "string", value: "GLOB", help: "add: tags that become versions" },
    config: { type: "list", value: "A,B", help: "add: where its boreas.yaml files are" },
    "api-url": { type: "string", value: "URL", help: "add: of the provider's API, where its host does not tell" },
    commit: { type: "string", value: "SHA", help: "statuses: of this commit; its first digits do" },
    resend: { type: "string", value: "ID", help: "statuses: tell this one once more" },
    limit: { type: "string", value: "N", help: "deliveries, statuses: how many; 20 unless told" },
  },
  positionals: [0, 2],
  async run(context, [word = "list", operand], flags) {
    if (word === "list" && operand === undefined) return await listRepositories(context);
    if (!(WORDS as readonly string[]).includes(word)) {
      throw usageError(`Unknown word "${word}" after repositories; there is ${WORDS.join(", ")}.`);
    }
    if (operand === undefined) throw usageError(`Say which repository: boreas repositories ${word} URL.`);
    if (word === "add") return await addRepository(context, operand, flags);
    const api = await context.api();
    const repository = await findRepository(api, operand);
    if (word === "sync") {
      await api.syncRepository(repository.id);
      printResult(context, { id: repository.id }, `${repository.url} is being read; see its deliveries.`);
      return 0;
    }
    if (flags.limit !== undefined && !/^[1-9]\d{0,3}$/.test(flags.limit)) {
      throw usageError(`--limit takes a whole number from 1 to 9999, not "${flags.limit}".`);
    }
    if (word === "statuses") return await tellStatuses(context, api, repository.id, flags);
    printList(
      context,
      await api.deliveries(repository.id, Number(flags.limit ?? 20)),
      ["received", "source", "ref", "commit", "status", "reason"],
      (d) => [
        sayAge(d.receivedAt, context.host.now()),
        d.source,
        d.ref ?? "-",
        d.commit?.slice(0, 12) ?? "-",
        d.status,
        [d.reason.text, ...d.problems.map((p) => `${p.file}:${p.line}: ${p.message}`)].join(" "),
      ],
      "Nothing was delivered yet.",
    );
    return 0;
  },
});

async function tellStatuses(
  context: CommandContext,
  api: ApiClient,
  repositoryId: string,
  flags: { commit?: string; resend?: string; limit?: string },
): Promise<number> {
  if (flags.resend !== undefined) {
    const status = await api.resendStatus(repositoryId, flags.resend);
    printResult(context, status, `${status.context} of ${status.commit.slice(0, 12)} is told once more.`);
    return 0;
  }
  if (flags.commit !== undefined && !/^[0-9a-f]{4,64}$/.test(flags.commit)) {
    throw usageError(`--commit takes at least the first 4 digits of a commit, not "${flags.commit}".`);
  }
  const filter = flags.commit === undefined ? {} : { commit: flags.commit };
  printList(
    context,
    await api.commitStatuses(repositoryId, filter, Number(flags.limit ?? 20)),
    ["changed", "commit", "context", "state", "says", "told", "reason", "id"],
    (s) => [
      sayAge(s.changedAt, context.host.now()),
      ...[s.commit.slice(0, 12), s.context, s.state, s.description, s.status, s.reason.text, s.id],
    ],
    "The provider was told of no commit; the repository needs a statusToken for that.",
  );
  return 0;
}

async function listRepositories(context: CommandContext): Promise<number> {
  const api = await context.api();
  printList(
    context,
    await api.repositories(),
    ["url", "provider", "branch", "read", "webhook", "state"],
    (r) => [
      r.url,
      r.provider,
      r.branch,
      sayAge(r.lastSyncedAt, context.host.now()),
      r.webhookPath,
      r.reason.text,
    ],
    "No repository is registered yet; see `boreas repositories add --help`.",
  );
  return 0;
}

async function addRepository(
  context: CommandContext,
  url: string,
  flags: { provider?: string; branch?: string; tags?: string; config?: string[]; "api-url"?: string },
): Promise<number> {
  const { host } = context;
  const provider = flags.provider ?? guessProvider(url);
  if (!PROVIDERS.includes(provider as Provider)) {
    throw usageError(`--provider is one of ${PROVIDERS.join(", ")}, not "${provider}".`);
  }
  const webhookSecret = host.env.BOREAS_WEBHOOK_SECRET ??
    (host.isTerminal
      ? await host.prompt("Webhook secret (16 characters or more): ", true)
      : (await host.readInput()).trim());
  if (webhookSecret.length < 16) throw new CliError("The webhook secret needs at least 16 characters.", 2);
  const api = await context.api();
  const repository = await api.createRepository({
    url,
    provider: provider as Provider,
    webhookSecret,
    ...(flags.branch ? { branch: flags.branch } : {}),
    ...(flags.tags ? { tagPattern: flags.tags } : {}),
    ...(flags.config ? { configPaths: flags.config } : {}),
    ...(flags["api-url"] ? { apiUrl: flags["api-url"] } : {}),
    ...(host.env.BOREAS_REPOSITORY_STATUS_TOKEN ? { statusToken: host.env.BOREAS_REPOSITORY_STATUS_TOKEN } : {}),
    ...(host.env.BOREAS_REPOSITORY_CREDENTIAL ? { credential: host.env.BOREAS_REPOSITORY_CREDENTIAL } : {}),
  });
  printResult(context, repository, `Registered. Send its hooks to ${api.url}${repository.webhookPath}`);
  return 0;
}

function guessProvider(url: string): string {
  const host = url.replace(/^[a-z+]+:\/\//, "").replace(/^[^@/]*@/, "").split(/[/:]/)[0] ?? "";
  return ["github", "gitlab", "bitbucket", "gitea", "forgejo"].find((p) => host.includes(p)) ?? "generic";
}
