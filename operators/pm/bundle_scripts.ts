/**
 * A script of the bundle that is run for itself: a hook, or a measurement of a gate. It touches neither the application's
 * record nor its slots, and so waits for nobody's lock; the application need not even be deployed here.
 *
 *   hooks/<task>-<fence>/release/   the bundle, unpacked for this attempt alone; there only when it is whole
 *                        runs/<n>/  the keeper's folder of its n-th run
 *
 * The folder is the attempt's memory: a run that was started is followed or read after a restart of the agent, never
 * started again. It goes when the outcome is on disk.
 */
import type { Operation, RenderedSpec } from "../../protocol/operation.ts";
import type { RunContext } from "../operator.ts";
import { graceOf } from "../stopped.ts";
import type { AppFolder } from "./app_folder.ts";
import { readRecord, tagsOf } from "./app_record.ts";
import { buildEnvironment } from "./environment.ts";
import { PmFailure } from "./failure.ts";
import { followScript, KEEP_OUTPUT_BYTES, LAST_LINES, scriptCommand, startScript } from "./follow_script.ts";
import type { KeptProcess } from "./machine.ts";
import type { PmParts } from "./pm_parts.ts";
import { fetchBlob, placeFiles } from "./prepare_release.ts";
import { stopProcess } from "./stop_process.ts";
import type { TaskLog } from "./task_log.ts";

export interface BundleScript {
  /** As messages name it: `the preDeploy hook of order`. */
  what: string;
  /** In the bundle. */
  path: string;
  folder: AppFolder;
  operation: Operation;
  spec: RenderedSpec;
  context: RunContext;
  log: TaskLog;
  /** Told to the script beside what every deployed program is told. */
  env: Readonly<Record<string, string>>;
  seconds: number | undefined;
}

/** Positions in the log tell the runs apart; that many at most, as they are numbers below 2^53. */
const LOG_RANGES = 256;

type Attempt = Pick<RunContext, "taskId" | "fence">;
const placeOf = (folder: AppFolder, { taskId, fence }: Attempt) => `${folder.hooks}/${taskId}-${fence}`;

/** Unpacks the bundle, unless it lies there already; ends first what an earlier attempt, or a stopped one, left running. */
export async function openBundle(pm: PmParts, script: BundleScript): Promise<void> {
  const { machine } = pm;
  const { folder, operation, spec, context, path, what } = script;
  const place = placeOf(folder, context);
  if (context.signal.aborted) {
    await endRuns(pm, place, context, graceOf(context.signal));
    context.signal.throwIfAborted();
  }
  for (const name of await machine.files.list(folder.hooks)) {
    const other = `${folder.hooks}/${name}`;
    const fence = new RegExp(`^${context.taskId}-(\\d+)$`).exec(name)?.[1];
    if (fence === undefined || other === place) continue;
    await context.trusted();
    await endRuns(pm, other, { taskId: context.taskId, fence: Number(fence) }, 0);
    await machine.files.remove(other);
  }
  if ((await machine.files.list(`${place}/release`)).length > 0) return;
  if (!spec.bundle) {
    throw new PmFailure(
      "script.missing",
      `${what} runs ${path}, and the application has no \`bundle\`; name that file there.`,
    );
  }
  const fresh = `${place}/release.new`;
  await context.trusted();
  await machine.files.remove(fresh);
  await machine.files.makeFolder(fresh);
  const { file } = await fetchBlob("bundle", operation.app, spec.bundle.sha256, context);
  const unpacked = await machine.unpack(file, fresh);
  if ("error" in unpacked) {
    throw new PmFailure("artifact.unpack", `The bundle of ${operation.app} is refused: ${unpacked.error}.`);
  }
  await placeFiles(machine, spec, fresh); // what lies in an artifact is not here
  await machine.files.rename(fresh, `${place}/release`);
}

/** The script's run of this number, to its end; it is started unless it was. `state` is remembered while it runs. */
export async function runBundleScript(
  pm: PmParts,
  script: BundleScript,
  number: number,
  state: Readonly<Record<string, unknown>> = {},
): Promise<KeptProcess> {
  const { folder, operation, context, log, path } = script;
  const release = `${placeOf(folder, context)}/release`;
  const run = `${placeOf(folder, context)}/runs/${number}`;
  const kept = await pm.machine.adoptProcess(run) ?? await startScript(pm, context, {
    folder: run,
    command: await scriptCommand(pm, operation.app, release, path),
    cwd: release,
    env: { ...await tell(pm, script, release), ...script.env },
    keepBytes: KEEP_OUTPUT_BYTES,
  }, state);
  const stream = log.stream(kept, number % LOG_RANGES, true);
  await followScript(pm, context, kept, { stream, path, seconds: script.seconds });
  return kept;
}

/** What a run printed last, also one that was stopped. */
export async function lastLinesOf(pm: PmParts, { folder, context }: BundleScript, number: number): Promise<string[]> {
  const kept = await pm.machine.adoptProcess(`${placeOf(folder, context)}/runs/${number}`);
  const lines = await kept?.lastLines(LAST_LINES) ?? [];
  kept?.forget();
  return lines;
}

/** The ports are those that this release has here, started beside or serving; without it there are none. */
async function tell(pm: PmParts, { folder, operation, spec, context }: BundleScript, release: string) {
  const { taskId, attempt, fence, secrets } = context;
  const record = await readRecord(pm.machine, folder);
  const here = [record?.beside?.release, record?.current].find((own) => own?.versionId === operation.versionId);
  const ports = here?.ports ?? {};
  // A variable that tells a port has nothing to tell where there is none.
  const isTellable = (value: string) =>
    [...value.matchAll(/\$\{port\.([^}]+)\}/g)].every(([, port]) => Object.hasOwn(ports, port!));
  const env = Object.fromEntries(Object.entries(spec.env).filter(([, value]) => isTellable(value)));
  const place = { node: pm.node.name, release, ports };
  return buildEnvironment(pm.machine, operation, { ...spec, env }, { taskId, attempt, fence, secrets }, place);
}

async function endRuns(pm: PmParts, place: string, attempt: Attempt, graceSeconds: number): Promise<void> {
  const { machine, clock } = pm;
  for (const number of await machine.files.list(`${place}/runs`)) {
    const kept = await machine.adoptProcess(`${place}/runs/${number}`);
    if (kept && !kept.hasEnded()) await stopProcess(machine, clock, kept, tagsOf(attempt), { graceSeconds });
  }
}

/** The outcome is on disk: nobody reads the folder any more. */
export const closeBundle = ({ machine }: PmParts, folder: AppFolder, attempt: Attempt): Promise<void> =>
  machine.files.remove(placeOf(folder, attempt));
