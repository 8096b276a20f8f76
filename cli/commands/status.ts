import type { Carriers, DeploymentWithTasks, Overview } from "../../protocol/http_api.ts";
import { command } from "../command.ts";
import { findDeployment } from "../find.ts";
import type { CliHost } from "../host.ts";
import { paint, printJson, sayAge, sayDuration, sayWhat, shortId } from "../print.ts";
import { sayTable } from "../table.ts";
import { printRunning } from "./running.ts";
import { watchToEnd } from "./watch_to_end.ts";

export const status = command({
  summary: "what runs where, or how one deployment goes",
  usage: "status [DEPLOYMENT | --app APPLICATION | --commit SHA] [flags]",
  details:
    "DEPLOYMENT is an id, its beginning, or latest. With --app: its processes on each machine, and what differs.",
  flags: {
    commit: { type: "string", value: "SHA", help: "everything that carries this commit; its beginning will do" },
    app: { type: "string", value: "NAME", help: "what runs of this application, as its agents see it now" },
    env: { type: "string", value: "NAME", help: "with --app: in this environment only" },
    watch: { type: "boolean", short: "w", help: "follow the deployment to its end; fails when it fails" },
  },
  positionals: [0, 1],
  async run(context, [wanted], flags) {
    const { host, json } = context;
    const api = await context.api();
    if (flags.commit !== undefined) {
      const carriers = await api.carriers(flags.commit.toLowerCase());
      if (json) printJson(host, carriers);
      else host.write(sayCarriers(host, carriers));
      return 0;
    }
    if (flags.app !== undefined) return await printRunning(context, api, { app: flags.app, env: flags.env });
    if (wanted === undefined && !flags.watch) {
      const overview = await api.overview();
      if (json) printJson(host, overview);
      else host.write(sayOverview(host, overview));
      return 0;
    }
    const { id } = await findDeployment(api, wanted ?? "latest");
    if (flags.watch) return await watchToEnd(context, api, id);
    const deployment = await api.deployment(id);
    if (json) printJson(host, deployment);
    else host.write(sayDeployment(host, deployment));
    return 0;
  },
});

function sayCarriers(host: CliHost, { commits, versions, running, deployments }: Carriers): string {
  return commits.map((c) => `${c.commit.slice(0, 12)}  ${c.subject} (${c.author})\n`).join("") +
    `Contained in ${versions.length === 0 ? "no version" : versions.slice(0, 20).map((v) => v.version).join(", ")}${
      versions.length > 20 ? ` and ${versions.length - 20} more` : ""
    }.\n` +
    (running.length === 0 ? "It runs nowhere.\n" : "\n" + sayTable(
      host,
      ["application", "environment", "target", "version", "health"],
      running.map((r) => [r.application, r.environment, r.target, r.version, paint(host, r.health)]),
    )) +
    (deployments.length === 0 ? "" : "\n" + sayTable(
      host,
      ["deployment", "version", "environment", "status", "created"],
      deployments.map((d) => [
        shortId(d.id),
        d.version,
        d.environment,
        d.status,
        sayAge(d.createdAt, host.now()),
      ]),
    ));
}

function sayOverview(host: CliHost, overview: Overview): string {
  const cells = new Map(overview.grid.map((c) => [`${c.applicationId} ${c.environmentId}`, c]));
  const grid = overview.applications.map((application) => [
    application.name,
    ...overview.environments.map((environment) => {
      const cell = cells.get(`${application.id} ${environment.id}`);
      return cell ? `${cell.version ?? "-"} (${cell.health})` : "-";
    }),
  ]);
  const { counts } = overview;
  return (grid.length > 0
    ? sayTable(host, ["application", ...overview.environments.map((e) => e.name)], grid) + "\n"
    : "") +
    (overview.deployments.length > 0
      ? sayTable(
        host,
        ["deployment", "version", "environment", "status", "created", "reason"],
        overview.deployments.map((d) => [
          shortId(d.id),
          d.version,
          d.environment,
          d.status,
          sayAge(d.createdAt, host.now()),
          d.reason.text,
        ]),
      ) + "\n"
      : "No deployment yet.\n") +
    `${counts.agentsConnected} of ${counts.agents} agents connected, ${counts.deploymentsActive} deployments active, ` +
    `${counts.deploymentsWaiting} waiting${
      counts.failedDeliveries ? `, ${counts.failedDeliveries} failed deliveries` : ""
    }.\n`;
}

function sayDeployment(host: CliHost, d: DeploymentWithTasks): string {
  const rows = ordered(d).map(({ task, depth }) => [
    "  ".repeat(depth) + task.name,
    task.type,
    task.status,
    task.agent ?? "",
    task.startedAt
      ? sayDuration((task.completedAt ? Date.parse(task.completedAt) : host.now()) - Date.parse(task.startedAt))
      : "",
    task.reason.text,
  ]);
  return `${sayWhat(d)}: ${paint(host, d.status, d.status.replaceAll("_", " "))}\n${d.reason.text}\n` +
    `Created ${sayAge(d.createdAt, host.now())} by ${d.createdBy}, id ${d.id}\n\n` +
    sayTable(host, ["task", "type", "status", "agent", "took", "reason"], rows);
}

/** Each task below its parent, in the order the server gives. */
function ordered(d: DeploymentWithTasks): { task: DeploymentWithTasks["tasks"][number]; depth: number }[] {
  const below = (parentId: string | null, depth: number): ReturnType<typeof ordered> =>
    d.tasks.filter((t) => t.parentId === parentId).flatMap((task) => [{ task, depth }, ...below(task.id, depth + 1)]);
  return below(null, 0);
}
