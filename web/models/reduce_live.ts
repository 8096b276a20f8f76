/** How an event changes what a page shows. Pure: data and event in, data out; `reload` where only a new read will do. */
import type { Deployment, DeploymentWithTasks, Overview, Task, TimelineEntry } from "../../protocol/http_api.ts";
import type { LiveEvent } from "../../protocol/live_events.ts";

export type Reduced<T> = T | "reload" | undefined;
export interface Page<T> {
  items: T[];
  nextCursor: string | null;
}

/** An event that was under way while the page was read must not turn the clock back. */
const isStale = (known: { updatedAt: string } | undefined, news: { updatedAt: string }) =>
  known !== undefined && Date.parse(news.updatedAt) < Date.parse(known.updatedAt);

export function reduceDeployments(page: Page<Deployment>, event: LiveEvent): Reduced<Page<Deployment>> {
  if (event.type !== "deployment") return event.type === "changed" ? "reload" : undefined;
  const items = upsert(page.items, event.deployment);
  return items && { ...page, items };
}

/** A deployment that is new comes first; one that is known keeps its place. */
function upsert(items: Deployment[], news: Deployment): Deployment[] | undefined {
  const at = items.findIndex((item) => item.id === news.id);
  if (at < 0) return [news, ...items];
  return isStale(items[at], news) ? undefined : items.with(at, news);
}

export function reduceDeployment(page: DeploymentWithTasks, event: LiveEvent): Reduced<DeploymentWithTasks> {
  if (event.type === "deployment" && event.deployment.id === page.id) {
    return isStale(page, event.deployment) ? undefined : { ...page, ...event.deployment };
  }
  if (event.type === "tasks" && event.deploymentId === page.id) {
    const tasks = mergeTasks(page.tasks, event.tasks);
    if (!event.whole) return { ...page, tasks };
    const there = new Map(event.tasks.map((task, at) => [task.id, at]));
    return {
      ...page,
      tasks: tasks.filter((task) => there.has(task.id)).sort((a, b) => there.get(a.id)! - there.get(b.id)!),
    };
  }
  return undefined;
}

export function mergeTasks(tasks: Task[], news: Task[]): Task[] {
  const merged = new Map(tasks.map((task) => [task.id, task]));
  for (const task of news) if (!isStale(merged.get(task.id), task)) merged.set(task.id, task);
  return [...merged.values()];
}

/** Counts and health are the master's sums, so they are read again; the list of deployments moves at once. */
export function reduceOverview(overview: Overview, event: LiveEvent): Reduced<Overview> {
  if (event.type === "changed") return "reload";
  if (event.type !== "deployment") return undefined;
  const deployments = upsert(overview.deployments, event.deployment)?.slice(0, 50);
  return deployments && { ...overview, deployments };
}

export const reloadOnChange = (_: unknown, event: LiveEvent): "reload" | undefined =>
  event.type === "changed" || event.type === "deployment" ? "reload" : undefined;

/** A cut stream tells again what it told last; the entry's number finds it out. */
export function reduceTimeline(entries: TimelineEntry[], event: LiveEvent): Reduced<TimelineEntry[]> {
  if (event.type !== "timeline") return undefined;
  const { type: _, id, ...rest } = event;
  if (id === undefined) return "reload";
  return entries.some((entry) => entry.id === id) ? undefined : [...entries, { id, ...rest }];
}
