/** `route.mode: hooks` in a deploy: a load balancer outside is told before the old release goes, and after the new one serves. */
import type { Operation, OutcomeInput, RenderedSpec } from "../../../protocol/operation.ts";
import type { RunContext } from "../../operator.ts";
import type { AppFolder } from "../app_folder.ts";
import { writeRecord } from "../app_record.ts";
import type { AppRecord } from "../app_record.ts";
import { buildEnvironment } from "../environment.ts";
import { PmFailure } from "../failure.ts";
import type { PmParts } from "../pm_parts.ts";
import type { TaskLog } from "../task_log.ts";
import { placeOf, runRouteHook } from "./route_hooks.ts";

export interface Outside {
  folder: AppFolder;
  operation: Operation;
  spec: RenderedSpec;
  /** The name of the release that has the scripts. */
  name: string;
  ports: Readonly<Record<string, number>>;
  record: AppRecord;
  context: RunContext;
  log: TaskLog;
}

/** Does nothing without such a route, and when nothing ran here before. @throws PmFailure while the old release serves */
export async function drainOutside(pm: PmParts, outside: Outside): Promise<void> {
  const { folder, spec: { route }, record, name } = outside;
  if (route.mode !== "hooks" || !record.current) return;
  record.pending!.drained = { release: name, undrain: route.undrain };
  await writeRecord(pm.machine, folder, record);
  await runHook(pm, outside, "drain", route.drain);
}

/** What was wrong, if anything was: the new release runs all the same. */
export async function undrainOutside(pm: PmParts, outside: Outside): Promise<PmFailure | undefined> {
  const { route } = outside.spec;
  if (route.mode !== "hooks") return undefined;
  try {
    await runHook(pm, outside, "undrain", route.undrain);
    return undefined;
  } catch (error: unknown) {
    if (error instanceof PmFailure) return error;
    throw error;
  }
}

/** The new release runs, and nobody asks it anything. */
export const unreached = (
  outcome: OutcomeInput,
  trouble: PmFailure,
  { app, version }: Operation,
  node: string,
): OutcomeInput => ({
  ...outcome,
  status: "failed",
  code: trouble.code,
  message: `${app} ${version} runs on ${node}, but no requests may come to it: ${trouble.message}`,
});

function runHook(pm: PmParts, outside: Outside, hook: "drain" | "undrain", path: string): Promise<void> {
  const { folder, operation, spec, name, ports, context, log } = outside;
  const { taskId, attempt, fence, secrets, signal } = context;
  const release = folder.release(name);
  const place = { node: pm.node.name, release, ports };
  return runRouteHook(pm, {
    ...{ name: hook, path, release, signal },
    app: operation.app,
    place: placeOf(folder, context),
    env: buildEnvironment(pm.machine, operation, spec, { taskId, attempt, fence, secrets }, place),
    say: (text) => log.say(text),
  });
}
