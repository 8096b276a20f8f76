/**
 * Shapes that no single plan has, written by hand into a deployment that the verbs made: its first task, which is never
 * opened and so keeps it running, is the pattern that all are copied from.
 */
import type { Fragment } from "../../db/client.ts";
import type { Database } from "../../db/database.ts";
import type { DeploymentDeps } from "../../db/deployments/load_plan.ts";
import { openRelease } from "./release.ts";
import type { World } from "./release.ts";

export interface TaskGraph {
  deploymentId: string;
  /** Adds leaves that wait to be opened; `dependsOn` holds indexes into this call's own tasks. @returns their ids */
  add(tasks: { dependsOn: readonly number[]; unmet?: number }[]): Promise<string[]>;
  /** Adds one that may be claimed as soon as this returns. */
  addReady(): Promise<string>;
  open(): Promise<void>;
}

/** Positions before those of the pattern, so that nothing added here is the last of its deployment. */
const FIRST_POSITION = -1_000_000;
const PLACES = 20;

export async function createTaskGraph(deps: DeploymentDeps, world: World): Promise<TaskGraph> {
  const { db } = deps;
  const { sql } = db;
  const [deploymentId] = await openRelease(deps, world);
  await sql`update task set open = false where deployment_id = ${deploymentId!}`;
  const [pattern] = await sql<{ id: string }[]>`
    select id from task where deployment_id = ${deploymentId!} and is_leaf and state = 'pending' limit 1`;
  const columns =
    sql`project_id, deployment_id, environment_id, app_id, name, type, is_leaf, target_agent_id, payload, spec_sha256, max_attempts`;
  /** One machine has as many applications as machines have: what runs at each is one row. */
  const payloadFor = (at: Fragment) =>
    sql`jsonb_set(p.payload, '{target,name}', to_jsonb('place' || abs(${at}) % ${PLACES}::int))`;
  let position = FIRST_POSITION;
  return {
    deploymentId: deploymentId!,
    async add(tasks) {
      const ids = tasks.map(() => db.newId());
      const unmet = tasks.map((task) => task.dependsOn.length);
      await sql`
        insert into task (id, position, state, unmet, open, reason, ${columns})
        select n.id, ${position} + n.at::int, case when n.unmet > 0 then 'blocked' else 'pending' end, n.unmet, false, p.reason,
          p.project_id, p.deployment_id, p.environment_id, p.app_id, p.name, p.type, p.is_leaf, p.target_agent_id, ${
        payloadFor(sql`${position} + n.at::int`)
      }, p.spec_sha256, p.max_attempts
        from task p, unnest(${ids}::uuid[], ${unmet}::int[]) with ordinality as n(id, unmet, at) where p.id = ${
        pattern!.id
      }`;
      position += tasks.length + 1;
      const edges = tasks.flatMap((task, i) => task.dependsOn.map((on) => [ids[i]!, ids[on]!] as const));
      await sql`
        insert into task_dependency (task_id, depends_on)
        select * from unnest(${edges.map(([task]) => task)}::uuid[], ${edges.map(([, on]) => on)}::uuid[])`;
      return ids;
    },
    async addReady() {
      const id = db.newId();
      await sql`
        insert into task (id, position, state, unmet, open, reason, ${columns})
        select ${id}, ${++position}, 'pending', 0, true, p.reason,
          p.project_id, p.deployment_id, p.environment_id, p.app_id, p.name, p.type, p.is_leaf, p.target_agent_id, ${
        payloadFor(sql`${position}::int`)
      }, p.spec_sha256, p.max_attempts
        from task p where p.id = ${pattern!.id}`;
      deps.hints.announce("tasks");
      return id;
    },
    async open() {
      await sql`update task set open = true, run_after = boreas_now() where deployment_id = ${deploymentId!} and position < 0`;
      deps.hints.announce("tasks");
    },
  };
}

/**
 * Finished work of earlier days: deployments of 100 succeeded tasks in a chain each, with their events, copied from one task. In
 * batches, so that no statement holds the whole of it.
 */
export async function addHistory(
  db: Database,
  graph: TaskGraph,
  count: number,
  say: (sentence: string) => void,
): Promise<void> {
  const { sql } = db;
  const perDeployment = 100;
  const batch = 50_000;
  const [pattern] = await sql<{ id: string }[]>`
    select id from task where deployment_id = ${graph.deploymentId} and is_leaf limit 1`;
  const restoreIndexes = await dropIndexes(db, ["task", "task_dependency", "event"]);
  for (let done = 0; done < count; done += batch) {
    const deployments = Math.ceil(Math.min(batch, count - done) / perDeployment);
    const ids = Array.from({ length: deployments }, () => db.newId());
    await sql.begin(async (tx) => {
      // What is copied is sound; a superuser may spare the checks of foreign keys.
      await tx`select set_config('session_replication_role', 'replica', true) from pg_user where usename = current_user and usesuper`;
      await tx`
        insert into deployment (id, project_id, version_id, environment_id, status, reason, applications, must_in_order,
          approvals_needed, plan_hash, created_by, started_at, completed_at)
        select n.id, d.project_id, d.version_id, d.environment_id, 'completed', d.reason, d.applications, d.must_in_order,
          0, d.plan_hash, d.created_by, boreas_now() - interval '1 day', boreas_now() - interval '1 day'
        from deployment d, unnest(${ids}::uuid[]) as n(id) where d.id = ${graph.deploymentId}`;
      // In one statement: without its indexes, what was written could only be found by reading all of it.
      await tx`
        with t as (
          insert into task (id, position, state, unmet, open, reason, result, attempt, fence, last_agent_id, started_at, completed_at,
            project_id, deployment_id, environment_id, app_id, name, type, is_leaf, target_agent_id, payload, spec_sha256, max_attempts)
          select gen_random_uuid(), n, 'success', 0, true, '{"code": "task.succeeded", "params": {"detail": "Done."}, "text": "Done."}',
            '{"status": "success", "message": "Done.", "code": "", "details": {}, "lastLines": [], "retryable": false}', 1, 1,
            p.target_agent_id, boreas_now() - interval '1 day', boreas_now() - interval '1 day', p.project_id, d.id, p.environment_id,
            p.app_id, p.name, p.type, true, p.target_agent_id, p.payload, p.spec_sha256, p.max_attempts
          from (select * from task where id = ${pattern!.id}) p,
            unnest(${ids}::uuid[]) as d(id), generate_series(1, ${perDeployment}) n
          returning id, project_id, deployment_id, position, name, reason
        ), chained as (
          insert into task_dependency (task_id, depends_on)
          select t.id, b.id from t join t b on b.deployment_id = t.deployment_id and b.position = t.position - 1
        )
        insert into event (project_id, topic, subject_id, deployment_id, kind, data)
        select t.project_id, 'task', t.id, t.deployment_id, k.kind, jsonb_build_object('name', t.name, 'reason', t.reason)
        from t, unnest(array['task.leased', 'task.running', 'task.success']) as k(kind)`;
    });
    if (done > 0 && done % 250_000 === 0) say(`  ${done.toLocaleString("en-US")} finished tasks written`);
  }
  if (count > 250_000) say("  making the indexes");
  await restoreIndexes();
}

/** Those that are no constraints: millions of rows are written faster without them. @returns makes them again */
async function dropIndexes({ sql }: Database, tables: string[]): Promise<() => Promise<void>> {
  const indexes = await sql<{ name: string; definition: string }[]>`
    select i.indexname as name, i.indexdef as definition from pg_indexes i where i.schemaname = current_schema()
      and i.tablename = any(${tables}::text[])
      and not exists (select 1 from pg_constraint c where c.conindid = format('%I', i.indexname)::regclass)`;
  for (const { name } of indexes) await sql`drop index ${sql(name)}`;
  return async () => {
    for (const { definition } of indexes) await sql.unsafe(definition);
  };
}
