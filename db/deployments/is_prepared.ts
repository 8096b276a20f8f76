import type { Fragment, Sql } from "../client.ts";
import type { Tx } from "../database.ts";

/** Of a task `t`: it stands prepared, was never switched to, and no later deployment has come to the place since. */
export const isPrepared = (sql: Sql | Tx): Fragment =>
  sql`t.is_leaf and not t.is_rollback and t.state = 'success' and t.payload ->> 'action' = 'prepare' and not exists (
      select from task s where s.deployment_id = t.deployment_id and s.app_id = t.app_id and s.payload ->> 'action' = 'switch'
        and s.state = 'success' and s.payload -> 'target' is not distinct from t.payload -> 'target')
    and not ${isOutrun(sql)}`;

/** Of a task `t`: a later deployment of its application has begun there. */
export const isOutrun = (sql: Sql | Tx): Fragment =>
  sql`exists (select from application_environment b where b.application_id = t.app_id and b.environment_id = t.environment_id
      and b.generation > (t.payload ->> 'generation')::bigint)`;
