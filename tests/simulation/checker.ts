/**
 * Watches from outside and says what must never be: the invariants of docs/reliability.md by their numbers. It keeps
 * books of its own, from answers of the store, from the ledger of work and from what reaches the disks, and asks no
 * guard whether it was on.
 */
import type { TaskStore } from "../../db/tasks/task_store.ts";
import type { HeldLease } from "../../db/tasks/accept_tasks.ts";
import type { ClaimedTask } from "../../db/tasks/claim_tasks.ts";
import type { Finished, TaskResult } from "../../db/tasks/finish_tasks.ts";
import { canMove, isFinal } from "../../domain/task_state.ts";
import type { TaskState } from "../../domain/task_state.ts";
import type { RunContext } from "../../operators/operator.ts";
import type { OutcomeInput } from "../../protocol/operation.ts";
import type { MachinePart, Witness } from "./parts.ts";
import type { Work } from "./work.ts";
import type { World } from "./world.ts";

const keyOf = (lease: { taskId: string; fence: number }) => `${lease.taskId}:${lease.fence}`;
const short = (id: string) => id.slice(-3);

export class Checker implements Witness {
  readonly violations: string[] = [];
  /** What the store has answered, by task: the last lease given, and the state after each act. */
  readonly #leases = new Map<string, { fence: number; agentId: string }>();
  readonly #states = new Map<string, { state: TaskState; fence: number; held: boolean }>();
  readonly #accepted = new Map<string, TaskResult>();
  readonly #outcomes = new Map<string, OutcomeInput>();
  /** Results that an agent has on disk, or believes so. */
  readonly #saved = new Set<string>();
  readonly work: Work[] = [];
  readonly #unheard = new Set<string>();
  #sweep: { at: number; graceUntil: number } | undefined;
  constructor(readonly world: World) {}

  break(what: string): void {
    this.world.trace.say("!!", what);
    this.violations.push(what);
  }
  uncaught(who: string, error: unknown): void {
    this.break(`${who} threw what nobody caught: ${error instanceof Error ? error.stack : error}`);
  }

  stored(verb: keyof TaskStore, args: unknown[], answer: unknown): void {
    if (verb === "claimTasks") this.#claimed(answer as ClaimedTask[]);
    if (verb === "acceptTasks" || verb === "renewLeases") this.#held(verb, args[0] as HeldLease[], answer as string[]);
    if (verb === "finishTasks") this.#finished(args[0] as TaskResult[], answer as string[]);
    if (verb === "finishAndHandOn") {
      const { taken, claimed } = answer as Finished;
      this.#finished(args[0] as TaskResult[], taken);
      this.#claimed(claimed);
    }
    if (verb === "reapTasks") this.#swept(answer as number);
    this.look(verb === "connectAgent" || verb === "reapTasks" ? verb : undefined);
  }

  #claimed(tasks: ClaimedTask[]): void {
    for (const { id, fence, agentId, attempt } of tasks) {
      const last = this.#leases.get(id);
      if (fence !== (last?.fence ?? 0) + 1) {
        this.break(`I1: ${short(id)} was given fence ${fence} after ${last?.fence}`);
      }
      if (this.#states.get(id)?.held) this.break(`I1: ${short(id)} was given to ${agentId} while somebody held it`);
      this.#leases.set(id, { fence, agentId });
      this.world.trace.say(
        "db",
        `gives ${short(id)} to ${this.world.nameOf(agentId)}, attempt ${attempt}, fence ${fence}`,
      );
    }
  }
  #held(verb: string, leases: readonly HeldLease[], taken: string[]): void {
    for (const lease of leases) {
      if (!taken.includes(lease.taskId)) continue;
      const live = this.#leases.get(lease.taskId);
      if (live?.fence !== lease.fence || live.agentId !== lease.agentId) {
        this.break(`I2: ${verb} of ${short(lease.taskId)} under fence ${lease.fence} was taken, ${live?.fence} is out`);
      }
    }
  }
  #finished(results: readonly TaskResult[], taken: string[]): void {
    for (const result of results) {
      const { taskId, fence, outcome } = result;
      const isTaken = taken.includes(taskId);
      this.world.trace.say(
        "db",
        `result of ${short(taskId)}, fence ${fence}: ${outcome.status} ${outcome.code} ${isTaken ? "" : "refused"}`,
      );
      if (!isTaken) continue;
      this.#held("a result", [result], taken);
      if (this.#accepted.has(keyOf(result))) {
        this.break(`the result of ${short(taskId)}, fence ${fence}, was accepted twice`);
      }
      this.#accepted.set(keyOf(result), result);
      const said = this.#outcomes.get(keyOf(result));
      if (outcome.status === "success" && said?.status !== "success") {
        this.break(`${short(taskId)}, fence ${fence}, is a success that nobody had`);
      }
    }
  }
  /** The grace again, from the outside: sweeps that were carried out, by the database's clock. */
  #swept(lost: number): void {
    const { leaseSeconds, graceSeconds } = this.world.options;
    const now = this.world.databaseNow();
    const gap = !this.#sweep || this.#sweep.at < now - leaseSeconds * 1000;
    const graceUntil = gap ? now + graceSeconds * 1000 : this.#sweep!.graceUntil;
    this.#sweep = { at: now, graceUntil };
    if (lost > 0 && now < graceUntil) this.break(`F4: ${lost} leases ended within the grace after a gap`);
  }

  /** After every act: what moved, and whether it may. */
  look(cause?: "connectAgent" | "reapTasks"): void {
    for (const task of this.world.tables.tasks.values()) {
      const was = this.#states.get(task.id) ?? { state: "blocked", fence: 0, held: false };
      const { state, fence, leaseExpiresAt } = task;
      if (isFinal(was.state) && (state !== was.state || fence !== was.fence)) {
        this.break(`I5: ${short(task.id)} was ${was.state} and became ${state}`);
      }
      if (state !== was.state) {
        this.world.trace.say("db", `${short(task.id)} ${was.state} -> ${state} (${task.reason})`);
        // One transaction may take a task back and end it at once.
        const throughPending = canMove(was.state, "pending") && canMove("pending", state);
        if (task.isLeaf && !canMove(was.state, state) && !throughPending) {
          this.break(`I5: ${short(task.id)} went from ${was.state} to ${state}`);
        }
      }
      if ((leaseExpiresAt === null) !== (task.agentId === null)) this.break(`I1: ${short(task.id)} is half held`);
      const given = was.held && leaseExpiresAt === null;
      if (given && cause === "connectAgent" && this.#saved.has(keyOf({ taskId: task.id, fence: was.fence }))) {
        this.break(`F6: its agent had the result of ${short(task.id)}, fence ${was.fence}, on disk and forgot it`);
      }
      if (
        given && cause === "connectAgent" &&
        this.work.some((one) =>
          one.taskId === task.id && one.fence === was.fence && one.state !== "ended" && !one.inside
        )
      ) this.break(`F5: the work on ${short(task.id)}, fence ${was.fence}, went on beside its agent, which forgot it`);
      this.#states.set(task.id, { state, fence, held: leaseExpiresAt !== null });
    }
  }

  begun(work: Work): void {
    const { taskId, attempt } = work;
    this.world.trace.say(work.machine, `begins ${short(taskId)}, attempt ${attempt}, fence ${work.fence}`);
    if (this.work.some((one) => one.taskId === taskId && one.attempt === attempt)) {
      this.break(`I8: attempt ${attempt} of ${short(taskId)} was begun twice`);
    }
    for (const id of this.world.tables.tasks.get(taskId)!.dependsOn) {
      const { state } = this.world.tables.tasks.get(id)!;
      if (state !== "success") this.break(`I9: ${short(taskId)} began while ${short(id)} was ${state}`);
    }
    this.work.push(work);
  }
  atIt(work: Work): void {
    for (const other of this.work) {
      if (other === work || other.taskId !== work.taskId || !other.isAtIt) continue;
      this.break(
        `I3: ${work.machine} is at ${
          short(work.taskId)
        } (fence ${work.fence}) while ${other.machine} is (fence ${other.fence})`,
      );
    }
  }
  runs(machine: MachinePart, running: number): void {
    if (running > machine.slots) this.break(`${machine.name} runs ${running} tasks in ${machine.slots} slots`);
  }
  outcome(machine: MachinePart, context: RunContext, outcome: OutcomeInput, own: Work | undefined): void {
    this.#outcomes.set(keyOf(context), outcome);
    this.world.trace.say(
      machine.name,
      `${short(context.taskId)}, fence ${context.fence}: ${outcome.status}${own ? "" : " without work"}`,
    );
  }
  written(machine: MachinePart, path: string, bytes: Uint8Array): void {
    if (!path.startsWith("outbox/")) return;
    const result = JSON.parse(new TextDecoder().decode(bytes)) as { taskId: string; fence: number };
    this.#saved.add(keyOf(result));
    this.world.trace.say(machine.name, `has the result of ${short(result.taskId)}, fence ${result.fence}, on disk`);
  }
  /** It died in the middle of a word, with the only one who listened. */
  unheard(work: Work): void {
    this.#unheard.add(keyOf(work));
  }
  powerFailed(machine: MachinePart): void {
    for (const one of this.work) if (one.machine === machine.name) this.unheard(one);
  }

  /** Nobody holds anything any more. */
  rest(): void {
    for (const { taskId, machine, state } of this.work) {
      if (state !== "ended") this.break(`the work on ${short(taskId)} was left behind on ${machine}`);
    }
  }
  /** When everything is healed and over, and some time has passed. */
  finish(): void {
    const { tables, machines, masters } = this.world;
    for (const { id, status } of tables.deployments.values()) {
      if (status === "running" || status === "cancelling") this.break(`I4: deployment ${short(id)} is still ${status}`);
    }
    for (const { id, state } of tables.tasks.values()) {
      if (!isFinal(state)) this.break(`I4: task ${short(id)} is still ${state}`);
    }
    this.rest();
    for (const { name, agent, disk } of machines) {
      const { connected, running, suspended, unacknowledged } = agent!.status();
      if (!connected || running + suspended + unacknowledged > 0) {
        this.break(`${name} is not at rest: ${JSON.stringify(agent!.status())}`);
      }
      const left = disk.names().filter((path) => /^(journal|outbox|spool)\//.test(path));
      if (left.length > 0) this.break(`${name} has left ${left.join(", ")} on its disk`);
    }
    for (const { name, core } of masters) {
      const { held, sessions } = core!.stats();
      if (held > 0) this.break(`${name} believes that ${held} slots are taken, with ${sessions} sessions`);
    }
    this.#compareLogs();
  }
  #compareLogs(): void {
    for (const work of this.work) {
      const stored = this.world.storedLog(work.taskId, work.attempt);
      const emitted = work.output;
      const result = this.#accepted.get(keyOf(work));
      const name = `the log of ${short(work.taskId)}, attempt ${work.attempt}`;
      if (!emitted.startsWith(stored)) this.break(`I6: ${name} has what was not said, or not all before it`);
      else if (result && stored.length < emitted.length && !this.#unheard.has(keyOf(work))) {
        this.break(
          `I6: ${name} ends after ${stored.length} of ${emitted.length} characters, and its result was accepted`,
        );
      }
    }
  }
}
