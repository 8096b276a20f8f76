/** Plays the agents: claims what may be claimed and ends each task as a script says. No sockets, real SQL. */
import { claimTasks } from "../../db/tasks/claim_tasks.ts";
import type { ClaimedTask } from "../../db/tasks/claim_tasks.ts";
import { finishTasks } from "../../db/tasks/finish_tasks.ts";
import type { Database } from "../../db/database.ts";
import { Outcome } from "../../protocol/operation.ts";
import type { OutcomeInput } from "../../protocol/operation.ts";

export interface PlayedStep {
  name: string;
  action: string;
  version: string;
  isRollback: boolean;
}
const half = () => 0.5;

export const claim = (db: Database, agentId: string, free = 100, leaseSeconds = 30): Promise<ClaimedTask[]> =>
  claimTasks(db, [{ agentId, agentName: "player", free }], leaseSeconds);

export const finish = (db: Database, task: ClaimedTask, outcome: OutcomeInput): Promise<string[]> =>
  finishTasks(
    db,
    [{ taskId: task.id, fence: task.fence, agentId: task.agentId, outcome: Outcome.parse(outcome) }],
    half,
  );

export const success: OutcomeInput = { status: "success", message: "Done." };
export const failure = (message = "It broke."): OutcomeInput => ({ status: "failed", message });

/** Runs everything to its end, one claim at a time; returns what was done, in order. */
export async function playAll(
  db: Database,
  agentIds: string[],
  end: (task: ClaimedTask) => OutcomeInput = () => success,
): Promise<PlayedStep[]> {
  const played: PlayedStep[] = [];
  while (true) {
    const claimed = (await Promise.all(agentIds.map((id) => claim(db, id)))).flat();
    if (claimed.length === 0) return played;
    for (const task of claimed) {
      const { action, version, isRollback } = task.payload as { action: string; version: string; isRollback: boolean };
      played.push({ name: task.name, action, version, isRollback });
      await finish(db, task, end(task));
    }
  }
}
