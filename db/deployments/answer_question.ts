/**
 * Carries out an answer to the question of a paused deployment, a person's or the default, in the caller's transaction,
 * which holds the deployment's row.
 *
 * Ignoring and excluding are trying again with an end that is known at once: the failed tasks are taken up as by a retry
 * (`reopen_tasks.ts` works out who waits for whom from then on), and end in the same transaction.
 */
import { AppError } from "../../domain/app_error.ts";
import { reason } from "../../domain/reason.ts";
import type { FailureChoice, RollbackScope } from "../../domain/strategy.ts";
import type { Actor, Database, Tx } from "../database.ts";
import { recount } from "../rollouts/recut_batches.ts";
import { skipEmptyWaits } from "../rollouts/settle_missing.ts";
import { reopenTasks } from "../tasks/reopen_tasks.ts";
import { settleTasks } from "../tasks/settle_tasks.ts";
import type { EndedTask } from "../tasks/settle_tasks.ts";
import { beginRollback } from "./begin_rollback.ts";
import { changeDeployment } from "./change_deployment.ts";
import type { DeploymentRow } from "./change_deployment.ts";
import { moveDeployments } from "./move_deployments.ts";

export interface FailedTask {
  id: string;
  name: string;
  type: string;
  /** The machine it is for, by name; null when it is for none. */
  machine: string | null;
}
export interface Answer {
  choice: FailureChoice;
  /** What is decided about: a task, or all that have failed. */
  tasks: readonly FailedTask[];
  actor: Actor;
  note: string;
}

/** What has failed of it and stands: a whole is not among them, its parts are. */
export async function readFailed(tx: Tx, deploymentId: string, only: string | null = null): Promise<FailedTask[]> {
  return await tx<FailedTask[]>`
    select t.id, t.name, t.type, t.payload -> 'target' ->> 'name' as machine from task t left join task p on p.id = t.parent_id
    where t.deployment_id = ${deploymentId} and not t.is_rollback and t.state = 'failed' and p.state is distinct from 'success'
      and not exists (select from task c where c.parent_id = t.id)
      and (${only}::uuid is null or t.id = ${only}::uuid or t.parent_id = ${only}::uuid)
    order by t.position`;
}

/** @throws AppError `task.no_machine`, `task.not_ignored` when the choice does not fit a task */
export async function answerQuestion(
  db: Database,
  tx: Tx,
  row: DeploymentRow & { rollbackScope: RollbackScope },
  answer: Answer,
): Promise<void> {
  const { choice, tasks, actor, note } = answer;
  switch (choice) {
    case "fail":
      await tx`update deployment set on_failure = 'stop', ask_until = null where id = ${row.id}`;
      await changeDeployment(
        tx,
        row,
        "paused",
        reason("deployment.decided_fail", { actor: actor.name, note: note || "no reason given" }),
      );
      return await moveDeployments(db, tx, [row.id]);
    case "rollback": {
      const params = await readCause(tx, tasks);
      await beginRollback(db, tx, row, reason("deployment.decided_rollback", params), {
        causeTaskId: tasks[0]?.id,
        scope: row.rollbackScope,
        versionReason: reason("version.reverted_by_rollback", params),
      });
      return await moveDeployments(db, tx, [row.id]);
    }
    case "retry":
      await reopenTasks(tx, row.id, tasks.map(({ id }) => id), actor);
      break;
    case "ignore":
      await ignore(tx, row.id, answer);
      break;
    case "exclude":
      await exclude(tx, row.id, answer);
      break;
  }
  await goOn(db, tx, row, answer);
}

/** Running again: when something else has failed too, the next move asks about that. */
async function goOn(db: Database, tx: Tx, row: DeploymentRow, { choice, tasks, actor }: Answer): Promise<void> {
  await tx`update task set open = true where deployment_id = ${row.id} and completed_at is null`;
  const task = tasks.map(({ name }) => name).join(", ");
  await changeDeployment(tx, row, "running", reason("deployment.decided", { actor: actor.name, choice, task }));
  await moveDeployments(db, tx, [row.id]);
}

async function ignore(tx: Tx, deploymentId: string, { tasks, actor, note }: Answer): Promise<void> {
  const approval = tasks.find(({ type }) => type === "approval");
  if (approval) {
    throw new AppError(
      "conflict",
      "task.not_ignored",
      `${approval.name} was not given, and an approval is not ignored; retry it to ask again, or let it fail.`,
    );
  }
  const details = new Map((await readDetails(tx, tasks)).map((task) => [task.id, task.detail]));
  await reopenTasks(tx, deploymentId, tasks.map(({ id }) => id), actor);
  const decision = { choice: "ignore", by: actor.name, note };
  const rows = tasks.map(({ id }) => ({
    id,
    reason: reason("task.ignored", {
      actor: actor.name,
      note: note || "no reason given.",
      detail: details.get(id) ?? "",
    }),
  }));
  await settleTasks(
    tx,
    await tx<EndedTask[]>`
    update task t set state = 'success', reason = r.reason, payload = t.payload || ${
      tx.json({ decision } as never)
    }::jsonb, unmet = 0,
      completed_at = boreas_now(), state_since = boreas_now(), updated_at = boreas_now()
    from jsonb_to_recordset(${tx.json(rows as never)}) as r(id uuid, reason jsonb)
    where t.id = r.id and t.state in ('blocked', 'pending')
    returning t.id, t.project_id, t.deployment_id, t.parent_id, t.name, t.state, t.reason`,
  );
}

/** The machine is left out of the deployment, with all that had not begun there, and does not catch up by itself. */
async function exclude(tx: Tx, deploymentId: string, { tasks, actor, note }: Answer): Promise<void> {
  const homeless = tasks.find(({ machine }) => machine === null);
  if (homeless) {
    throw new AppError(
      "conflict",
      "task.no_machine",
      `${homeless.name} belongs to no machine that could be left out; ignore it, retry it, or let it fail.`,
    );
  }
  const machines = [...new Set(tasks.map(({ machine }) => machine!))];
  const there = (await readFailed(tx, deploymentId)).filter(({ machine }) => machines.includes(machine ?? ""));
  await reopenTasks(tx, deploymentId, there.map(({ id }) => id), actor);
  await handOnWaits(tx, deploymentId, machines);
  const left = { leftOut: "excluded", decision: { choice: "exclude", by: actor.name, note } };
  const rows = machines.map((machine) => ({
    machine,
    reason: reason("task.excluded", { actor: actor.name, machine, note: note || "no reason given." }),
  }));
  const ended = await tx<EndedTask[]>`
    update task t set state = 'skipped', reason = r.reason, payload = t.payload || ${
    tx.json(left as never)
  }::jsonb, unmet = 0,
      completed_at = boreas_now(), state_since = boreas_now(), updated_at = boreas_now()
    from jsonb_to_recordset(${tx.json(rows as never)}) as r(machine text, reason jsonb)
    where t.deployment_id = ${deploymentId} and not t.is_rollback and t.payload -> 'target' ->> 'name' = r.machine
      and t.state in ('blocked', 'pending') and not exists (select from task c where c.parent_id = t.id)
    returning t.id, t.project_id, t.deployment_id, t.parent_id, t.name, t.state, t.reason, true as is_left_out`;
  await skipEmptyWaits(tx, ended);
  await settleTasks(tx, ended);
}

/** What waits for a part that is left out before its turn waits for what that part waited for: batches keep their order. */
async function handOnWaits(tx: Tx, deploymentId: string, machines: readonly string[]): Promise<void> {
  const parts = await tx<{ id: string }[]>`
    select id from task where deployment_id = ${deploymentId} and not is_rollback and state = 'blocked'
      and payload -> 'target' ->> 'name' = any(${[...machines]}::text[]) order by position`;
  const followers = new Set<string>();
  for (const { id } of parts) {
    await tx`insert into task_dependency (task_id, depends_on)
      select w.task_id, d.depends_on from task_dependency w join task_dependency d on d.task_id = w.depends_on
      where w.depends_on = ${id} on conflict do nothing`;
    const waiting = await tx<
      { taskId: string }[]
    >`delete from task_dependency where depends_on = ${id} returning task_id`;
    for (const { taskId } of waiting) followers.add(taskId);
  }
  await recount(tx, [...followers]);
}

const readDetails = (tx: Tx, tasks: readonly FailedTask[]) =>
  tx<{ id: string; detail: string }[]>`
    select id, reason ->> 'text' as detail from task where id = any(${tasks.map(({ id }) => id)}::uuid[])`;

async function readCause(tx: Tx, tasks: readonly FailedTask[]): Promise<{ task: string; detail: string }> {
  const [first] = tasks;
  if (!first) return { task: "a task", detail: "" };
  const [{ detail } = { detail: "" }] = await readDetails(tx, [first]);
  return { task: first.name, detail };
}
