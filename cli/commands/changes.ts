import type { VersionChanges } from "../../protocol/http_api.ts";
import { command } from "../command.ts";
import { findVersion } from "../find.ts";
import type { CliHost } from "../host.ts";
import { printJson } from "../print.ts";
import { sayTable } from "../table.ts";

const MOST_COMMITS = 200;
const RELATION = {
  same: "the same commit as",
  newer: "newer than",
  older: "older than",
  diverged: "diverged from",
  unrelated: "not comparable with",
};

export const changes = command({
  summary: "show what changed from one version to another",
  usage: "changes VERSION VERSION [flags]",
  details: "Commits, and what would run differently in each environment. Secrets are named, never shown.",
  flags: {
    app: { type: "list", value: "A,B", help: "only these applications" },
    env: { type: "string", short: "e", value: "NAME", help: "only in this environment" },
  },
  positionals: [2, 2],
  async run(context, [one, other], flags) {
    const api = await context.api();
    const [from, to] = [await findVersion(api, one!), await findVersion(api, other!)];
    const all = await api.versionChanges(to.id, from.id, MOST_COMMITS);
    const shown = {
      ...all,
      applications: all.applications.filter((change) =>
        (!flags.app || flags.app.includes(change.application)) && (!flags.env || flags.env === change.environment)
      ),
    };
    if (context.json) printJson(context.host, shown);
    else context.host.write(sayChanges(context.host, shown));
    return 0;
  },
});

function sayChanges(host: CliHost, { from, to, relation, ...rest }: VersionChanges): string {
  const commits = rest.commits.map((c) => `  ${c.commit.slice(0, 12)}  ${c.subject} (${c.author})\n`).join("");
  const more = rest.nextCommitsFrom === null ? "" : "  and more\n";
  const applications = rest.applications.map(({ application, environment, action, values, more }) =>
    `\n${application} in ${environment}: ${action}\n` +
    (action === "changed" ? sayTable(host, ["key", "before", "after"], values.map(sayValue)) : "") +
    (more > 0 ? `and ${more} more\n` : "")
  );
  return `${to.version} is ${RELATION[relation]} ${from.version}\n` +
    (rest.commitsMissing === null ? commits + more : `${rest.commitsMissing}\n`) +
    (applications.length > 0 ? applications.join("") : "\nNothing would run differently.\n");
}

const sayValue = ({ path, before, after }: VersionChanges["applications"][number]["values"][number]) => [
  path,
  before ?? "-",
  after ?? "-",
];
