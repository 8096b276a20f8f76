/**
 * The places that a deployment has begun to change, from the tasks that agents took on. One place may have several; an
 * application of which only a hook has run has none, and is told so.
 */
import type { HooksInput } from "../../domain/hooks.ts";
import type { StageTarget } from "../../domain/strategy.ts";
import type { TaskState } from "../../domain/task_state.ts";
import type { Tx } from "../database.ts";

export interface Previous {
  versionId: string;
  version: string;
  commit: string | null;
  specSha256: string;
}
export interface ReachedPlace {
  application: string;
  appId: string;
  environmentId: string;
  target: StageTarget | null;
  targetAgentId: string | null;
  /** Of the application's task. */
  topId: string;
  topPosition: number;
  /** What ran there before; null when nothing did. */
  previous: Previous | null;
  specSha256: string | null;
  /** What its agent was asked for, without what belongs to one part of the way only. */
  operation: Record<string, unknown> & { generation?: number };
  hooks: HooksInput | undefined;
  /** Nothing was changed there yet; a hook of the application has run. */
  isHookOnly: boolean;
  /** Tasks of its application that an agent holds now. */
  heldBy: string[];
  /** It is not all there, healthy: something failed, or the way to it has not come to its end. */
  isBad: boolean;
  /** A gate, a hook or an approval failed, which is a verdict on the release and not on a machine. */
  isCondemned: boolean;
  /** Equal for those that went at once. */
  batchOf: string;
}
interface Row {
  id: string;
  application: string;
  appId: string;
  environmentId: string;
  targetAgentId: string | null;
  topId: string;
  topPosition: number;
  state: TaskState;
  /** A watch saw it turn bad, or a hook of this place failed. */
  foundBad: boolean;
  isCondemned: boolean;
  specSha256: string | null;
  hooks: HooksInput | null;
  payload: Record<string, unknown> & {
    action: string;
    hold?: boolean;
    previous?: Previous | null;
    target: StageTarget | null;
    batch?: number;
  };
}

export async function readReached(tx: Tx, deploymentId: string): Promise<ReachedPlace[]> {
  const rows = await tx<Row[]>`
    select t.id, t.app_id, t.environment_id, t.target_agent_id, t.payload, t.state, t.spec_sha256, top.id as top_id,
      top.position as top_position, top.name as application, top.payload -> 'hooks' as hooks,
      exists (select from task w where w.parent_id = t.parent_id and w.state = 'failed' and (
        w.type = 'gate' and w.result -> 'machines' ? coalesce(t.payload -> 'target' ->> 'name', '-')
        or w.type = 'hook' and w.payload -> 'target' ->> 'name' = t.payload -> 'target' ->> 'name')) as found_bad,
      exists (select from task w where w.parent_id = t.parent_id and w.state = 'failed' and w.type in ('hook', 'gate', 'approval')
        and w.payload -> 'target' ->> 'name' is null and w.payload ->> 'kind' is distinct from 'watch') as is_condemned
    from task t join task top on top.id = coalesce(t.parent_id, t.id)
    where t.deployment_id = ${deploymentId} and t.is_leaf and not t.is_rollback and t.attempt > 0
    order by top.position, t.position`;
  return [...Map.groupBy(rows, (row) => row.topId).values()].flatMap((ofOne) => {
    const heldBy = ofOne.filter((row) => ["leased", "running", "cancelling"].includes(row.state)).map((row) => row.id);
    const applies = ofOne.filter((row) => row.payload.action !== "hook" && row.payload.action !== "gate");
    if (applies.length === 0) return [{ ...placeOf(ofOne.slice(0, 1), heldBy), target: null, isHookOnly: true }];
    return [...Map.groupBy(applies, (row) => row.payload.target?.name).values()].map((rows) => placeOf(rows, heldBy));
  });
}

function placeOf(rows: Row[], heldBy: string[]): ReachedPlace {
  const [first] = rows;
  const { application, appId, environmentId, targetAgentId, topId, topPosition, specSha256, hooks, payload } = first!;
  const { previous = null, target, batch = first!.id } = payload; // left out of its batch: alone in one
  const operation: Record<string, unknown> = { ...payload };
  for (const key of OF_ONE_PART) delete operation[key];
  const hasFailed = rows.some((row) => row.foundBad || row.state !== "success");
  const hasArrived = rows.some(({ payload: { action, hold } }) =>
    action === "deploy" || action === "finish" || (action === "switch" && hold !== true)
  );
  const isCondemned = rows.some((row) => row.isCondemned);
  return {
    ...{ application, appId, environmentId, target, targetAgentId, topId, topPosition, previous, specSha256, heldBy },
    ...{ operation, isCondemned, isHookOnly: false, batchOf: `${topId} ${batch}` },
    hooks: hooks ?? undefined,
    isBad: isCondemned || hasFailed || !hasArrived,
  };
}

const OF_ONE_PART = ["previous", "batch", "step", "hold", "hook", "hooks", "gate", "leftOut", "reapply", "cannot"];
