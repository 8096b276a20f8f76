/**
 * A game on one deployment: agents, people and timers act on the real SQL, and after each act every task and the deployment
 * are what the model (`tree_model.ts`) says they are.
 */
import fc from "./fast_check.ts";
import { expect } from "vitest";
import { approveTask, rejectTask } from "../../db/approvals/vote_on_task.ts";
import { answerQuestions } from "../../db/deployments/answer_questions.ts";
import { cancelDeployment } from "../../db/deployments/cancel_deployment.ts";
import { editDeployment } from "../../db/deployments/edit_deployment.ts";
import { endRollbacks } from "../../db/deployments/end_rollbacks.ts";
import { pauseDeployment, resumeDeployment } from "../../db/deployments/pause_deployment.ts";
import { retryDeployment } from "../../db/deployments/retry_deployment.ts";
import { rollbackDeployment } from "../../db/deployments/rollback_deployment.ts";
import { recordMeasurement } from "../../db/gates/record_measurement.ts";
import { failWatches } from "../../db/rollouts/fail_watches.ts";
import { promoteDeployment } from "../../db/rollouts/promote_deployment.ts";
import { skipWait, skipWaits } from "../../db/rollouts/skip_wait.ts";
import { acceptTasks } from "../../db/tasks/accept_tasks.ts";
import { cancelTask } from "../../db/tasks/cancel_task.ts";
import type { ClaimedTask } from "../../db/tasks/claim_tasks.ts";
import { decideTask } from "../../db/tasks/decide_task.ts";
import { endPauses } from "../../db/tasks/end_pauses.ts";
import { reapTasks } from "../../db/tasks/reap_tasks.ts";
import { retryTask } from "../../db/tasks/retry_task.ts";
import { AppError } from "../../domain/app_error.ts";
import { isActive, isEnded } from "../../domain/deployment_state.ts";
import type { DeploymentState } from "../../domain/deployment_state.ts";
import { isFinal } from "../../domain/task_state.ts";
import type { OutcomeInput } from "../../protocol/operation.ts";
import { claim, finish } from "./play_tasks.ts";
import type { Actor } from "../../db/database.ts";
import type { World } from "./seed_release.ts";
import type { TestDatabase } from "./test_database.ts";
import type { TreeModel } from "./tree_model.ts";
import { isBegunWait, isFailureHook, isHeld, isWaiting, placeOf } from "./tree_task.ts";
import type { TreeTask } from "./tree_task.ts";

export const LEASE_SECONDS = 1_000_000;
/** Far more rounds than any plan here has tasks, attempts and batches. */
const ENOUGH = 120;
/** Rounds at the end in which work may still fail. */
const UNLUCKY = 8;
export type Luck = "good" | "mixed" | "bad";

/** The database's clock stands still but for a millisecond per act: no lease and no delay ends by itself. */
let now = Date.parse("2030-01-01T00:00:00Z");
export const moveClock = (db: TestDatabase) =>
  db.sql`select set_config('boreas.now', ${new Date(++now).toISOString()}, false)`;

export const Step = fc.record({
  act: fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom("claim", "claim", "success", "success", "failed", "accept") },
    { weight: 2, arbitrary: fc.constantFrom("cancelled", "lost", "lost", "late", "timer") },
    { weight: 1, arbitrary: fc.constantFrom("bad") },
    { weight: 1, arbitrary: fc.constantFrom("unanswered", "overdue", "stuck") },
    { weight: 4, arbitrary: fc.constantFrom("passes", "passes", "misses", "approve", "approve", "reject") },
    { weight: 2, arbitrary: fc.constantFrom("fail", "again", "ignore", "ignore", "exclude", "exclude") },
    { weight: 2, arbitrary: fc.constantFrom("skip", "skip", "skipAll", "promote", "batch", "batch") },
    { weight: 2, arbitrary: fc.constantFrom("pause", "resume", "cancel", "rollback") },
    { weight: 2, arbitrary: fc.constantFrom("retry", "retryTask", "cancelTask", "cancelTask") },
  ),
  which: fc.nat(20),
});
/** What comes up while the work goes on: mostly what only makes sense in the middle of it. */
export const Wish: fc.Arbitrary<Step> = fc.record({
  act: fc.constantFrom(
    ...[
      "skip",
      "skip",
      "skipAll",
      "promote",
      "promote",
      "batch",
      "batch",
      "batch",
      "cancelTask",
      "cancelTask",
    ] as const,
    ...["retryTask", "retry", "pause", "fail", "again", "exclude", "unanswered", "rollback", "overdue", "bad"] as const,
  ),
  which: fc.nat(20),
});
export type Step = typeof Step extends fc.Arbitrary<infer T> ? T : never;

interface Row extends TreeTask {
  action: string | null;
  isLeftOut: boolean;
  open: boolean;
  fence: number;
}

export class TreeGame {
  held: ClaimedTask[] = [];
  late: ClaimedTask[] = [];
  /** As it was when it was looked at last; every act is followed by a look. */
  now!: { tasks: Row[]; status: DeploymentState; locks: number };
  seen = new Map<string, Row>();
  /** What ran where before this deployment. */
  before: Record<string, string> = {};
  model!: TreeModel;
  /** @param people who may answer what is asked */
  constructor(
    private db: TestDatabase,
    private world: World,
    private agents: string[],
    private people: readonly Actor[],
    readonly id: string,
    private apps: number,
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

  /** @returns false when the act was refused with a sentence, which leaves everything as it was */
  async act({ act, which }: Step): Promise<boolean> {
    const { deps, actor } = this.world;
    await moveClock(this.db);
    const pick = <T>(list: readonly T[]) => list[which % Math.max(1, list.length)];
    const one = pick(this.inQuestion(act))?.id;
    const task = pick(this.held);
    switch (act) {
      case "claim":
        await this.claim(pick(this.agents)!, 1 + which % 2);
        return true;
      case "accept":
        if (task) {
          expect(await acceptTasks(this.db, [lease(task)])).toEqual(this.model.accept(task.id) ? [task.id] : []);
        }
        return true;
      case "success":
      case "failed":
      case "cancelled":
        if (task) await this.end(task, { status: act, message: act });
        return true;
      case "lost":
        if (!task) return true;
        await this.lose(task);
        return true;
      case "late": {
        const late = pick(this.late);
        if (late) expect(await finish(this.db, late, { status: "success", message: "late" })).toEqual([]);
        return true;
      }
      case "bad": {
        const done = this.now.tasks.filter((t) =>
          t.isLeaf && !t.isRollback && t.state === "success" && (t.action === "deploy" || t.action === "switch")
        );
        const listened = done.filter((t) => this.model.isListenedTo(t.id));
        const part = pick(listened.length > 0 ? listened : done);
        if (part) expect(await this.turnBad(part.id), "who listens").toBe(this.model.turnBad(part.id) ? 1 : 0);
        return true;
      }
      case "passes":
      case "misses":
        await this.measure(pick(this.model.measurable())?.id, act === "passes");
        return true;
      case "approve":
      case "reject":
        return await this.vote(pick(this.model.asking())?.id, pick(this.people)!, act === "approve");
      case "timer":
        await this.passTime();
        return true;
      case "unanswered":
        return await this.waitForAnswer();
      case "overdue":
      case "stuck":
        await this.overdue(act === "stuck");
        return true;
    }
    const { model } = this;
    const batch = pick([1, 2, "50%", 3])!;
    const people: Record<typeof act, [() => Promise<void>, () => boolean]> = {
      pause: [() => pauseDeployment(deps, this.id, actor), () => model.pause()],
      resume: [() => resumeDeployment(deps, this.id, actor), () => model.resume()],
      cancel: [() => cancelDeployment(deps, this.id, actor), () => model.cancel()],
      rollback: [() => rollbackDeployment(deps, this.id, actor), () => model.rollback()],
      retry: [() => retryDeployment(deps, this.id, actor), () => model.retry()],
      cancelTask: [() => cancelTask(deps, one!, actor), () => model.cancelTask(one!)],
      retryTask: [() => retryTask(deps, one!, actor), () => model.retryTask(one!)],
      fail: [() => decideTask(deps, one!, "fail", actor), () => model.decide(one!, "fail")],
      again: [() => decideTask(deps, one!, "retry", actor), () => model.decide(one!, "retry")],
      ignore: [() => decideTask(deps, one!, "ignore", actor), () => model.decide(one!, "ignore")],
      exclude: [() => decideTask(deps, one!, "exclude", actor), () => model.decide(one!, "exclude")],
      skip: [() => skipWait(deps, one!, actor), () => model.skip(one!)],
      skipAll: [() => skipWaits(deps, this.id, actor), () => model.skip(null)],
      promote: [() => promoteDeployment(deps, this.id, actor), () => model.promote()],
      batch: [() => editDeployment(deps, this.id, { strategy: { batch } }, actor), () => model.dealAnew(batch)],
    };
    const [wish, told] = people[act];
    const done = await isDone(wish());
    expect(done, `${act} is ${done ? "done" : "refused"}`).toBe(told());
    this.letGo();
    return done;
  }

  /** What an act on one task is about: mostly one that it fits. */
  private inQuestion(act: Step["act"]): TreeTask[] {
    const all = this.model.all();
    const fits = (t: TreeTask) => {
      if (act in CHOICES) return this.model.failedOf(null).includes(t);
      if (act === "skip") return isBegunWait(t);
      if (act === "retryTask") return t.state === "failed" || t.state === "cancelled";
      // Mostly a part whose turn has not come: what is under way is cancelled with its deployment too.
      return act === "cancelTask" && t.parentId !== null && isWaiting(t);
    };
    const fitting = all.filter(fits);
    return fitting.length > 0 ? fitting : all;
  }

  /** What is wanted no more is no longer held; its agent may still send word. */
  private letGo(): void {
    for (const task of this.held) if (!isHeld(this.model.get(task.id))) this.late.push(task);
    this.held = this.held.filter((t) => isHeld(this.model.get(t.id)));
  }

  private async lose(task: ClaimedTask): Promise<void> {
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

  async check(retried: boolean): Promise<void> {
    await this.compare();
    const { tasks, status, locks } = this.now;
    for (const now of tasks) {
      const was = this.seen.get(now.id);
      if (was && isFinal(was.state) && !retried) {
        expect({ name: now.name, state: now.state, fence: now.fence }, "what is over stays over")
          .toEqual({ name: was.name, state: was.state, fence: was.fence });
      }
      if (isEnded(status)) expect([now.name, isFinal(now.state)]).toEqual([now.name, true]);
      const parts = tasks.filter((t) => t.parentId === now.id);
      if (parts.length > 0) {
        expect(isFinal(now.state), "a whole is over when its parts are").toBe(parts.every((p) => isFinal(p.state)));
      }
    }
    expect(locks, `locks while ${status}`).toBe(isActive(status) ? this.apps : 0);
    this.seen = new Map(tasks.map((t) => [t.id, t]));
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

  async step(step: Step): Promise<boolean> {
    const { act } = step;
    const done = await this.act(step);
    await this.check(done && (act.startsWith("retry") || act in CHOICES || act === "unanswered"));
    return done;
  }

  /** Everybody does their work; whoever is asked answers. @param wishes come in between, one that is granted in each round */
  async playToTheEnd(answer: Answer, luck: Luck, wishes: readonly Step[]): Promise<void> {
    let count = 0;
    const left = [...wishes];
    for (let round = 0; round < ENOUGH; round++) {
      if (isEnded(this.now.status)) return;
      while (left.length > 0 && !await this.step(left.shift()!)) { /* the next one, until one fits */ }
      if (this.now.status === "paused") await this.answer(answer);
      await this.passTime();
      await this.compare();
      for (const agent of this.agents) await this.claim(agent, 10);
      const stopping = new Set(this.held.filter((t) => this.model.get(t.id).state === "cancelling"));
      const isUnlucky = () => round < UNLUCKY && (luck === "bad" || (luck === "mixed" && ++count % 2 === 0));
      for (const gate of this.model.measurable()) await this.measure(gate.id, !isUnlucky());
      for (const { id } of this.model.asking()) {
        for (const person of this.people) {
          if (this.model.get(id).state === "pending") await this.vote(id, person, !isUnlucky());
        }
      }
      await this.compare();
      for (const [at, task] of [...this.held].entries()) {
        const fails = isUnlucky();
        const status = stopping.has(task) ? "cancelled" : fails ? "failed" : "success";
        if (fails && (round + at) % 3 === 0) await this.lose(task);
        else await this.end(task, { status, message: "at the end" });
        await this.compare();
      }
      if (luck === "mixed" && round < UNLUCKY) await this.step({ act: "bad", which: round });
    }
    const rows = this.now.tasks.map((t) => `${t.name} ${t.state}`);
    expect.fail(`it never ends: ${this.now.status}; ${rows.join(", ")}`);
  }

  private async answer(answer: Answer): Promise<void> {
    if (!this.model.asked) return void await this.step({ act: "resume", which: 0 });
    if (answer === "unanswered" && await this.step({ act: answer, which: 0 })) return;
    // One wish after the other, until one fits what has failed: a wait has no machine to leave out.
    for (const act of answer === "unanswered" ? ["again"] as const : [answer, "ignore", "again"] as const) {
      if (await this.step({ act, which: 0 })) return;
    }
    expect.fail("nobody can answer");
  }

  async checkEnd(): Promise<void> {
    const { status, tasks } = this.now;
    if (status === "rolled_back") {
      const there = await this.places();
      const forward = tasks.filter((t) => !t.isRollback);
      const reached = new Set(forward.filter((t) => t.isLeaf && t.attempt > 0).map(placeOf));
      for (const task of forward.filter((t) => t.isLeaf && t.action !== "hook" && t.action !== "gate")) {
        const isBack = this.model.back.includes(placeOf(task)) || !reached.has(placeOf(task));
        const place = `${task.appId} ${task.machine ?? "-"}`;
        if (isBack) expect(there[place], `${task.name} is as it was`).toBe(this.before[place]);
      }
    }
    if (status === "completed") {
      const top = tasks.filter((t) => t.parentId === null && !t.isRollback);
      for (const { state } of top) expect(["success", "skipped"]).toContain(state); // skipped: its machines were excluded
    }
  }
}

/** @returns false when a wish was refused with a sentence, which leaves everything as it was */
const isDone = (wish: Promise<void>): Promise<boolean> =>
  wish.then(() => true, (error: unknown) => {
    if (error instanceof AppError) return false;
    throw error;
  });

/** Acts that decide about a task that failed, and what they are called there. */
export const CHOICES = { fail: "fail", again: "retry", ignore: "ignore", exclude: "exclude" } as const;
export type Answer = keyof typeof CHOICES | "unanswered";

const lease = (t: ClaimedTask) => ({ taskId: t.id, fence: t.fence, agentId: t.agentId });
