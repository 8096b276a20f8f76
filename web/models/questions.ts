/** What a paused deployment asks, and what may be answered. */
import type { Deployment, Task } from "../../protocol/http_api.ts";

export const CHOICES = ["retry", "ignore", "exclude", "fail"] as const;
export type Choice = (typeof CHOICES)[number];

export const isAsking = (deployment: Pick<Deployment, "status" | "reason">): boolean =>
  deployment.status === "paused" && deployment.reason.code.startsWith("deployment.paused_on_failure");
export const isFrozen = (deployment: Pick<Deployment, "status" | "reason">): boolean =>
  deployment.status === "pending" && deployment.reason.code === "deployment.frozen";

/** A whole is not asked about: its parts are. Those that a whole tolerated are over with it. */
export function questionsOf(deployment: Pick<Deployment, "status" | "reason">, tasks: readonly Task[]): Task[] {
  if (!isAsking(deployment)) return [];
  const wholes = new Set(tasks.flatMap((task) => task.parentId ?? []));
  const isOver = (id: string | null) => tasks.some((task) => task.id === id && task.status === "success");
  return tasks.filter((task) =>
    task.status === "failed" && task.payload.isRollback !== true && !wholes.has(task.id) && !isOver(task.parentId)
  );
}

/** Only a machine can be left out, and an approval that was not given is not passed over. */
export function choicesFor(task: Pick<Task, "type" | "payload">): Choice[] {
  const target = task.payload.target as { name?: string } | null | undefined;
  return CHOICES.filter((choice) =>
    choice === "exclude" ? target?.name !== undefined : choice !== "ignore" || task.type !== "approval"
  );
}
