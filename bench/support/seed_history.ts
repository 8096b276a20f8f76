/** A past of many finished deployments, written straight into the tables: what lists and details are read from. */
import type { Sql } from "../../db/client.ts";
import { DEFAULT_PROJECT } from "../../db/database.ts";
import { reason } from "../../domain/reason.ts";
import { newId } from "../../host/new_id.ts";

export interface HistorySize {
  deployments: number;
  tasks: number;
}
export interface SeededHistory {
  deploymentIds: string[];
  environmentIds: string[];
}
const ENVIRONMENTS = 10;
const VERSIONS = 200;
const AGENTS = 50;
const DONE = "Deployed in 4 s: 1 of 1 instances healthy, release kept in /var/lib/boreas/releases.";

/** One task in a hundred failed, each waits for the one before it; the newest deployments are under way. */
export async function seedHistory(sql: Sql, { deployments, tasks }: HistorySize): Promise<SeededHistory> {
  const json = (value: unknown) => sql.json(value as never);
  const make = (count: number) => Array.from({ length: count }, () => newId());
  const [environmentIds, applicationIds, versionIds, agentIds] = [
    make(ENVIRONMENTS),
    make(tasks),
    make(VERSIONS),
    make(AGENTS),
  ];
  const ready = json(reason("version.builds_ready"));
  await sql`insert into environment (id, project_id, name, type, status, created_by)
    select id, ${DEFAULT_PROJECT}, 'env-' || n, 'mock', 'active', 'bench' from unnest(${environmentIds}::uuid[]) with ordinality e(id, n)`;
  await sql`insert into application (id, project_id, name, type, created_by)
    select id, ${DEFAULT_PROJECT}, 'service-' || n, 'microservice', 'bench' from unnest(${applicationIds}::uuid[]) with ordinality a(id, n)`;
  await sql`insert into application_environment (application_id, environment_id, project_id, source)
    select a, e, ${DEFAULT_PROJECT}, 'api' from unnest(${applicationIds}::uuid[]) a, unnest(${environmentIds}::uuid[]) e`;
  await sql`insert into version (id, project_id, version, git_commit, status, reason, builds, builds_reason, created_by)
    select id, ${DEFAULT_PROJECT}, 'v1.' || n, md5(n::text), 'normal', ${ready}, 'ready', ${ready}, 'bench'
    from unnest(${versionIds}::uuid[]) with ordinality v(id, n)`;
  await sql`insert into frozen_document (sha256, content) values ('none', '{}')`;
  await sql`insert into version_app (version_id, application_id, project_id, changed, document_sha256, builds, builds_reason)
    select v, a, ${DEFAULT_PROJECT}, true, 'none', 'ready', ${ready} from unnest(${versionIds}::uuid[]) v, unnest(${applicationIds}::uuid[]) a order by v, a`;
  await sql`insert into agent (id, project_id, name, kind, public_key, sealing_key, status, slots, reason, created_by)
    select id, ${DEFAULT_PROJECT}, 'machine-' || n, 'agent', 'p', 's', 'connected', 8, ${
    json(reason("agent.connected"))
  }, 'bench'
    from unnest(${agentIds}::uuid[]) with ordinality a(id, n)`;
  await sql`insert into app_state (environment_id, application_id, target, project_id, version_id, health, sync)
    select e, a, '-', ${DEFAULT_PROJECT}, ${versionIds.at(
    -1,
  )!}, 'healthy', 'synced' from unnest(${environmentIds}::uuid[]) e, unnest(${applicationIds}::uuid[]) a`;
  const deploymentIds: string[] = [];
  for (let n = 0; n < deployments; n++) {
    const isOpen = n >= deployments - 10;
    const isBad = n % 10 === 3;
    const id = newId();
    deploymentIds.push(id);
    const status = isOpen ? "running" : isBad ? "failed" : "completed";
    const taskIds = make(tasks);
    await sql.begin(async (tx) => {
      await tx`insert into deployment (id, project_id, version_id, environment_id, status, reason, applications, must_in_order, plan_hash,
          created_by, started_at, completed_at)
        values (${id}, ${DEFAULT_PROJECT}, ${versionIds[n % VERSIONS]!}, ${environmentIds[
        n % ENVIRONMENTS
      ]!}, ${status},
          ${json(reason("deployment.completed", { count: tasks, version: "v1" }))},
          (select array_agg(name) from application), '{}', 'plan', 'bench', boreas_now(), ${
        isOpen ? null : tx`boreas_now()`
      })`;
      await tx`insert into task (id, project_id, deployment_id, environment_id, app_id, name, type, position, state, reason, is_leaf, unmet,
          payload, result, attempt, fence, last_agent_id, started_at, completed_at)
        select t.id, ${DEFAULT_PROJECT}, ${id}, ${environmentIds[
        n % ENVIRONMENTS
      ]!}, a.id, 'service-' || t.n, 'deploy', t.n,
          case when ${isOpen} and t.n > 50 then 'blocked' when ${isBad} and t.n % 10 = 0 then 'failed' else 'success' end,
          ${json(reason("task.succeeded", { detail: DONE }))}, true, case when ${isOpen} and t.n > 50 then 1 else 0 end,
          jsonb_build_object('action', 'deploy', 'version', 'v1', 'generation', ${n}::int, 'target', null),
          ${json({ status: "success", message: DONE, details: {} })}, 1, 1, ${agentIds[n % AGENTS]!}, boreas_now(),
          case when ${isOpen} and t.n > 50 then null else boreas_now() end
        from unnest(${taskIds}::uuid[], ${applicationIds}::uuid[]) with ordinality t(id, app, n) join application a on a.id = t.app`;
      await tx`insert into task_dependency (task_id, depends_on)
        select t, d from unnest(${taskIds.slice(1)}::uuid[], ${taskIds.slice(0, -1)}::uuid[]) as x(t, d)`;
      await tx`insert into event (project_id, topic, subject_id, deployment_id, kind, data)
        select ${DEFAULT_PROJECT}, 'task', t, ${id}, kind, ${
        json({ name: "service", reason: reason("task.succeeded", { detail: DONE }) })
      }
        from unnest(${taskIds}::uuid[]) t, unnest(array['task.leased', 'task.running', 'task.success']) kind`;
    });
  }
  await sql`vacuum analyze`;
  return { deploymentIds, environmentIds };
}
