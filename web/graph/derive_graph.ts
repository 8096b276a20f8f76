/**
 * The tasks of a deployment as a picture: one node per application, its parts in stages inside it, an edge per order
 * that matters (an edge that others already imply is left out). What rolls back is a picture of its own below.
 */
import type { Task } from "../../protocol/http_api.ts";

export interface GraphNode {
  task: Task;
  /** Parts that may run at once, in the order of the stages; empty when the task is a leaf. */
  stages: Task[][];
}
export interface GraphEdge {
  from: string;
  to: string;
}
export interface GraphSection {
  kind: "deploy" | "rollback";
  nodes: GraphNode[];
  edges: GraphEdge[];
}

/** Above this, finding implied edges costs more than it clears up. */
const MOST_NODES_TO_REDUCE = 400;

/** The master gives tasks in order of display, and that order is kept. */
export function deriveGraph(tasks: Task[]): GraphSection[] {
  const byId = new Map(tasks.map((task) => [task.id, task]));
  const rootOf = (task: Task): Task => {
    const parent = task.parentId ? byId.get(task.parentId) : undefined;
    return parent ? rootOf(parent) : task;
  };
  const members = Map.groupBy(tasks, (task) => rootOf(task).id);
  const roots = tasks.filter((task) => rootOf(task) === task);
  const sections: GraphSection[] = [];
  for (const kind of ["deploy", "rollback"] as const) {
    const mine = roots.filter((root) => (root.type === "rollback") === (kind === "rollback"));
    if (mine.length === 0) continue;
    const ids = new Set(mine.map((root) => root.id));
    const dependencies = new Map(mine.map((root) => {
      const needed = members.get(root.id)!.flatMap((task) => task.dependencies).map((id) => byId.get(id)).filter((t) =>
        t !== undefined
      ).map((t) => rootOf(t).id);
      return [root.id, new Set(needed.filter((id) => id !== root.id && ids.has(id)))];
    }));
    if (mine.length <= MOST_NODES_TO_REDUCE) dropImplied(dependencies);
    sections.push({
      kind,
      nodes: mine.map((task) => ({
        task,
        stages: stagesOf(members.get(task.id)!.filter((member) => member.parentId === task.id)),
      })),
      edges: [...dependencies].flatMap(([to, from]) => [...from].map((id) => ({ from: id, to }))),
    });
  }
  return sections;
}

/** Parts by how many steps of the same parent come before them. */
export function stagesOf(parts: Task[]): Task[][] {
  const byId = new Map(parts.map((part) => [part.id, part]));
  const depths = new Map<string, number>();
  const depthOf = (part: Task): number => {
    const known = depths.get(part.id);
    if (known !== undefined) return known;
    depths.set(part.id, 0); // a circle cannot be planned; this only keeps a broken answer from hanging the page
    const before = part.dependencies.map((id) => byId.get(id)).filter((t) => t !== undefined);
    const depth = before.length === 0 ? 0 : 1 + Math.max(...before.map(depthOf));
    depths.set(part.id, depth);
    return depth;
  };
  const stages: Task[][] = [];
  for (const part of parts) (stages[depthOf(part)] ??= []).push(part);
  return stages.filter(Boolean);
}

/** Takes out each edge whose end is reached through another one. */
function dropImplied(dependencies: Map<string, Set<string>>): void {
  const known = new Map<string, Set<string>>();
  const ancestors = (id: string): Set<string> => {
    const cached = known.get(id);
    if (cached) return cached;
    const all = new Set<string>();
    known.set(id, all);
    for (const direct of dependencies.get(id) ?? []) {
      all.add(direct);
      for (const further of ancestors(direct)) all.add(further);
    }
    return all;
  };
  for (const id of dependencies.keys()) ancestors(id);
  for (const direct of dependencies.values()) {
    for (const id of [...direct]) {
      if ([...direct].some((other) => other !== id && known.get(other)!.has(id))) direct.delete(id);
    }
  }
}

/** The task that a person most likely wants to see first. */
export function mostTelling(tasks: Task[]): Task | undefined {
  const parents = new Set(tasks.map((task) => task.parentId));
  const leaves = tasks.filter((task) => !parents.has(task.id));
  const first = (status: Task["status"]) => leaves.find((task) => task.status === status);
  const done = leaves.filter((task) => task.status === "success");
  const lastDone = done.sort((a, b) => (b.completedAt ?? "").localeCompare(a.completedAt ?? ""))[0];
  return first("running") ?? first("cancelling") ?? first("failed") ?? lastDone ?? leaves[0];
}
