/** Claim, accept, renew: `db/tasks/claim_tasks.ts` and `accept_tasks.ts`. */
import type { HeldLease } from "../../../db/tasks/accept_tasks.ts";
import type { ClaimedTask, FreeSlots } from "../../../db/tasks/claim_tasks.ts";
import { DEFAULT_PROJECT } from "../../../db/database.ts";
import { byId, liveTask, waits } from "./tables.ts";
import type { Tables, TaskRow } from "./tables.ts";

export function claimTasks(
  tables: Tables,
  agents: readonly FreeSlots[],
  leaseSeconds: number,
  isMeant: (task: TaskRow) => boolean = () => true,
): ClaimedTask[] {
  const wanted = agents.filter((want) => {
    const session = tables.agents.get(want.agentId)?.sessionId;
    return want.free > 0 && (want.sessionId === undefined || want.sessionId === session);
  });
  // Each picks for itself; what two have picked goes to one of them, and the other asks again.
  const picked = new Map<string, FreeSlots>();
  for (const want of wanted.sort((a, b) => (a.agentId < b.agentId ? 1 : -1))) {
    for (const task of pickFor(tables, want, isMeant)) picked.set(task.id, want);
  }
  const inOrder = [...picked.keys()].map((id) => tables.tasks.get(id)!).sort((a, b) => a.position - b.position);
  return inOrder.map((task) => {
    const { agentId } = picked.get(task.id)!;
    task.events.push("task.leased");
    Object.assign(task, {
      state: "leased",
      reason: "task.leased",
      agentId,
      lastAgentId: agentId,
      fence: task.fence + 1,
      attempt: task.attempt + 1,
      leaseExpiresAt: tables.now() + leaseSeconds * 1000,
    });
    const parent = task.parentId === null ? undefined : tables.tasks.get(task.parentId)!;
    if (parent && waits(parent)) Object.assign(parent, { state: "running", reason: "task.children_running" });
    return claimedOf(task);
  });
}

/** What is meant for this agent goes before what anybody may do. */
function pickFor(tables: Tables, { agentId, free }: FreeSlots, isMeant: (task: TaskRow) => boolean): TaskRow[] {
  const bound = tables.agents.get(agentId)?.environments ?? [];
  const ready = [...tables.tasks.values()]
    .filter((task) => task.isLeaf && task.state === "pending" && task.runAfter <= tables.now() && isMeant(task))
    .sort((a, b) => a.position - b.position || byId(a, b));
  const targeted = ready.filter((task) => task.targetAgentId === agentId);
  const shared = ready.filter((task) => task.targetAgentId === null && bound.includes(task.environmentId));
  return [...targeted, ...shared].slice(0, free);
}

const claimedOf = (task: TaskRow): ClaimedTask => ({
  id: task.id,
  deploymentId: task.deploymentId,
  projectId: DEFAULT_PROJECT,
  parentId: task.parentId,
  appId: null,
  environmentId: task.environmentId,
  name: task.name,
  agentId: task.agentId!,
  fence: task.fence,
  attempt: task.attempt,
  payload: task.payload,
  specSha256: null,
});

export function acceptTasks(tables: Tables, leases: readonly HeldLease[]): string[] {
  const taken = leases.map((lease) => liveTask(tables, lease)).filter((task) => task?.state === "leased") as TaskRow[];
  for (const task of taken) {
    Object.assign(task, { state: "running", reason: "task.running" });
    task.events.push("task.running");
  }
  return taken.map((task) => task.id);
}

export function renewLeases(tables: Tables, leases: readonly HeldLease[], leaseSeconds: number): string[] {
  const held = leases.flatMap((lease) => liveTask(tables, lease) ?? []);
  for (const task of held) task.leaseExpiresAt = tables.now() + leaseSeconds * 1000;
  return held.map((task) => task.id);
}
