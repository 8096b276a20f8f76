import type { Database } from "../database.ts";

/** Which of these deployments and tasks are of the project; of tasks, with their latest attempt. */
export async function findFollowable(
  db: Database,
  projectId: string,
  wanted: { deploymentIds: string[]; taskIds: string[] },
): Promise<{ deploymentIds: Set<string>; attempts: Map<string, number> }> {
  const [deployments, tasks] = await Promise.all([
    wanted.deploymentIds.length === 0 ? [] : db.sql<{ id: string }[]>`
      select id from deployment where id = any(${wanted.deploymentIds}::uuid[]) and project_id = ${projectId}`,
    wanted.taskIds.length === 0 ? [] : db.sql<{ id: string; attempt: number }[]>`
      select id, greatest(attempt, 1) as attempt from task
      where id = any(${wanted.taskIds}::uuid[]) and project_id = ${projectId}`,
  ]);
  return {
    deploymentIds: new Set(deployments.map((d) => d.id)),
    attempts: new Map(tasks.map((t) => [t.id, t.attempt])),
  };
}
