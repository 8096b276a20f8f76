/**
 * The tree of a deployment's tasks as it is promised, in memory: what every task and the deployment become after each act
 * of agents, people and timers. It knows no counters, waves or statements: after each act it applies the rules of the
 * tree until nothing changes any more. The model test holds `db/tasks` and `db/deployments` to it.
 *
 * The plan (which tasks there are and who waits for whom) is taken over from the database, a rollback's too once it is
 * seen to be the right one; what becomes of it is worked out here.
 */
import { isEnded } from "../../domain/deployment_state.ts";
import type { DeploymentState } from "../../domain/deployment_state.ts";
import type { RollbackScope } from "../../domain/strategy.ts";
import { dealBatches, expectDealt } from "./tree_batches.ts";
import type { Dealt } from "./tree_batches.ts";
import { FailureHooks } from "./tree_hooks.ts";
import type { HooksOfFailure } from "./tree_hooks.ts";
import { TreeOfTasks } from "./tree_of_tasks.ts";
import { expectWayBack, placesBack } from "./tree_scope.ts";
import { isBad, isBegunWait, isFailureHook, isHeld, isOver, isWaiting, MAX_LOSSES } from "./tree_task.ts";
import type { Choice, Ending, FailureAction, TreeTask } from "./tree_task.ts";
import { Votes } from "./tree_votes.ts";

/** What the plan says beside its tasks. */
export interface TreeRules {
  onFailure: FailureAction;
  scope: RollbackScope;
  /** What counts as the answer after a while. */
  answer: Choice | null;
  hooks: HooksOfFailure;
  /** Applications that go in batches which can be cut anew -> whether they wait between two. */
  rolling: ReadonlyMap<string, boolean>;
}

export class TreeModel extends TreeOfTasks {
  status: DeploymentState = "running";
  /** Leaves that agents have taken up, until the rollback's tasks are known. */
  private reached: TreeTask[] | undefined;
  /** Places that go back, of the newest rollback. */
  back: string[] = [];
  /** Batches that were dealt anew, until the waits that were made are known. */
  private dealt: Dealt[] = [];
  private votes = new Votes();
  protected onFailure: FailureAction;
  private answer: Choice | null;
  /** It is paused because something failed, and people are asked. */
  asked = false;
  private hooks: FailureHooks;
  constructor(
    plan: readonly TreeTask[],
    readonly rules: TreeRules,
  ) {
    super();
    this.onFailure = rules.onFailure;
    this.answer = rules.answer;
    this.hooks = new FailureHooks(rules.hooks);
    for (const task of plan) this.tasks.set(task.id, { ...task });
    this.follow();
  }

  isOpen = (t: TreeTask) =>
    isFailureHook(t) ? !isEnded(this.status) : this.status === (t.isRollback ? "rolling_back" : "running");

  // What agents and timers do.

  claim(agentId: string, free: number): string[] {
    const ready = this.all().filter((t) =>
      t.isLeaf && t.state === "pending" && t.due && this.isOpen(t) && (t.target ?? agentId) === agentId
    );
    // First what nobody else can do.
    const given = [...ready.filter((t) => t.target !== null), ...ready.filter((t) => t.target === null)].slice(0, free);
    for (const task of given) Object.assign(task, { state: "leased", attempt: task.attempt + 1 });
    this.follow();
    return given.map((t) => t.id);
  }
  accept(id: string): boolean {
    if (this.get(id).state !== "leased") return false;
    this.get(id).state = "running";
    return true;
  }
  end(id: string, how: Ending): void {
    const task = this.get(id);
    const cancelled = how === "cancelled" || (task.state === "cancelling" && how === "failed");
    if (how === "failed" && !cancelled && task.attempt - task.losses < task.maxAttempts) this.tryAgain(task, false);
    else task.state = cancelled ? "cancelled" : how;
    this.follow();
  }
  lose(id: string): void {
    const task = this.get(id);
    if (task.state === "cancelling") task.state = "cancelled";
    else if (++task.losses >= MAX_LOSSES) Object.assign(task, { state: "failed", losses: MAX_LOSSES - 1 });
    else this.tryAgain(task, task.losses === 1);
    this.follow();
  }
  passTime(): void {
    for (const task of this.all()) task.due = true;
    const pauses = this.all().filter((t) => this.endsByClock(t) && t.state === "pending" && this.isOpen(t));
    for (const pause of pauses) pause.state = "success";
    this.follow();
  }

  /** What is measured now: a gate that an agent's script measures is held like other work. */
  measurable = () =>
    this.all().filter((t) => t.type === "gate" && !t.isLeaf && !this.endsByClock(t) && t.state === "pending");
  /** @returns whether the measurement counted */
  measure(id: string, passes: boolean): boolean {
    const gate = this.get(id);
    if (!this.isOpen(gate)) return false;
    gate.state = passes ? "success" : "failed";
    this.follow();
    return true;
  }
  asking = () => this.all().filter((t) => t.type === "approval" && t.state === "pending");
  /** A yes stays when somebody else's no is taken back; with another plan all are asked anew. */
  vote(id: string, person: string, yes: boolean): boolean {
    const step = this.get(id);
    if (step.type !== "approval" || step.state !== "pending" || this.votes.has(id, person)) return false;
    if (!yes) step.state = "failed";
    else if (this.votes.add(id, person)! >= step.needed) step.state = "success";
    this.follow();
    return true;
  }

  /** The machine of this part says that what it has turned bad. @returns whether anybody listened */
  turnBad(id: string): boolean {
    if (!this.isListenedTo(id)) return false;
    this.condemn(this.get(id));
    this.follow();
    return true;
  }

  // What people wish. Each returns false when it is refused, which leaves everything as it was.

  pause = () => this.allowed(["running"], () => void (this.status = "paused"));
  decide(id: string, choice: Choice): boolean {
    const tasks = this.asked ? this.failedOf(id) : [];
    if (tasks.length === 0 || (choice === "exclude" && tasks.some((t) => t.target === null))) return false;
    if (choice === "ignore" && tasks.some((t) => t.type === "approval")) return false;
    this.carryOut(choice, tasks);
    return true;
  }
  /** Nobody answered in time. @returns whether anything was asked that has an end */
  answerItself(): boolean {
    if (!this.asked || this.answer === null) return false;
    const tasks = this.failedOf(null);
    const doesNotFit = this.answer === "exclude"
      ? tasks.some((t) => t.target === null)
      : this.answer === "ignore" && tasks.some((t) => t.type === "approval");
    const choice = doesNotFit ? "fail" : this.answer;
    if (choice === "retry") this.answer = "fail";
    this.carryOut(choice, tasks);
    return true;
  }
  resume = () => !this.asked && this.allowed(["paused"], () => void (this.status = "running"));
  cancel = () =>
    ["cancelling", "cancelled"].includes(this.status) || this.allowed(["running", "paused"], () => {
      this.asked = false;
      this.status = "cancelling";
      this.endWaiting("cancelled");
    });
  rollback = () =>
    this.allowed(["running", "paused", "completed", "failed", "cancelled", "rollback_failed"], () => {
      this.turnRound("deployment");
    });
  /** A wait ends now; without an id, all that have begun. */
  skip(id: string | null): boolean {
    if (id === null && this.status !== "running" && this.status !== "paused") return false;
    const waits = this.forward().filter((t) => isBegunWait(t) && [null, t.id].includes(id));
    for (const wait of waits) wait.state = "success";
    this.follow();
    return waits.length > 0;
  }
  /** What has begun to wait goes on, and what would wait later passes; people are asked and a watch stays. */
  promote(): boolean {
    if (this.status !== "running" && this.status !== "paused") return false;
    const waits = this.forward().filter((t) =>
      ["pause", "gate"].includes(t.type) && !t.isWatch && ["pending", "running"].includes(this.wholeOf(t)!.state)
    );
    const now = waits.filter(isBegunWait);
    const ahead = waits.filter((t) => t.state === "blocked" && !t.promoted);
    for (const wait of ahead) Object.assign(wait, { promoted: true, isLeaf: false });
    for (const wait of now) wait.state = "success";
    this.follow();
    return now.length + ahead.length > 0;
  }
  /** Another batch size, for what has not begun. */
  dealAnew(batch: number | string): boolean {
    if (this.status !== "running" && this.status !== "paused") return false;
    for (const whole of this.forward().filter((t) => this.isWhole(t) && this.rules.rolling.has(t.appId))) {
      const dealt = dealBatches(whole, this.partsOf(whole), batch, this.rules.rolling.get(whole.appId)!);
      if (dealt) this.dealt.push(dealt);
    }
    for (const { dropped, line } of this.dealt) {
      for (const wait of dropped) this.tasks.delete(wait.id);
      for (const made of line) this.tasks.set(made.id, made);
    }
    if (this.dealt.length > 0) this.votes.void();
    return this.dealt.length > 0;
  }
  cancelTask(id: string): boolean {
    const task = this.get(id);
    if (isOver(task)) return false;
    for (const part of [task, ...this.partsOf(task)].filter((t) => !this.isWhole(t))) this.stop(part, "cancelled");
    this.follow();
    return true;
  }
  retryTask = (id: string) => isBad(this.get(id)) && this.retry(id);
  retry(only: string | null = null): boolean {
    if (this.status !== "failed" && this.status !== "paused") return false;
    if (!this.takeUp(only)) return false;
    this.status = "running";
    this.asked = false;
    // Who asks on a failure is asked about what else has failed.
    if (this.onFailure === "pause") this.follow();
    else this.settle();
    return true;
  }
  /** The rollback has taken too long. @param long so long that what did not stop is given up @returns who was given up */
  overdue(long: boolean): string[] {
    if (this.status !== "rolling_back") return [];
    const stuck = long ? this.all().filter((t) => t.isLeaf && t.state === "cancelling") : [];
    for (const task of this.all()) if (task.isRollback && isWaiting(task) && !this.isWhole(task)) task.state = "failed";
    for (const task of stuck) task.state = "failed";
    for (const task of this.all()) if (isHeld(task)) task.state = "cancelling";
    this.follow();
    return stuck.map((t) => t.id);
  }

  /** Takes over the tasks of a rollback: one for every place that was reached, in reverse order, each behind what still runs there. */
  adopt(rows: readonly TreeTask[]): void {
    if (this.dealt.length > 0) this.adoptDealt(rows);
    const added = rows.filter((t) => !this.knows(t.id));
    const hooks = this.hooks.adopt(added);
    for (const hook of hooks) this.tasks.set(hook.id, hook);
    if (hooks.length > 0) this.follow();
    const back = added.filter((t) => !isFailureHook(t));
    if (back.length === 0 && !this.reached) return;
    expectWayBack(back, { places: this.back, reached: this.reached ?? [], forward: this.forward(), get: this.get });
    for (const row of back) this.tasks.set(row.id, { ...row, state: "blocked" });
    this.reached = undefined;
    this.follow();
  }

  private adoptDealt(rows: readonly TreeTask[]): void {
    for (const { line } of this.dealt) for (const task of line) this.tasks.delete(task.id);
    for (const one of this.dealt) expectDealt(one, rows, this.knows);
    for (const { line } of this.dealt) for (const task of line) this.tasks.set(task.id, task);
    for (const row of rows) if (this.knows(row.id)) this.get(row.id).position = row.position;
    this.dealt = [];
    this.follow();
  }

  private carryOut(choice: Choice, tasks: readonly TreeTask[]): void {
    this.asked = false;
    if (choice === "fail") this.onFailure = "stop";
    else if (choice === "rollback") this.turnRound(this.rules.scope);
    else {
      if (choice === "exclude") {
        const machines = tasks.map((t) => t.target);
        for (const task of this.failedOf(null)) if (machines.includes(task.target)) this.takeUp(task.id);
        this.leaveOut(machines);
      } else {
        for (const task of tasks) this.takeUp(task.id);
        if (choice === "ignore") { for (const task of tasks) Object.assign(task, { state: "success", ignored: true }); }
      }
      this.status = "running";
    }
    this.follow();
  }
  private allowed(when: readonly DeploymentState[], act: () => void): boolean {
    if (!when.includes(this.status)) return false;
    act();
    this.follow();
    return true;
  }
  private endsByClock = (t: TreeTask) => t.type === "pause" || t.isWatch || t.promoted === true;
  private tryAgain = (task: TreeTask, due: boolean) => void Object.assign(task, { state: "pending", due });
  private turnRound(scope: RollbackScope): void {
    this.status = "rolling_back";
    this.asked = false;
    this.endWaiting("skipped");
    this.settle();
    this.hooks.plan(this.all());
    this.reached = this.forward().filter((t) => t.isLeaf && t.attempt > 0).map((t) => ({ ...t }));
    this.back = placesBack(this.reached, this.forward(), scope);
  }
  /** The rules of the tree, then the deployment's own move, again until nothing changes. */
  private follow(): void {
    do this.settle(); while (this.move());
  }
  /** @returns whether something was done that the tree must follow */
  private move(): boolean {
    const tops = this.forward().filter((t) => t.parentId === null);
    const over = tops.every(isOver);
    if (this.status === "rolling_back") {
      if (!over || this.reached?.length) return false;
      const back = this.all().filter((t) => t.isRollback && t.parentId === null && !isFailureHook(t));
      const newest = back.filter((t) => !back.some((o) => o.appId === t.appId && o.position > t.position));
      if (newest.every(isOver) && !this.hooks.areOpen(this.all())) {
        this.status = newest.some((t) => t.state !== "success") ? "rollback_failed" : "rolled_back";
      }
    } else if (this.status === "cancelling") {
      if (over && !this.hooks.areOpen(this.all())) this.status = "cancelled";
    } else if (this.status === "running" || this.status === "paused") {
      const beyond = (t: TreeTask) => this.partsOf(t).filter((p) => p.state === "failed").length > t.maxFailures;
      const hurries = this.onFailure === "pause" || this.onFailure === "stop";
      const failed = tops.some((t) => t.state === "failed" || (hurries && !isOver(t) && this.isWhole(t) && beyond(t)));
      if (!failed) {
        if (over && !this.hooks.areOpen(this.all())) {
          this.status = tops.some((t) => t.state === "cancelled") ? "cancelled" : "completed";
        }
      } else if (this.onFailure === "rollback") {
        this.turnRound(this.rules.scope);
        return true;
      } else if (this.onFailure === "pause") {
        [this.status, this.asked] = ["paused", true];
        this.hooks.plan(this.all());
      } else if (this.onFailure === "stop" && this.forward().some(isWaiting)) {
        for (const task of this.forward()) if (isWaiting(task) && !this.isWhole(task)) task.state = "skipped";
        return true;
      } else if (over) {
        this.hooks.plan(this.all());
        if (!this.hooks.areOpen(this.all())) this.status = "failed";
      }
    }
    return false;
  }
}
