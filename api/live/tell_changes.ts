/** Turns certain events into what a page wants to know: the present state of what changed, once each, however often it did. */
import type { Database } from "../../db/database.ts";
import { getDeployments } from "../../db/deployments/read_deployments.ts";
import type { EventRow } from "../../db/events/read_events.ts";
import { findTouchedTasks } from "../../db/tasks/find_touched_tasks.ts";
import { getTasks, getTasksOfDeployment } from "../../db/tasks/read_tasks.ts";
import type { LiveEvent } from "../../protocol/live_events.ts";
import { Reason } from "../../protocol/http_api.ts";
import { LIST_OF } from "./topics.ts";
import type { Topics } from "./topics.ts";

/** More changes of one list than this are told as "read it again". */
const MAX_NAMED = 20;

export async function tellChanges(
  db: Database,
  topics: Topics,
  rows: readonly EventRow[],
): Promise<{ states: LiveEvent[]; timeline: { event: LiveEvent; row: EventRow }[] }> {
  const changed = new Map<string, Set<string | null>>();
  const deployments = new Map<string, string>();
  const whole = new Set<string>();
  const taskIds = new Set<string>();
  for (const row of rows) {
    const list = LIST_OF[row.topic];
    if (list && topics.lists.has(list)) changed.set(list, (changed.get(list) ?? new Set()).add(row.subjectId));
    const id = row.deploymentId ?? (row.topic === "deployment" ? row.subjectId : null);
    if (id === null) continue;
    const isFollowed = topics.deploymentIds.has(id);
    if (topics.deployments || isFollowed) deployments.set(id, row.createdAt);
    if (!isFollowed) continue;
    // An act upon a deployment moves many of its tasks at once.
    if (row.topic === "deployment") whole.add(id);
    else if (row.topic === "task" && row.subjectId) taskIds.add(row.subjectId);
  }
  const states: LiveEvent[] = [];
  for (const [topic, ids] of changed) {
    const named = ids.size > MAX_NAMED ? [null] : [...ids];
    for (const id of named) states.push({ type: "changed", topic, id });
  }
  for (const deployment of (await getDeployments(db, [...deployments.keys()])).reverse()) {
    states.push({ type: "deployment", at: deployments.get(deployment.id)!, deployment });
  }
  const tasks = [
    ...(await Promise.all([...whole].map((id) => getTasksOfDeployment(db, id)))).flat(),
    ...(await getTasks(db, await findTouchedTasks(db, [...taskIds]))).filter((t) => !whole.has(t.deploymentId)),
  ];
  for (const [deploymentId, ofDeployment] of Map.groupBy(tasks, (t) => t.deploymentId)) {
    states.push({
      type: "tasks",
      at: deployments.get(deploymentId)!,
      deploymentId,
      tasks: ofDeployment,
      whole: whole.has(deploymentId),
    });
  }
  return { states, timeline: rows.flatMap((row) => toTimeline(topics, row) ?? []) };
}

function toTimeline(topics: Topics, row: EventRow): { event: LiveEvent; row: EventRow } | undefined {
  const event = timelineEvent(row);
  return event && topics.deploymentIds.has(event.deploymentId) ? { event, row } : undefined;
}

/** @returns undefined for an event in which no state changed */
export function timelineEvent(row: EventRow): Extract<LiveEvent, { type: "timeline" }> | undefined {
  const deploymentId = row.deploymentId ?? (row.topic === "deployment" ? row.subjectId : null);
  const reason = Reason.safeParse(row.data.reason);
  if (deploymentId === null || !reason.success) return undefined;
  return {
    type: "timeline",
    id: row.id,
    at: row.createdAt,
    deploymentId,
    taskId: row.topic === "task" ? row.subjectId : null,
    kind: row.kind,
    name: typeof row.data.name === "string" ? row.data.name : "",
    reason: reason.data,
  };
}
