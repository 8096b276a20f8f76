/** `boreas apps remove`: says what would go, asks for the name, and only then takes it away. */
import type { Preview } from "../../protocol/http_api.ts";
import type { ApiClient } from "../api_client.ts";
import type { CommandContext } from "../command.ts";
import { findEnvironment } from "../find.ts";
import { CliError, usageError } from "../host.ts";
import { printJson, printResult } from "../print.ts";
import { watchToEnd } from "./watch_to_end.ts";

export interface RemovalFlags {
  env?: string | undefined;
  batch?: string | undefined;
  yes?: boolean | undefined;
  watch?: boolean | undefined;
  note?: string | undefined;
}

export async function removeApps(
  context: CommandContext,
  api: ApiClient,
  names: readonly string[],
  { env, batch, yes, watch, note }: RemovalFlags,
): Promise<number> {
  const { host, json } = context;
  if (names.length === 0 || env === undefined) {
    throw usageError("Say what, and from where: boreas apps remove APPLICATION --env ENVIRONMENT.");
  }
  const environment = await findEnvironment(api, env);
  const removal = {
    ...{ environmentId: environment.id, applications: [...names] },
    ...(batch !== undefined && { strategy: { type: "rolling" as const, batch: batchOf(batch) } }),
  };
  if (!yes) {
    const preview = await api.previewRemoval(removal);
    if (json) printJson(host, preview);
    else host.writeError(sayRemoval(preview, environment.name));
    if (json || !host.isTerminal) {
      throw new CliError("Nothing was removed; add --yes to do it.");
    }
    const wanted = preview.applications.join(" ");
    const typed = (await host.prompt(`Type ${wanted} to remove it from ${environment.name}: `)).trim();
    if (typed !== wanted) throw new CliError(`That is not ${wanted}; nothing was removed.`);
  }
  const made = await api.createRemoval({ ...removal, start: true, ...(note !== undefined && { note }) });
  if (watch) {
    if (!json) host.writeError(`Deployment ${made.id}\n`);
    return await watchToEnd(context, api, made.id);
  }
  printResult(context, made, `Deployment ${made.id}\n${made.status}: ${made.reason.text}`);
  return 0;
}

function sayRemoval({ summary, tasks }: Preview, environment: string): string {
  const order = [...new Set(tasks.map((task) => task.application))];
  const lines = order.map((name) => `  ${name}: ${summary.find((one) => one.application === name)?.note ?? ""}\n`);
  return `To be removed from ${environment}, in this order:\n${lines.join("")}`;
}

const batchOf = (text: string): number | string => /^\d+$/.test(text) ? Number(text) : text;
