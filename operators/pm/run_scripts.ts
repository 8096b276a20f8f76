/**
 * Deploys by the repository's own scripts: deploy, then check; when one fails, rollback if there is one.
 *
 * Each runs under a keeper in a folder of this attempt. The folder is the memory: a script that was started is never
 * started again by the same attempt, only followed or read, whatever became of the agent meanwhile.
 */
import { parseDuration } from "../../domain/duration.ts";
import type { Operation, OutcomeInput, RenderedSpec } from "../../protocol/operation.ts";
import type { RunContext } from "../operator.ts";
import { graceOf } from "../stopped.ts";
import type { AppFolder } from "./app_folder.ts";
import { emptyRecord, readRecord, tagsOf, writeRecord } from "./app_record.ts";
import type { RunningRelease } from "./app_record.ts";
import { clearBeside } from "./beside.ts";
import { requireRouter, routedBy } from "./docker/public_port.ts";
import { endSlot } from "./end_slot.ts";
import { buildEnvironment } from "./environment.ts";
import { PmFailure } from "./failure.ts";
import { sha256Of } from "./fingerprint.ts";
import { followScript, KEEP_OUTPUT_BYTES, LAST_LINES, scriptCommand, startScript } from "./follow_script.ts";
import type { KeptProcess } from "./machine.ts";
import { refuseScript } from "./local_policy.ts";
import type { PolicyPlace } from "./local_policy.ts";
import { publish, refuseOlder } from "./pm_parts.ts";
import type { PmParts } from "./pm_parts.ts";
import { prepareRelease } from "./prepare_release.ts";
import { remember } from "./prune_releases.ts";
import { stopProcess } from "./stop_process.ts";
import { TaskLog } from "./task_log.ts";

type Script = Extract<RenderedSpec["runtime"], { mode: "script" }>;
const STEPS = ["deploy", "check", "rollback", "remove"] as const;
type Step = typeof STEPS[number];

export async function runScripts(
  pm: PmParts,
  folder: AppFolder,
  operation: Operation,
  spec: RenderedSpec,
  runtime: Script,
  context: RunContext,
): Promise<OutcomeInput> {
  const { machine } = pm;
  const log = new TaskLog(context);
  const record = await readRecord(machine, folder) ?? emptyRecord(operation);
  refuseOlder(operation, record);
  const attemptName = nameOf(context);
  await endStopped(pm, folder, context);
  await endOtherAttempts(pm, folder, context);
  const name = await prepareRelease(pm, { folder, operation, spec, context, log });
  const release = folder.release(name);
  for (const step of STEPS) {
    if (runtime[step] && step !== "remove") await scriptCommand(pm, operation.app, release, runtime[step]);
  }
  await context.trusted();
  record.generation = operation.generation;
  await writeRecord(machine, folder, record);
  if (operation.action === "prepare") {
    const message =
      `${operation.app} ${operation.version} lies ready on ${pm.node.name}; ${runtime.deploy} runs when it is switched to.`;
    await log.say(message);
    return { status: "success", message, details: { prepared: name } };
  }

  const timeout = parseDuration(runtime.timeout ?? "");
  const runStep = async (step: Step): Promise<KeptProcess | undefined> => {
    const path = runtime[step];
    if (path === undefined) return undefined;
    const rollsBack = { ...operation, isRollback: operation.isRollback || step === "rollback" };
    const attempt = {
      taskId: context.taskId,
      attempt: context.attempt,
      fence: context.fence,
      secrets: context.secrets,
    };
    const env = buildEnvironment(machine, rollsBack, spec, attempt, { node: pm.node.name, release, ports: {} });
    const stepFolder = `${folder.tasks(attemptName)}/${step}`;
    const kept = await machine.adoptProcess(stepFolder) ?? await startScript(pm, context, {
      folder: stepFolder,
      command: await scriptCommand(pm, operation.app, release, path),
      cwd: release,
      env,
      keepBytes: KEEP_OUTPUT_BYTES,
    });
    const stream = log.stream(kept, STEPS.indexOf(step));
    await followScript(pm, context, kept, { stream, path, seconds: timeout });
    return kept;
  };

  for (const step of ["deploy", "check"] as const) {
    const kept = await runStep(step);
    const code = kept ? (await kept.ended).code : 0;
    if (code === 0) continue;
    const how = code === null ? "ended, and nobody saw how" : `ended with code ${code}`;
    const failure = `${runtime[step]} of ${operation.app} ${operation.version} ${how}.`;
    const lastLines = await kept!.lastLines(LAST_LINES);
    const details = {
      release: record.current?.name ?? null,
      version: record.current?.version ?? null,
      keptPrevious: false,
    };
    const undone = await runStep("rollback");
    if (!undone) throw new PmFailure(`script.${step}`, failure, { lastLines, details });
    const { code: undoneCode } = await undone.ended;
    throw new PmFailure(
      `script.${step}`,
      `${failure} ${runtime.rollback} ${undoneCode === 0 ? "has undone it" : `failed too, with code ${undoneCode}`}.`,
      { lastLines, details: { ...details, keptPrevious: undoneCode === 0 } },
    );
  }

  await context.trusted();
  await clearBeside(pm, folder, record, (text) => log.say(text)); // it was a binary or a container before
  const oldSlot = record.current?.slot;
  const routed = record.current && routedBy(record, record.current.spec.route, record.current.ports);
  const secrets = Object.fromEntries(spec.secrets.map((secret) => [secret, context.secrets[secret]]));
  record.current = {
    name,
    versionId: operation.versionId,
    version: operation.version,
    fingerprint: await sha256Of({ versionId: operation.versionId, spec, secrets }),
    slot: null,
    ports: {},
    taskId: context.taskId,
    fence: context.fence,
    spec,
  };
  record.history = remember(record.history, name);
  await writeRecord(machine, folder, record);
  if (oldSlot) {
    if (routed) await requireRouter(pm).remove(routed.route);
    await pm.supervisor.release(folder); // it was a binary or a container before
    await endSlot(pm, folder, oldSlot);
  }
  await publish(machine, folder, record, spec.keepReleases);
  return {
    status: "success",
    message: `${operation.app} ${operation.version} is deployed on ${pm.node.name} by ${runtime.deploy}.`,
    details: { release: name, version: operation.version, ports: {}, pid: null, keptPrevious: false },
  };
}

/**
 * The release's own script that stops what it made run, before the record and its files go. Whatever becomes of the agent
 * meanwhile, it is not started twice by one attempt.
 * @returns whether there is one
 */
export async function runRemoval(
  pm: PmParts,
  folder: AppFolder,
  operation: Operation,
  current: RunningRelease,
  context: RunContext,
  place: PolicyPlace,
): Promise<boolean> {
  const { machine, node } = pm;
  const { spec, name, version, versionId } = current;
  if (spec.runtime.mode !== "script" || spec.runtime.remove === undefined) return false;
  const { remove: path, timeout } = spec.runtime;
  const refusal = refuseScript(pm.policy, `the remove script of ${operation.app}`, path, place);
  if (refusal) throw new PmFailure(refusal.code, refusal.message);
  const stepFolder = `${folder.tasks(nameOf(context))}/remove`;
  const { taskId, attempt, fence, secrets } = context;
  const release = folder.release(name);
  // Of a rollback no secrets come along: what is to go must go without them, and without what is made of them.
  const missing = spec.secrets.filter((secret) => !Object.hasOwn(secrets, secret));
  const isKnown = (value: string) => !missing.some((secret) => value.includes(`\${env.${secret}}`));
  const given = {
    ...spec,
    secrets: spec.secrets.filter((secret) => !missing.includes(secret)),
    env: Object.fromEntries(Object.entries(spec.env).filter(([, value]) => isKnown(value))),
  };
  const kept = await machine.adoptProcess(stepFolder) ?? await startScript(pm, context, {
    folder: stepFolder,
    command: await scriptCommand(pm, operation.app, release, path),
    cwd: release,
    env: buildEnvironment(
      machine,
      { ...operation, version, versionId },
      given,
      { taskId, attempt, fence, secrets },
      { node: node.name, release, ports: {} },
    ),
    keepBytes: KEEP_OUTPUT_BYTES,
  });
  const stream = new TaskLog(context).stream(kept, STEPS.indexOf("remove"));
  await followScript(pm, context, kept, { stream, path, seconds: parseDuration(timeout ?? "") });
  const { code } = await kept.ended;
  if (code === 0) return true;
  const how = code === null ? "ended, and nobody saw how" : `ended with code ${code}`;
  throw new PmFailure(
    "script.remove",
    `${path} of ${operation.app} ${version} ${how}; nothing was removed from ${node.name}.`,
    { lastLines: await kept.lastLines(LAST_LINES) },
  );
}

const nameOf = ({ taskId, fence }: { taskId: string; fence: number }) => `${taskId}-${fence}`;

/** Stopped while the agent was away: what it had started is ended before anybody is told so. */
export async function endStopped(pm: PmParts, folder: AppFolder, context: RunContext): Promise<void> {
  if (!context.signal.aborted) return;
  await endAttempt(pm, folder, nameOf(context), graceOf(context.signal));
  context.signal.throwIfAborted();
}

/** What another attempt began must not run beside this one. */
export async function endOtherAttempts(pm: PmParts, folder: AppFolder, context: RunContext): Promise<void> {
  for (const other of await pm.machine.files.list(folder.tasks(""))) {
    if (other === nameOf(context)) continue;
    await context.trusted();
    await endAttempt(pm, folder, other, 0);
    await pm.machine.files.remove(folder.tasks(other));
  }
}

/** Ends an attempt whose script still runs. One that ended may have left a service behind, which is meant to stay. */
async function endAttempt(pm: PmParts, folder: AppFolder, name: string, graceSeconds: number): Promise<void> {
  const fence = Number(/-(\d+)$/.exec(name)?.[1]);
  const taskId = name.replace(/-\d+$/, "");
  for (const step of STEPS) {
    const kept = await pm.machine.adoptProcess(`${folder.tasks(name)}/${step}`);
    if (!kept || kept.hasEnded()) continue;
    await stopProcess(pm.machine, pm.clock, kept, tagsOf({ taskId, fence }), { graceSeconds });
  }
}
