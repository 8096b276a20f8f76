import type { Reason } from "../../domain/reason.ts";
import type { Tx } from "../database.ts";

export interface NewEvent {
  topic:
    | "deployment"
    | "task"
    | "agent"
    | "version"
    | "repository"
    | "application"
    | "environment"
    | "trigger"
    | "notification";
  projectId: string;
  subjectId: string | null;
  deploymentId?: string | null;
  /** `deployment.started`, `task.failed`, ...: what happened. */
  kind: string;
  /** For the timeline: at least `{name, reason}` where a state changed. */
  data?: Record<string, unknown>;
}

/** Writes what happened, in the transaction in which it happened. The caller announces `events` after the commit. */
export async function recordEvents(tx: Tx, events: NewEvent[]): Promise<void> {
  if (events.length === 0) return;
  const rows = events.map((e) => ({
    projectId: e.projectId,
    topic: e.topic,
    subjectId: e.subjectId,
    deploymentId: e.deploymentId ?? null,
    kind: e.kind,
    data: e.data ?? {},
  }));
  // One text of the statement for every number of rows: it is parsed and planned once.
  await tx`
    insert into event (project_id, topic, subject_id, deployment_id, kind, data)
    select * from jsonb_to_recordset(${tx.json(rows as never)})
      as r("projectId" uuid, topic text, "subjectId" uuid, "deploymentId" uuid, kind text, data jsonb)`;
}

/** What a task waits for from now on. */
export const pendingEvent = (
  task: { id: string; projectId: string; deploymentId: string; name: string; reason: Reason },
): NewEvent => ({
  topic: "task",
  projectId: task.projectId,
  subjectId: task.id,
  deploymentId: task.deploymentId,
  kind: "task.pending",
  data: { name: task.name, reason: task.reason },
});
