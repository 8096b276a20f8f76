/** What a deployment waits for that only time, a machine or a person ends. Pure. */
import type { Deployment, Role, Task } from "../../protocol/http_api.ts";
import { can } from "./actions.ts";

export interface Wait {
  task: Task;
  kind: "pause" | "watch" | "gate" | "machine";
  /** When it ends by itself, in milliseconds; undefined while the deployment stands still, and of a gate, which holds or not. */
  until: number | undefined;
}
const KINDS: Record<string, Wait["kind"]> = {
  "task.paused": "pause",
  "task.watching": "watch",
  "task.watching_blind": "watch",
  "task.measuring": "gate",
  "task.gate_measuring": "gate",
  "task.gate_waiting_for_data": "gate",
  "task.waiting_for_machine": "machine",
  "task.waiting_for_cordoned": "machine",
  "task.waiting_for_machine_or_skip": "machine",
};

export function waitsOf(tasks: readonly Task[], status: Deployment["status"]): Wait[] {
  if (status !== "running" && status !== "paused" && status !== "rolling_back") return [];
  return tasks.flatMap((task): Wait[] => {
    const kind = task.status === "pending" ? KINDS[task.reason.code] : undefined;
    if (!kind) return [];
    const until = status === "paused" || kind === "gate" ? undefined : Date.parse(String(task.reason.params.until));
    return [{ task, kind, until }];
  });
}

export const maySkip = (wait: Wait, role: Role | undefined): boolean => wait.kind !== "machine" && can(role, "deploy");

/** Waits and checks that a person may pass over, all that come with them; the watch is none of them. */
export const mayPromote = (waits: readonly Wait[], role: Role | undefined): boolean =>
  can(role, "deploy") && waits.some(({ kind }) => kind === "pause" || kind === "gate");

/** The batch size of an application that goes in batches and has some that have not begun. */
export function editableBatch(task: Task, parts: readonly Task[], status: Deployment["status"]): string | undefined {
  const { batch } = task.payload;
  if (status !== "running" && status !== "paused") return undefined;
  if (typeof batch !== "number" && typeof batch !== "string") return undefined;
  return parts.some((part) => part.type === "apply" && part.step === "blocked") ? String(batch) : undefined;
}

/** `2` or `25%`, as a person writes it; undefined when it is neither. */
export function readBatch(text: string): number | string | undefined {
  const trimmed = text.trim();
  if (/^[1-9]\d{0,4}$/.test(trimmed)) return Number(trimmed);
  return /^([1-9]\d?|100)%$/.test(trimmed) ? trimmed : undefined;
}
