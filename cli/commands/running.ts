/** The running thing: what an application consists of on each target, and what it prints. */
import type { AppStateItem } from "../../protocol/http_api.ts";
import type { ApiClient } from "../api_client.ts";
import type { CommandContext } from "../command.ts";
import { findApplication, findEnvironment } from "../find.ts";
import { CliError, type CliHost } from "../host.ts";
import { sayNetworkError } from "../http.ts";
import { printJson, sayAge } from "../print.ts";
import { printLog } from "../print_log.ts";
import { sayTable } from "../table.ts";

export interface Wanted {
  app: string;
  env?: string | undefined;
}

export async function printRunning({ host, json }: CommandContext, api: ApiClient, wanted: Wanted): Promise<number> {
  const application = await findApplication(api, wanted.app);
  const environments = wanted.env
    ? [await findEnvironment(api, wanted.env)]
    : (await api.bindings(application.id)).map((b) => ({ id: b.environmentId, name: b.environment }));
  const found = await Promise.all(environments.map(async (environment) => ({
    environment: environment.name,
    targets: await api.resources(application.id, environment.id),
  })));
  if (json) printJson(host, found);
  else host.write(sayRunning(host, application.name, found));
  return 0;
}

type Found = { environment: string; targets: AppStateItem[] }[];

function sayRunning(host: CliHost, name: string, found: Found): string {
  const targets = found.flatMap(({ environment, targets }) => targets.map((item) => ({ environment, item })));
  if (targets.length === 0) return `${name} runs nowhere yet.\n`;
  const table = sayTable(
    host,
    ["environment", "target", "version", "health", "sync", "seen", "what runs"],
    targets.map(({ environment, item }) => [
      environment,
      item.target,
      item.version ?? "-",
      item.health,
      item.sync.replaceAll("_", " "),
      sayAge(item.observedAt ?? item.updatedAt, host.now()),
      sayResources(host, item),
    ]),
  );
  const notes = targets.flatMap(({ item }) => [
    ...(item.agent && !item.agent.connected && item.target !== "-"
      ? [`${item.target}: not connected since ${item.agent.lastSeenAt}, ${item.lastHealth} then\n`]
      : []),
    ...(item.healing?.error ? [`${item.target}: ${item.healing.error}\n`] : []),
  ]);
  const differences = targets.flatMap(({ item }) =>
    item.drift.map((d) => [item.target, d.path, d.expected, d.actual, item.agent?.name ?? "-", item.driftMode])
  );
  const differing = differences.length > 0
    ? `\n${sayTable(host, ["target", "differs in", "expected", "actual", "seen by", "drift"], differences)}`
    : "";
  return table + differing + (notes.length > 0 ? `\n${notes.join("")}` : "");
}

const sayResources = (host: CliHost, { resources }: AppStateItem): string =>
  resources.map(({ name, state, startedAt, restarts }) => {
    const since = startedAt ? `, started ${sayAge(startedAt, host.now())}` : "";
    return `${name} ${state}${since}${restarts > 0 ? `, ${restarts} restarts` : ""}`;
  }).join("; ");

/** As it comes, until the person leaves or the application ends. */
export async function printOutput(
  context: CommandContext,
  api: ApiClient,
  wanted: Wanted & { target?: string | undefined; tail?: string | undefined; follow: boolean },
): Promise<number> {
  const application = await findApplication(api, wanted.app);
  const bound = await api.bindings(application.id);
  if (!wanted.env && bound.length !== 1) {
    const names = bound.map((b) => b.environment).join(", ");
    throw new CliError(bound.length ? `Choose one with --env: ${names}.` : `${wanted.app} runs nowhere yet.`);
  }
  const environment = wanted.env ? (await findEnvironment(api, wanted.env)).id : bound[0]!.environmentId;
  const interrupted = new AbortController();
  const unlisten = context.host.onInterrupt(() => interrupted.abort());
  try {
    const response = await api.transport.send(
      "GET",
      `/applications/${application.id}/environments/${environment}/logs`,
      {
        query: { target: wanted.target, tail: wanted.tail, follow: wanted.follow || undefined },
        headers: { accept: "text/plain" },
        signal: interrupted.signal,
      },
    );
    await printLog(context, response.body!);
    return 0;
  } catch (error: unknown) {
    if (interrupted.signal.aborted) return 0;
    if (error instanceof CliError) throw error;
    throw new CliError(`The connection was lost (${sayNetworkError(error)}); run it again to read on.`);
  } finally {
    unlisten();
  }
}
