import { AppError } from "../../domain/app_error.ts";
import { reason } from "../../domain/reason.ts";
import { DEFAULT_PROJECT } from "../../db/database.ts";
import { cancelDeployment } from "../../db/deployments/cancel_deployment.ts";
import { cancelTask } from "../../db/tasks/cancel_task.ts";
import { createTaskStore } from "../../db/tasks/task_store.ts";
import { seedWork } from "../helpers/seed_work.ts";
import { seedWorld } from "../helpers/seed_release.ts";
import type { TestDatabase } from "../helpers/test_database.ts";
import { EPOCH } from "./store_world.ts";
import type { StoreView, StoreWorld } from "./store_world.ts";

/** @param db with one connection, whose clock stands still but for `advance`; what earlier worlds left is removed */
export async function createSqlWorld(db: TestDatabase): Promise<StoreWorld> {
  const { sql } = db;
  let now = EPOCH;
  const setClock = () => sql`select set_config('boreas.now', ${new Date(now).toISOString()}, false)`;
  await setClock();
  await sql`delete from deployment`;
  await sql`delete from agent`;
  await sql`delete from event`;
  await sql`delete from environment`;
  await sql`delete from setting where key = 'sweep'`;
  const { deps, actor } = await seedWorld(db, { applications: {} });
  const versionId = await seedWork(db).version(`v-${db.newId()}`);
  const json = (value: unknown) => sql.json(value as never);
  const wish = (act: () => Promise<void>): Promise<boolean> =>
    act().then(() => true, (error: unknown) => {
      if (error instanceof AppError && error.kind === "conflict") return false;
      throw error;
    });
  let position = 0;

  return {
    store: createTaskStore(db),
    now: () => now,
    async advance(milliseconds) {
      now += milliseconds;
      await setClock();
    },
    async environment(id) {
      await sql`insert into environment (id, project_id, name, type, status, created_by)
        values (${id}, ${DEFAULT_PROJECT}, ${id}, 'mock', 'active', 'test')`;
    },
    async agent(id, environments) {
      await sql`insert into agent (id, project_id, name, kind, embedded, public_key, sealing_key, status, slots, reason, created_by)
        values (${id}, ${DEFAULT_PROJECT}, ${`agent ${id}`}, 'agent', false, 'p', 's', 'disconnected', 4, ${
        json(reason("agent.connected"))
      }, 'test')`;
      for (const environmentId of environments) {
        await sql`insert into agent_environment (agent_id, environment_id) values (${id}, ${environmentId})`;
      }
    },
    async deployment(id, environmentId, onFailure) {
      await sql`insert into deployment (id, project_id, version_id, environment_id, status, reason, applications, must_in_order,
          approvals_needed, on_failure, plan_hash, created_by, started_at)
        values (${id}, ${DEFAULT_PROJECT}, ${versionId}, ${environmentId}, 'running', ${
        json(reason("deployment.started", { actor: "test" }))
      }, ${[]}, ${[]}, 0, ${onFailure}, 'plan', 'test', boreas_now())`;
    },
    async task(task) {
      const dependsOn = task.dependsOn ?? [];
      const said = dependsOn.length > 0
        ? reason("task.waiting_for_dependencies", { names: "others" })
        : reason("task.ready");
      await sql`insert into task (id, project_id, deployment_id, parent_id, environment_id, name, type, position, state, reason,
          is_leaf, unmet, open, payload, target_agent_id, max_attempts, max_failures, run_after)
        select ${task.id}, ${DEFAULT_PROJECT}, d.id, ${
        task.parentId ?? null
      }, d.environment_id, ${task.id}, 'deploy', ${position++},
          ${dependsOn.length > 0 ? "blocked" : "pending"}, ${json(said)}, ${
        task.isLeaf ?? true
      }, ${dependsOn.length}, true, '{}',
          ${task.targetAgentId ?? null}, ${task.maxAttempts ?? 1}, ${task.maxFailures ?? 0}, boreas_now()
        from deployment d where d.id = ${task.deploymentId}`;
      for (const on of dependsOn) {
        await sql`insert into task_dependency (task_id, depends_on) values (${task.id}, ${on})`;
      }
    },
    cancelTask: (id) => wish(() => cancelTask(deps, id, actor)),
    cancelDeployment: (id) => wish(() => cancelDeployment(deps, id, actor)),
    async read() {
      const tasks = await sql<StoreView["tasks"]>`
        select t.id, t.state, t.reason ->> 'code' as reason, t.unmet, t.agent_id, t.last_agent_id, t.fence, t.attempt, t.losses,
          round(extract(epoch from t.lease_expires_at) * 1000)::float8 as lease_expires_at,
          case when t.state = 'pending' and t.is_leaf then round(extract(epoch from t.run_after) * 1000)::float8 end as run_after,
          case when t.is_leaf then array(select e.kind from event e where e.subject_id = t.id order by e.id) else '{}' end as events,
          coalesce((select jsonb_object_agg(l.attempt, l.text) from (
            select c.attempt, string_agg(convert_from(c.data, 'utf8'), '' order by c.sequence) as text
            from log_chunk c where c.task_id = t.id group by c.attempt) l), '{}') as logs
        from task t order by t.id`;
      const deployments = await sql<StoreView["deployments"]>`select id, status from deployment order by id`;
      const agents = await sql<
        { id: string; sessionId: string | null }[]
      >`select id, session_id from agent order by id`;
      return {
        tasks: [...tasks],
        deployments: [...deployments],
        sessions: Object.fromEntries(agents.map((agent) => [agent.id, agent.sessionId])),
      };
    },
  };
}
