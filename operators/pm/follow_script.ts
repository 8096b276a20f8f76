/** One script under a keeper: what runs it, and its output until it ends or must not go on. */
import type { RunContext } from "../operator.ts";
import { aborted, DEFAULT_GRACE_SECONDS, graceOf, wait } from "../stopped.ts";
import { insideRelease } from "./app_folder.ts";
import { tagsOf } from "./app_record.ts";
import { PmFailure } from "./failure.ts";
import type { KeptProcess } from "./machine.ts";
import type { PmParts } from "./pm_parts.ts";
import { stopProcess } from "./stop_process.ts";
import type { OutputStream } from "./task_log.ts";

export const LAST_LINES = 200;
/** Of one script; an agent that was away loses the rest, and the log says how much. */
export const KEEP_OUTPUT_BYTES = 1024 ** 3;

/** A script that is executable is run as it is, by its first line; any other by sh. */
export async function scriptCommand(pm: PmParts, app: string, release: string, path: string): Promise<string[]> {
  const file = insideRelease(release, path);
  if (!await pm.machine.files.isFile(file)) {
    throw new PmFailure("script.missing", `${app} runs ${path}, which its bundle does not have; add it to \`bundle\`.`);
  }
  return await pm.machine.files.isExecutable(file) ? [file] : ["/bin/sh", file];
}

/** @param more what else the attempt is to remember over a restart of the agent */
export async function startScript(
  pm: PmParts,
  context: RunContext,
  start: Parameters<PmParts["machine"]["startProcess"]>[0],
  more: Readonly<Record<string, unknown>> = {},
): Promise<KeptProcess> {
  await context.trusted();
  await context.save({ ...more, folder: start.folder, startedAt: pm.clock.now().getTime() });
  return pm.machine.startProcess(start);
}

interface Followed {
  stream: OutputStream;
  path: string;
  /** Since it began, also before a restart of the agent. */
  seconds: number | undefined;
}

/** Copies its output until it ends; ends it, with all that it started, when it must not go on. */
export async function followScript(
  pm: PmParts,
  context: RunContext,
  kept: KeptProcess,
  { stream, path, seconds }: Followed,
): Promise<void> {
  const { machine, clock } = pm;
  pm.active.set(context.taskId, kept);
  const tick = new AbortController();
  const saved = context.resumed ? context.saved as { folder?: string; startedAt?: number } | undefined : undefined;
  const spent = saved?.folder === kept.folder ? Math.max(0, clock.now().getTime() - saved.startedAt!) : 0;
  const late = seconds === undefined
    ? new Promise<never>(() => {})
    : wait(clock, Math.max(0, seconds * 1000 - spent), tick.signal).then(() => "late" as const);
  try {
    const ending = await Promise.race([kept.ended, late, aborted(context.signal).then(() => "stopped" as const)]);
    if (ending === "late" || ending === "stopped") {
      const graceSeconds = context.signal.aborted ? graceOf(context.signal) : DEFAULT_GRACE_SECONDS;
      await stopProcess(machine, clock, kept, tagsOf(context), { graceSeconds });
    }
    // A lost lease takes no more lines.
    await stream.done.catch((error: unknown) => {
      if (!context.signal.aborted) throw error;
    });
    context.signal.throwIfAborted();
    if (ending === "late") {
      throw new PmFailure("script.timeout", `${path} did not end within ${seconds} s, so it was stopped.`, {
        lastLines: await kept.lastLines(LAST_LINES),
      });
    }
  } finally {
    tick.abort();
    pm.active.delete(context.taskId);
  }
}
