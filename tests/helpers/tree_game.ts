/**
 * A game on one deployment: agents, people and timers act on the real SQL, and after each act every task and the deployment
 * are what the model (`tree_model.ts`) says they are.
 */
import { expect } from "vitest";
import { cancelDeployment } from "../../db/deployments/cancel_deployment.ts";
import { editDeployment } from "../../db/deployments/edit_deployment.ts";
import { pauseDeployment, resumeDeployment } from "../../db/deployments/pause_deployment.ts";
import { retryDeployment } from "../../db/deployments/retry_deployment.ts";
import { rollbackDeployment } from "../../db/deployments/rollback_deployment.ts";
import { promoteDeployment } from "../../db/rollouts/promote_deployment.ts";
import { skipWait, skipWaits } from "../../db/rollouts/skip_wait.ts";
import { acceptTasks } from "../../db/tasks/accept_tasks.ts";
import { cancelTask } from "../../db/tasks/cancel_task.ts";
import type { ClaimedTask } from "../../db/tasks/claim_tasks.ts";
import { decideTask } from "../../db/tasks/decide_task.ts";
import { retryTask } from "../../db/tasks/retry_task.ts";
import { isActive, isEnded } from "../../domain/deployment_state.ts";
import { isFinal } from "../../domain/task_state.ts";
import { finish } from "./play_tasks.ts";
import { isDone, moveClock, TreeMoves } from "./tree_moves.ts";
import type { Row } from "./tree_moves.ts";
import { CHOICES } from "./tree_steps.ts";
import type { Answer, Luck, Step } from "./tree_steps.ts";
import { isBegunWait, isWaiting, placeOf } from "./tree_task.ts";
import type { TreeTask } from "./tree_task.ts";

/** Far more rounds than any plan here has tasks, attempts and batches. */
const ENOUGH = 120;
/** Rounds at the end in which work may still fail. */
const UNLUCKY = 8;

export class TreeGame extends TreeMoves {
  seen = new Map<string, Row>();
  /** What ran where before this deployment. */
  before: Record<string, string> = {};

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

const lease = (t: ClaimedTask) => ({ taskId: t.id, fence: t.fence, agentId: t.agentId });
