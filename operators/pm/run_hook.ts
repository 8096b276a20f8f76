/** A hook of a release: one script of its bundle, once. */
import type { Operation, OutcomeInput, RenderedSpec } from "../../protocol/operation.ts";
import type { RunContext } from "../operator.ts";
import { stoppedOutcome } from "../stopped.ts";
import type { AppFolder } from "./app_folder.ts";
import { lastLinesOf, openBundle, runBundleScript } from "./bundle_scripts.ts";
import type { BundleScript } from "./bundle_scripts.ts";
import { PmFailure } from "./failure.ts";
import { LAST_LINES } from "./follow_script.ts";
import type { PmParts } from "./pm_parts.ts";
import { TaskLog } from "./task_log.ts";

/** A hook that says nothing of its time. */
export const HOOK_SECONDS = 600;

export async function runHook(
  pm: PmParts,
  folder: AppFolder,
  operation: Operation,
  spec: RenderedSpec,
  context: RunContext,
): Promise<OutcomeInput> {
  const { hook, app, version } = operation;
  if (!hook) throw new PmFailure("operation.hook", `No hook of ${app} is named, so nothing was run.`);
  const what = `The ${hook.name} hook of ${app} ${version}`;
  const script: BundleScript = {
    ...{ what, path: hook.run, folder, operation, spec, context, log: new TaskLog(context) },
    env: { BOREAS_HOOK: hook.name },
    seconds: operation.timeoutSeconds === null ? HOOK_SECONDS : undefined, // else whoever runs the task watches it
  };
  try {
    await openBundle(pm, script);
    const kept = await runBundleScript(pm, script, 0);
    const { code } = await kept.ended;
    if (code === 0) return { status: "success", message: `${what}, ${hook.run}, has run on ${pm.node.name}.` };
    const how = code === null ? "ended, and nobody saw how," : `ended with code ${code}`;
    throw new PmFailure("hook.failed", `${what}, ${hook.run}, ${how} on ${pm.node.name}.`, {
      lastLines: await kept.lastLines(LAST_LINES),
    });
  } catch (error: unknown) {
    if (!context.signal.aborted) throw error;
    const stopped = stoppedOutcome(context.signal, `${what}, ${hook.run}, was stopped on ${pm.node.name}.`);
    return { ...stopped, lastLines: await lastLinesOf(pm, script, 0) };
  }
}
