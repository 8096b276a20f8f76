/** Holds what a task has started still, and lets it go on. */
import type { RunContext } from "../operator.ts";
import type { Machine, SignalName } from "./machine.ts";
import type { PmParts } from "./pm_parts.ts";

export async function signalTask({ active, machine }: PmParts, taskId: string, signal: SignalName): Promise<void> {
  const kept = active.get(taskId);
  await kept?.signal(signal);
  const strays = kept && kept.container === undefined ? await machine.findTagged([`BOREAS_TASK_ID=${taskId}`]) : [];
  for (const { pid, group } of strays) if (group !== kept!.pid) machine.signalProcess(pid, signal);
}

/** An attempt that is taken up again may have been held still by an agent that then died. What is to be stopped stays. */
export async function letGoOn(machine: Machine, context: RunContext): Promise<void> {
  if (context.signal.aborted) return;
  await context.trusted();
  for (const { pid } of await machine.findTagged([`BOREAS_TASK_ID=${context.taskId}`])) {
    machine.signalProcess(pid, "CONT");
  }
}
