import type { Tx } from "../database.ts";

export interface NewEvent {
  topic: "deployment" | "task" | "agent" | "version" | "repository" | "application" | "environment";
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
