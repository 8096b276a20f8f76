/**
 * Each move of agents, people and timers made twice: on the real SQL, and in the model (`tree_model.ts`). Both must say the
 * same of it, and come to the same.
 */
import { expect } from "vitest";
import { approveTask, rejectTask } from "../../db/approvals/vote_on_task.ts";
import { answerQuestions } from "../../db/deployments/answer_questions.ts";
import { endRollbacks } from "../../db/deployments/end_rollbacks.ts";
import { recordMeasurement } from "../../db/gates/record_measurement.ts";
import { failWatches } from "../../db/rollouts/fail_watches.ts";
import type { ClaimedTask } from "../../db/tasks/claim_tasks.ts";
import { endPauses } from "../../db/tasks/end_pauses.ts";
import { reapTasks } from "../../db/tasks/reap_tasks.ts";
import { AppError } from "../../domain/app_error.ts";
import type { DeploymentState } from "../../domain/deployment_state.ts";
import { isFinal } from "../../domain/task_state.ts";
import type { OutcomeInput } from "../../protocol/operation.ts";
import { claim, finish } from "./play_tasks.ts";
import type { Actor } from "../../db/database.ts";
import type { World } from "./seed_release.ts";
import type { TestDatabase } from "./test_database.ts";
import type { TreeModel } from "./tree_model.ts";
import { isFailureHook, isHeld, isWaiting } from "./tree_task.ts";
import type { TreeTask } from "./tree_task.ts";

export const LEASE_SECONDS = 1_000_000;

/** The database's clock stands still but for a millisecond per act: no lease and no delay ends by itself. */
let now = Date.parse("2030-01-01T00:00:00Z");
export const moveClock = (db: TestDatabase) =>
  db.sql`select set_config('boreas.now', ${new Date(++now).toISOString()}, false)`;

export interface Row extends TreeTask {
  action: string | null;
  isLeftOut: boolean;
  open: boolean;
  fence: number;
}

export class TreeMoves {
  held: ClaimedTask[] = [];
  late: ClaimedTask[] = [];
  /** As it was when it was looked at last; every act is followed by a look. */
  now!: { tasks: Row[]; status: DeploymentState; locks: number };
  model!: TreeModel;
  /** @param people who may answer what is asked */
  constructor(
    protected db: TestDatabase,
    protected world: World,
    protected agents: string[],
    protected people: readonly Actor[],
    readonly id: string,
    protected apps: number,
  ) {}

  tasks = () =>
    this.db.sql<Row[]>`
      select t.id, t.name, t.parent_id, t.app_id, t.target_agent_id as target, t.payload -> 'target' ->> 'name' as machine, t.position, t.is_leaf, t.is_rollback, t.type,
        t.type = 'gate' and t.payload ->> 'kind' is not distinct from 'watch' as is_watch, t.payload -> 'step' as step, t.payload ->> 'action' as action,
        case when t.parent_id is not null then (t.payload ->> 'batch')::int end as batch, coalesce((t.payload -> 'approve' ->> 'count')::int, 1) as needed,
        coalesce(t.payload ->> 'action' in ('deploy', 'finish') or t.payload ->> 'action' = 'switch' and not t.payload ? 'hold', false) as arrives,
        t.max_failures, t.max_attempts, t.state, t.attempt, t.losses, t.run_after <= boreas_now() as due, t.state = 'skipped' and t.payload ? 'leftOut' as is_left_out, t.open, t.fence,
        coalesce((select array_agg(d.depends_on) from task_dependency d where d.task_id = t.id), '{}') as depends_on
      from task t where t.deployment_id = ${this.id} order by t.position`;
  private status = async () =>
    (await this.db.sql<{ status: DeploymentState; locks: number }[]>`select d.status,
      (select count(*)::int from deployment_lock l where l.deployment_id = d.id) as locks from deployment d where d.id = ${this.id}`)[
      0
    ]!;
  /** application and machine -> the version that is there */
  places = async () =>
    Object.fromEntries((await this.db.sql<{ place: string; versionId: string }[]>`
      select application_id || ' ' || target as place, version_id from app_state where environment_id = ${this.world.environmentId}`)
      .map((row) => [row.place, row.versionId]));

  /** What is wanted no more is no longer held; its agent may still send word. */
  protected letGo(): void {
    for (const task of this.held) if (!isHeld(this.model.get(task.id))) this.late.push(task);
    this.held = this.held.filter((t) => isHeld(this.model.get(t.id)));
  }

  protected async lose(task: ClaimedTask): Promise<void> {
    await this.db.sql`update task set lease_expires_at = boreas_now() - interval '1 s' where id = ${task.id}`;
    await reapTasks(this.db, { leaseSeconds: LEASE_SECONDS, graceSeconds: 0, chance: () => 0.5 });
    this.model.lose(task.id);
    this.letGo();
  }

  async claim(agentId: string, free: number): Promise<void> {
    const before = new Map(this.now.tasks.map((t) => [t.id, t]));
    const { status } = this.now;
    const given = await claim(this.db, agentId, free, LEASE_SECONDS);
    const names = (ids: string[]) => ids.map((id) => `${before.get(id)!.name} ${id}`).sort();
    expect(names(given.map((t) => t.id)), `handed out while ${status}`).toEqual(names(this.model.claim(agentId, free)));
    for (const task of given) {
      const row = before.get(task.id)!;
      expect(task.fence, "each claim has a fence of its own").toBe(row.fence + 1);
      expect(status, "nothing is handed out unless work is wanted").toBe(
        isFailureHook(row) ? status : row.isRollback ? "rolling_back" : "running",
      );
      for (const dependency of row.dependsOn.map((d) => before.get(d)!)) {
        const tolerated = dependency.state === "failed" && before.get(dependency.parentId ?? "")?.maxFailures;
        const over = row.isRollback && isFinal(dependency.state);
        expect(
          dependency.state === "success" || tolerated || over || dependency.isLeftOut,
          `${row.name} began before ${dependency.name}`,
        )
          .toBeTruthy();
      }
      this.held.push(task);
    }
  }

  async end(task: ClaimedTask, outcome: OutcomeInput): Promise<void> {
    this.held = this.held.filter((t) => t !== task);
    expect(await finish(this.db, task, outcome), "the word of a holder is taken").toEqual([task.id]);
    this.model.end(task.id, outcome.status);
    this.late.push(task);
  }

  async turnBad(id: string): Promise<number> {
    const [at] = await this.db.sql<{ agentId: string; application: string; environmentId: string; version: string }[]>`
      select t.last_agent_id as agent_id, a.name as application, t.environment_id, t.payload ->> 'version' as version
      from task t join application a on a.id = t.app_id where t.id = ${id}`;
    const { agentId, ...what } = at!;
    const seen = { resources: [], differences: null, details: { turnedBad: "it answers 500" } };
    return await failWatches(this.db, agentId, [{ ...what, ...seen, target: "", health: "degraded" }]);
  }

  async measure(id: string | undefined, passes: boolean): Promise<void> {
    if (id === undefined) return;
    const [task] = await this.db.sql<{ fence: number }[]>`select fence from task where id = ${id}`;
    const measured = { value: passes ? 200 : 500, verdict: passes ? "pass" as const : "fail" as const, note: "seen" };
    const counted = await recordMeasurement(this.db, { id, fence: task!.fence }, measured);
    expect(counted, "a measurement counts").toBe(this.model.measure(id, passes));
  }

  async vote(id: string | undefined, person: Actor, yes: boolean): Promise<boolean> {
    if (id === undefined) return true;
    const isTaken = await isDone((yes ? approveTask : rejectTask)(this.world.deps, id, person));
    expect(isTaken, "a word is taken once from each").toBe(this.model.vote(id, person.name, yes));
    return isTaken;
  }

  async passTime(): Promise<void> {
    await this.db.sql`update task set run_after = boreas_now() where deployment_id = ${this.id}`;
    await endPauses(this.db);
    this.model.passTime();
  }

  /** Nobody answers, until the question answers itself. @returns whether it did */
  async waitForAnswer(): Promise<boolean> {
    await this.db.sql`update deployment set ask_until = boreas_now() where id = ${this.id} and ask_until is not null`;
    const answered = await answerQuestions(this.db) > 0;
    expect(answered, "answers itself").toBe(this.model.answerItself());
    return answered;
  }

  async overdue(long: boolean): Promise<void> {
    await this.db.sql`update deployment set rollback_until = boreas_now() - make_interval(secs => ${long ? 3600 : 1})
      where id = ${this.id} and status = 'rolling_back'`;
    await endRollbacks(this.db);
    this.model.overdue(long);
    this.letGo();
  }

  async compare(): Promise<void> {
    const [tasks, state] = await Promise.all([this.tasks(), this.status()]);
    this.now = { tasks, ...state };
    const { model, now: { status } } = this;
    model.adopt(tasks);
    const show = (t: TreeTask, open: boolean) =>
      `${t.name} ${t.state} attempt ${t.attempt} losses ${t.losses}${isWaiting(t) ? ` open ${open}` : ""}`;
    expect([status, ...tasks.map((t) => show(t, t.open))], "as the model has it")
      .toEqual([model.status, ...model.all().map((t) => show(t, model.isOpen(t)))]);
  }
}

/** @returns false when a wish was refused with a sentence, which leaves everything as it was */
export const isDone = (wish: Promise<void>): Promise<boolean> =>
  wish.then(() => true, (error: unknown) => {
    if (error instanceof AppError) return false;
    throw error;
  });
