import { AppBuild } from "../../protocol/http_api.ts";
import { splitOnce } from "../arguments.ts";
import { command, type CommandContext } from "../command.ts";
import { findVersion } from "../find.ts";
import { CliError, usageError } from "../host.ts";
import { printList, printResult, sayAge, shortId } from "../print.ts";

const WORDS = ["list", "create", "revert", "unrevert"] as const;
type Builds = Record<string, { image?: string; artifact?: string; script?: string }>;

export const version = command({
  summary: "record what CI built, list versions, mark one as bad",
  usage: "version [list | create VERSION | revert VERSION | unrevert VERSION] [flags]",
  details: `Example, at the end of a build:
  boreas version create v1.2 --commit "$COMMIT" --repository "$URL" --image order-service=reg.example.com/order@sha256:...`,
  flags: {
    commit: { type: "string", value: "SHA", help: "create: the commit it was built from" },
    tag: { type: "string", value: "TAG", help: "create: the Git tag" },
    repository: { type: "string", value: "URL", help: "create: the repository; it need not be registered" },
    description: { type: "string", value: "TEXT", help: "create: what it contains" },
    image: { type: "list", value: "APP=REF", help: "create: a container image" },
    artifact: { type: "list", value: "APP=URL", help: "create: an archive or file to download" },
    script: { type: "list", value: "APP=PATH", help: "create: a deploy script of the repository" },
    app: { type: "list", value: "A,B", help: "create: applications it contains that need no build" },
    builds: { type: "string", value: "FILE", help: "create: appBuilds as JSON; - reads standard input" },
    reason: { type: "string", value: "TEXT", help: "revert, unrevert: why" },
  },
  positionals: [0, 2],
  async run(context, [word = "list", operand], flags) {
    if (!(WORDS as readonly string[]).includes(word)) {
      throw usageError(`Unknown word "${word}" after version; there is ${WORDS.join(", ")}.`);
    }
    if (word === "list") return await listVersions(context);
    if (operand === undefined) throw usageError(`Say which version: boreas version ${word} VERSION.`);
    if (word !== "create" && !flags.reason) {
      throw usageError(`Say why: boreas version ${word} ${operand} --reason TEXT.`);
    }
    const api = await context.api();
    if (word === "create") {
      const created = await api.createVersion({
        version: operand,
        gitCommit: flags.commit ?? null,
        gitTag: flags.tag ?? null,
        repository: flags.repository ?? null,
        description: flags.description ?? "",
        appBuilds: { ...await readBuilds(context, flags.builds), ...readPairs(flags) },
      });
      printResult(context, created, `Recorded ${created.version} (${created.id}); builds ${created.builds}.`);
      return 0;
    }
    const { id, version: name } = await findVersion(api, operand);
    const changed = word === "revert"
      ? await api.revertVersion(id, flags.reason!)
      : await api.unrevertVersion(id, flags.reason!);
    printResult(context, changed, `${name} is ${changed.status === "revert" ? "marked as reverted" : "normal again"}.`);
    return 0;
  },
});

async function listVersions(context: CommandContext): Promise<number> {
  printList(
    context,
    await (await context.api()).versions({}, 50),
    ["version", "id", "commit", "status", "builds", "recorded", "applications"],
    (v) => [
      v.version,
      shortId(v.id),
      v.gitCommit?.slice(0, 12) ?? "-",
      v.status,
      v.builds,
      sayAge(v.createdAt, context.host.now()),
      v.applications.map((a) => a.name).join(", ") || "-",
    ],
    "No version is recorded yet.",
  );
  return 0;
}

function readPairs(flags: { image?: string[]; artifact?: string[]; script?: string[]; app?: string[] }): Builds {
  const builds: Builds = {};
  for (const kind of ["image", "artifact", "script"] as const) {
    for (const text of flags[kind] ?? []) {
      const [app, value] = splitOnce(text, "=");
      if (!app || !value) throw usageError(`--${kind} takes APPLICATION=VALUE, not "${text}".`);
      builds[app] = { ...builds[app], [kind]: value };
    }
  }
  for (const app of flags.app ?? []) builds[app] ??= {};
  return builds;
}

async function readBuilds({ host }: CommandContext, file: string | undefined): Promise<Record<string, AppBuild>> {
  if (file === undefined) return {};
  const text = file === "-" ? await host.readInput() : await host.readFile(file);
  if (text === undefined) throw new CliError(`There is no file ${file}.`);
  try {
    const builds = JSON.parse(text) as Record<string, unknown>;
    return Object.fromEntries(Object.entries(builds).map(([app, build]) => [app, AppBuild.parse(build)]));
  } catch (error: unknown) {
    throw new CliError(`${file} is not appBuilds as JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}
