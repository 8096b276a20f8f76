import type { ApplicationDocument, ConfigDocument, PlanDocument, Trigger } from "../../protocol/config_file.ts";
import type { Preview } from "../../protocol/http_api.ts";
import { command, type CommandContext } from "../command.ts";
import { findEnvironment, findRepository, findVersion } from "../find.ts";
import { type CliHost, usageError } from "../host.ts";
import { printJson } from "../print.ts";
import { sayTable } from "../table.ts";
import { readConfig, readStrategy } from "./read_config.ts";

export const plan = command({
  summary: "check a boreas.yaml, or show what a deployment would do",
  usage: "plan [FILE] | plan --version VERSION -e ENVIRONMENT | plan --repository URL --ref REF -e ENVIRONMENT",
  details: `Checking a file (boreas.yaml unless named, - reads standard input) needs no server.
With --version and --environment the server plans it and stores nothing.
With --repository and --ref or --commit it plans what no version stands for yet, as before a merge.`,
  flags: {
    version: { type: "string", value: "VERSION", help: "a recorded version" },
    repository: { type: "string", value: "URL", help: "a registered repository, for --ref and --commit" },
    ref: { type: "string", value: "REF", help: "a branch or tag that is not merged or recorded" },
    commit: { type: "string", value: "SHA", help: "a commit that is not merged or recorded" },
    environment: { type: "string", short: "e", value: "NAME", help: "where it would go" },
    apps: { type: "list", value: "A,B", help: "only these applications" },
    order: { type: "list", value: "A,B", help: "deploy these one after another" },
    strategy: {
      type: "string",
      value: "FILE",
      help: "how it would go over its targets, instead of the applications' own",
    },
  },
  positionals: [0, 1],
  async run(context, [file], flags) {
    if (flags.ref || flags.commit || flags.repository) {
      if (file !== undefined || flags.version) throw usageError("--ref and --commit go without a file and --version.");
      if (flags.strategy !== undefined) throw usageError("--strategy goes with --version and --environment.");
      return await planCommit(context, flags);
    }
    if (!flags.version && !flags.environment) {
      if (flags.apps || flags.order || flags.strategy !== undefined) {
        throw usageError("--apps, --order and --strategy go with --version and --environment.");
      }
      const documents = await readConfig(context.host, file);
      if (context.json) printJson(context.host, documents);
      else context.host.write(sayConfig(context.host, documents));
      return 0;
    }
    if (!flags.version || !flags.environment) throw usageError("--version and --environment go together.");
    if (file !== undefined) throw usageError("A file is checked without --version and --environment.");
    const strategy = flags.strategy !== undefined ? await readStrategy(context.host, flags.strategy) : undefined;
    const api = await context.api();
    const [version, environment] = [
      await findVersion(api, flags.version),
      await findEnvironment(api, flags.environment),
    ];
    const preview = await api.previewDeployment({
      versionId: version.id,
      environmentId: environment.id,
      applications: flags.apps,
      mustInOrder: flags.order,
      strategy,
    });
    if (context.json) printJson(context.host, preview);
    else context.host.write(`${version.version} to ${environment.name}\n${sayPreview(context.host, preview)}`);
    return 0;
  },
});

interface CommitFlags {
  repository?: string;
  ref?: string;
  commit?: string;
  environment?: string;
}
async function planCommit(context: CommandContext, flags: CommitFlags): Promise<number> {
  const { repository: url, ref, commit } = flags;
  if (!flags.environment || (!ref && !commit)) {
    throw usageError("Say what and where: boreas plan --repository URL --ref REF -e ENVIRONMENT.");
  }
  const api = await context.api();
  const all = await api.repositories();
  if (!url && all.length !== 1) throw usageError("Say of which repository: --repository URL.");
  const repository = url ? await findRepository(api, url) : all[0]!;
  const environment = await findEnvironment(api, flags.environment);
  const preview = await api.previewCommit({ repositoryId: repository.id, environmentId: environment.id, ref, commit });
  if (context.json) printJson(context.host, preview);
  else context.host.write(`${ref ?? commit} to ${environment.name}\n${sayPreview(context.host, preview)}`);
  return 0;
}

function sayApplications(host: CliHost, preview: Preview): string {
  const rows = preview.summary.map((app) => [
    app.application,
    app.action.replace("_", " "),
    app.strategy ?? "-",
    [
      ...(app.targets > 1 ? [`${app.targets} targets`] : []),
      ...app.hooks,
      ...app.gates,
      ...app.approvals.map((approval) => `approval ${approval}`),
      ...(app.note ? [app.note] : []),
    ].join(", ") || "-",
  ]);
  const changes = preview.summary.flatMap((app) =>
    app.changes.map(({ path, before, after }) => [app.application, path, before ?? "-", after ?? "-"])
  );
  return (rows.length > 0 ? sayTable(host, ["application", "action", "strategy", "with"], rows) + "\n" : "") +
    (changes.length > 0 ? sayTable(host, ["application", "key", "runs now", "then"], changes) + "\n" : "");
}

function sayPreview(host: CliHost, preview: Preview): string {
  const names = new Map(preview.tasks.map((t) => [t.key, t.name]));
  const rows = preview.tasks.map((task) => [
    `${task.parentKey === null ? "" : "  "}${task.name}`,
    task.type,
    task.target ?? "",
    task.action ?? "",
    task.dependsOn.map((key) => names.get(key) ?? key).join(", "),
  ]);
  return sayApplications(host, preview) + sayTable(host, ["task", "type", "target", "action", "after"], rows) +
    preview.warnings.map((w) => `warning: ${w}\n`).join("");
}

function sayConfig(host: CliHost, documents: readonly ConfigDocument[]): string {
  const applications = documents.filter((d): d is ApplicationDocument => d.kind === "Application");
  const plans = documents.filter((d): d is PlanDocument => d.kind === "Plan");
  const rows = applications.map((a) => [
    a.name,
    Object.keys(a.runtime ?? { "-": 0 }).join(),
    a.strategy?.type ?? "all",
    (a.needs ?? []).join(", ") || "-",
    Object.keys(a.environments ?? {}).join(", ") || "-",
  ]);
  const order = plans.flatMap((p) => p.mustInOrder ?? []);
  const triggers = plans.flatMap((p) => p.triggers ?? []).map(sayTrigger);
  return (rows.length > 0 ? sayTable(host, ["application", "runtime", "strategy", "needs", "overlays"], rows) : "") +
    (order.length > 0 ? `In order: ${order.join(" -> ")}\n` : "") +
    triggers.map((line) => `${line}\n`).join("") +
    `No mistakes found in ${documents.length} document${documents.length === 1 ? "" : "s"}.\n`;
}

function sayTrigger(trigger: Trigger): string {
  const what = trigger.on === "push"
    ? `A push to ${trigger.branch ?? "the default branch"}`
    : trigger.on === "tag"
    ? `A tag ${trigger.match ?? "of any name"}`
    : trigger.on === "cron"
    ? `The clock (${trigger.at}${trigger.tz ? ` ${trigger.tz}` : ""})`
    : trigger.on === "deployment"
    ? `A deployment to ${trigger.of}`
    : "A call of the API";
  const start =
    { auto: "at once", approve: "once approved", manual: "when a person starts it" }[trigger.start ?? "manual"];
  return `${what} deploys to ${trigger.environment} ${start}.`;
}
