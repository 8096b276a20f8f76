/**
 * What one agent cannot run, though any agent of the environment may:
 *
 *   leased --"cannot here"--> pending, for the next connected agent that has not said so --> ... --> nobody is left: failed
 *
 * It is no attempt of the task's. Who has said so stands in the payload until the task ends; an agent that it was meant
 * for and that goes away meanwhile gives it back to all (`settle_missing.ts`).
 */
import { reason } from "../../domain/reason.ts";
import type { Reason } from "../../domain/reason.ts";
import type { Outcome } from "../../protocol/operation.ts";
import type { Tx } from "../database.ts";
import { pendingEvent, recordEvents } from "../events/record_event.ts";
import type { EndedTask } from "./settle_tasks.ts";

/** A machine's policy, or an agent of a version before: the same task may be well on another. */
const CANNOT_HERE: ReadonlySet<string> = new Set([
  "agent.outdated",
  "agent.refused",
  "mode.refused",
  "policy.path",
  "policy.user",
]);

interface Refusal {
  agentId: string;
  why: string;
}

/** @returns whether it goes on elsewhere, or why it goes nowhere; undefined when this is a failure like any other */
export async function moveOn(
  tx: Tx,
  task: Pick<EndedTask, "id" | "state">,
  agentId: string,
  { code, message, retryable }: Outcome,
): Promise<true | Reason | undefined> {
  if (task.state === "cancelling" || retryable || !CANNOT_HERE.has(code ?? "")) return undefined;
  const [row] = await tx<{ environmentId: string; cannot: Refusal[] }[]>`
    select environment_id, coalesce(payload -> 'cannot', '[]') as cannot from task
    where id = ${task.id} and is_leaf and type in ('hook', 'gate') and (target_agent_id is null or payload ? 'cannot')`;
  if (!row) return undefined;
  const cannot = [...row.cannot.filter((one) => one.agentId !== agentId), { agentId, why: message }];
  const [next] = await tx<{ id: string; name: string }[]>`
    select a.id, a.name from agent_environment e join agent a on a.id = e.agent_id
    where e.environment_id = ${row.environmentId} and a.status = 'connected' and not a.cordoned
      and a.id <> all(${cannot.map((one) => one.agentId)}::uuid[])
    order by a.name, a.id limit 1`;
  if (!next) {
    // Tried again by a person it is anybody's.
    await tx`update task set payload = payload - 'cannot', target_agent_id = null where id = ${task.id}`;
    return reason("task.nobody_can", { detail: cannot.map((one) => one.why).join(" ").slice(0, MOST_SAID) });
  }
  const said = reason("task.moved_on", { detail: message, agent: next.name });
  const rows = await tx<EndedTask[]>`
    update task set state = 'pending', agent_id = null, lease_expires_at = null, target_agent_id = ${next.id},
      losses = losses + 1, run_after = boreas_now(), state_since = boreas_now(), updated_at = boreas_now(),
      payload = payload || jsonb_build_object('cannot', ${tx.json(cannot as never)}::jsonb), reason = ${
    tx.json(said as never)
  }
    where id = ${task.id} returning id, project_id, deployment_id, parent_id, name, state, reason`;
  await recordEvents(tx, rows.map(pendingEvent));
  return true;
}

const MOST_SAID = 4000;
