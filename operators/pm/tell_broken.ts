/** The end of a deploy that did not come up, the same for every kind of program: what happened, and what serves now. */
import type { RunContext } from "../operator.ts";
import type { AppRecord, Pending } from "./app_record.ts";
import { PmFailure, ToldFailure } from "./failure.ts";
import type { KeptProcess } from "./machine.ts";
import type { OutputStream, TaskLog } from "./task_log.ts";

export interface Broken {
  error: unknown;
  kept: KeptProcess | undefined;
  stream: OutputStream | undefined;
  log: TaskLog;
  isMine(of: { taskId: string; fence: number } | null): boolean;
}

/** A lost lease takes no more lines; its end is told by the signal. */
export async function finishStream({ stream }: Broken, { signal }: RunContext): Promise<void> {
  await stream?.finish().catch((failed: unknown) => {
    if (!signal.aborted) throw failed;
  });
}

/**
 * @param pending as it was before it was taken back
 * @returns the error to throw: an expected failure with the fate of the old release, any other as it is
 */
export async function tellBroken(
  { error, log }: Broken,
  { signal }: RunContext,
  { old, pending, lastLines, pid }: {
    old: AppRecord["current"];
    pending: Pending | null;
    lastLines(): Promise<string[]>;
    pid: number | null;
  },
): Promise<unknown> {
  if (!(error instanceof PmFailure) || error instanceof ToldFailure) return error;
  const fate = !old
    ? "Nothing ran before it."
    : pending?.stoppedOld
    ? `${old.version} is started again.`
    : `${old.version} keeps running.`;
  const message = `${error.message} ${fate}`;
  if (pending && !signal.aborted) await log.say(message);
  return new PmFailure(error.code, message, {
    ...error.more,
    lastLines: await lastLines(),
    details: {
      ...error.more.details,
      release: old?.name ?? null,
      version: old?.version ?? null,
      ports: old?.ports ?? {},
      pid,
      keptPrevious: old !== null,
    },
  });
}
