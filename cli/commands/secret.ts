import type { Secret } from "../../protocol/http_api.ts";
import type { ApiClient } from "../api_client.ts";
import { command, type CommandContext } from "../command.ts";
import { findApplication, findEnvironment } from "../find.ts";
import { CliError, usageError } from "../host.ts";
import { printList, printResult, sayAge } from "../print.ts";

const WORDS = ["list", "set", "delete"] as const;
interface Scope {
  environmentId: string | null;
  applicationId: string | null;
}

export const secret = command({
  summary: "give an application a secret, list names, take one away",
  usage: "secret [list | set NAME | delete NAME] [flags]",
  details:
    `set reads the value from standard input, or asks for it: it never stands in a command line. Of several with one
name the most specific counts: application and environment, application, environment, everybody.
Example:
  printf %s "$PASSWORD" | boreas secret set DB_PASSWORD --environment prod --application order-service`,
  flags: {
    environment: { type: "string", value: "NAME", help: "for this environment alone" },
    application: { type: "string", value: "NAME", help: "for this application alone" },
    "from-env": {
      type: "string",
      value: "VARIABLE",
      help: "set: the master's own, BOREAS_SECRET_VALUE_...; no value is read",
    },
    "from-file": {
      type: "string",
      value: "PATH",
      help: "set: below the master's BOREAS_SECRET_FILES; no value is read",
    },
  },
  positionals: [0, 2],
  async run(context, [word = "list", name], flags) {
    if (!(WORDS as readonly string[]).includes(word)) {
      throw usageError(`Unknown word "${word}" after secret; there is ${WORDS.join(", ")}.`);
    }
    const elsewhere = flags["from-env"] ?? flags["from-file"];
    if (elsewhere !== undefined && word !== "set") throw usageError("--from-env and --from-file go with set.");
    if (flags["from-env"] && flags["from-file"]) throw usageError("Give --from-env or --from-file, not both.");
    const api = await context.api();
    const scope: Scope = {
      environmentId: flags.environment ? (await findEnvironment(api, flags.environment)).id : null,
      applicationId: flags.application ? (await findApplication(api, flags.application)).id : null,
    };
    if (word === "list") return await listSecrets(context, api, scope);
    if (name === undefined) throw usageError(`Say which secret: boreas secret ${word} NAME.`);
    if (word === "delete") return await deleteSecret(context, api, name, scope);
    const set = await api.putSecret({
      name,
      ...scope,
      ...(flags["from-env"]
        ? { from: { env: flags["from-env"] } }
        : flags["from-file"]
        ? { from: { file: flags["from-file"] } }
        : { value: await readValue(context, name) }),
    });
    const then = set.rotatedAt ? " What runs with the old one is out of sync until it is deployed again." : "";
    printResult(context, set, `${name} is set${await sayScope(api, set)}.${then}`);
    return 0;
  },
});

async function readValue({ host }: CommandContext, name: string): Promise<string> {
  const given = host.isTerminal ? await host.prompt(`Value of ${name}: `, true) : await host.readInput();
  // What `echo` adds is not part of it.
  const value = given.replace(/\r?\n$/, "");
  if (value.length >= 4) return value;
  throw new CliError(
    value === ""
      ? `No value: give it on standard input, as in printf %s "$VALUE" | boreas secret set ${name}.`
      : "A secret needs at least 4 characters: a shorter one could not be masked in logs.",
    2,
  );
}

async function listSecrets(context: CommandContext, api: ApiClient, scope: Scope): Promise<number> {
  const [all, names] = await Promise.all([
    api.secrets({ environmentId: scope.environmentId ?? undefined, applicationId: scope.applicationId ?? undefined }),
    readNames(api),
  ]);
  printList(
    context,
    all,
    ["name", "environment", "application", "value", "last new value", "by"],
    (s) => [
      s.name,
      nameOf(names, s.environmentId, "every"),
      nameOf(names, s.applicationId, "every"),
      s.provider === "boreas" ? "stored" : `${s.provider}: ${s.reference}`,
      sayAge(s.rotatedAt ?? s.createdAt, context.host.now()),
      s.rotatedBy ?? s.createdBy,
    ],
    "No secret is set yet; see `boreas secret set --help`.",
  );
  return 0;
}

async function deleteSecret(context: CommandContext, api: ApiClient, name: string, scope: Scope): Promise<number> {
  const all = (await api.secrets()).filter((s) => s.name === name);
  const found = all.find((s) => s.environmentId === scope.environmentId && s.applicationId === scope.applicationId);
  if (!found) {
    const there = all.length === 0
      ? "There is none of that name."
      : `It is set ${all.length} times; say --environment and --application.`;
    throw new CliError(`No secret ${name} of exactly that scope. ${there}`);
  }
  await api.deleteSecret(found.id);
  printResult(context, { id: found.id, name }, `${name} is gone; what runs keeps the value that it was started with.`);
  return 0;
}

async function readNames(api: ApiClient): Promise<Map<string, string>> {
  const [environments, applications] = await Promise.all([api.environments(), api.applications()]);
  return new Map([...environments, ...applications].map(({ id, name }) => [id, name]));
}
const nameOf = (names: Map<string, string>, id: string | null, none: string) =>
  id === null ? none : names.get(id) ?? id;

async function sayScope(api: ApiClient, { environmentId, applicationId }: Secret): Promise<string> {
  const names = await readNames(api);
  const application = applicationId ? ` for ${nameOf(names, applicationId, "")}` : "";
  return application + (environmentId ? ` in ${nameOf(names, environmentId, "")}` : "");
}
