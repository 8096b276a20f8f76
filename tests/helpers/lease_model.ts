/**
 * The lease as it is promised, in memory: what `db/tasks`, `db/logs` and `db/agents` do with one task that waits for no
 * other. Written from the promises, not from the SQL; the model test holds the two together.
 *
 *   pending --claim, fence + 1--> leased --accept--> running --result--> success | failed | cancelled
 *      ^                             '------ cancel ----> cancelling --result, or lease over--> cancelled
 *      '-- lease over, forgotten by its agent, or another attempt allowed
 *
 * Instants and lengths are milliseconds of the database's clock, the only one that decides.
 */
export type State = "pending" | "leased" | "running" | "cancelling" | "success" | "failed" | "cancelled";
export interface Task {
  state: State;
  /** The agent it is meant for; null lets any take it. */
  target: string | null;
  attempt: number;
  fence: number;
  /** Attempts that were the agent's loss, not the task's failure. */
  losses: number;
  maxAttempts: number;
  holder: string | null;
  lastHolder: string | null;
  leaseEnd: number | null;
  /** Not handed out before. */
  dueAt: number;
  /** What is durable of the present attempt's log. */
  chunks: string[];
  events: number;
}
export interface Lease {
  taskId: string;
  fence: number;
  agentId: string;
}
export interface Want {
  agentId: string;
  sessionId: string;
  free: number;
}
export interface Chunk extends Lease {
  sequence: number;
  offset: number;
  text: string;
}
export interface Word {
  status: "success" | "failed" | "cancelled";
  retryable: boolean;
}
export interface Resume {
  taskId: string;
  fence: number;
  state: "running" | "suspended" | "finished";
}

export const MAX_LOSSES = 5;
const HELD: readonly State[] = ["leased", "running", "cancelling"];
export const isHeld = (task: Task): boolean => HELD.includes(task.state);
const bytesOf = (task: Task) => task.chunks.join("").length;
/** 0.5 s, 1 s, 2 s ... 30 s: half of the doubling ceiling, as without chance. */
const delay = (count: number) => Math.min(60_000, 1000 * 2 ** (count - 1)) / 2;

export class LeaseModel {
  sweptAt: number | null = null;
  graceUntil = 0;
  tasks = new Map<string, Task>();
  /** agent -> the connection it is on now */
  sessions = new Map<string, string | null>();
  /** Every lease that was ever handed out, oldest first. */
  leases: Lease[] = [];
  constructor(public now: number, readonly leaseMs: number, readonly graceMs: number) {}

  mayTake = ({ agentId, sessionId }: Want): string[] =>
    [...this.tasks].filter(([, t]) =>
      this.sessions.get(agentId) === sessionId && t.state === "pending" && t.dueAt <= this.now &&
      (t.target ?? agentId) === agentId
    ).map(([id]) => id);

  /** Which task goes to whom is the claim's to choose; that it may is not. */
  claim(wants: readonly Want[], given: readonly (Lease & { attempt: number })[]): void {
    for (const { taskId, agentId, fence, attempt } of given) {
      const task = this.tasks.get(taskId)!;
      const want = wants.find((w) => w.agentId === agentId);
      if (!want || !this.mayTake(want).includes(taskId)) throw new Error(`${agentId} may not take ${taskId}`);
      want.free--;
      if (fence !== task.fence + 1 || attempt !== task.attempt + 1) throw new Error("a claim counts fence and attempt");
      this.move(task, { state: "leased", fence, attempt, lastHolder: agentId, chunks: [] }, agentId);
      this.leases.push({ taskId, fence, agentId });
    }
    if (wants.some((w) => w.free < 0)) throw new Error("an agent got more than it has room for");
    // Two agents may have been picked for one task: then only another claim serves the second.
    const waiting = wants.some((w) => w.free > 0 && this.mayTake(w).length > 0);
    if (waiting && (wants.length === 1 || given.length === 0)) throw new Error("work waits beside a free agent");
  }

  accept = (leases: readonly Lease[]): string[] =>
    this.live(leases).filter((l) => this.tasks.get(l.taskId)!.state === "leased").map(({ taskId, agentId }) => {
      const task = this.tasks.get(taskId)!;
      const { leaseEnd } = task;
      Object.assign(this.move(task, { state: "running" }, agentId), { leaseEnd });
      return taskId;
    });

  renew = (leases: readonly Lease[]): string[] =>
    this.live(leases).map(({ taskId }) => {
      this.tasks.get(taskId)!.leaseEnd = this.now + this.leaseMs;
      return taskId;
    });

  finish = (words: readonly (Lease & Word)[]): string[] =>
    this.live(words).map(({ taskId, status, retryable }) => {
      const task = this.tasks.get(taskId)!;
      const failures = task.attempt - task.losses;
      const isLoss = retryable && task.losses + 1 < MAX_LOSSES;
      if (status !== "failed") this.move(task, { state: status });
      else if (task.state === "cancelling") this.move(task, { state: "cancelled" });
      else if (!isLoss && failures >= task.maxAttempts) this.move(task, { state: "failed" });
      else {
        const losses = task.losses + (isLoss ? 1 : 0);
        this.move(task, { state: "pending", losses, dueAt: this.now + delay(failures) });
      }
      return taskId;
    });

  /** @returns bytes that are durable, per task whose last lease this is */
  append(chunks: readonly Chunk[]): Map<string, number> {
    const known = chunks.filter((c) => {
      const task = this.tasks.get(c.taskId)!;
      return task.fence === c.fence && task.lastHolder === c.agentId;
    });
    for (const chunk of [...known].sort((a, b) => a.sequence - b.sequence)) {
      const task = this.tasks.get(chunk.taskId)!;
      if (chunk.sequence === task.chunks.length && chunk.offset === bytesOf(task)) task.chunks.push(chunk.text);
    }
    return new Map(known.map((c) => [c.taskId, bytesOf(this.tasks.get(c.taskId)!)]));
  }

  /** @returns the verdict on each lease the agent names */
  connect(agentId: string, sessionId: string, resumes: readonly Resume[]): { verdict: string; logOffset: number }[] {
    this.sessions.set(agentId, sessionId);
    const verdicts = resumes.map((resume) => {
      const task = this.tasks.get(resume.taskId)!;
      const known = task.lastHolder === agentId;
      const mine = known && task.fence === resume.fence;
      if (mine && isHeld(task)) task.leaseEnd = this.now + this.leaseMs;
      const verdict = mine && resume.state === "finished" ? "send_result" : mine && isHeld(task) ? "continue" : "abort";
      return { verdict, logOffset: known ? bytesOf(task) : 0 };
    });
    for (const [id, task] of this.tasks) {
      const named = resumes.some((r) => r.taskId === id && r.fence === task.fence);
      if (task.holder === agentId && !named) this.lose(task);
    }
    return verdicts;
  }

  disconnect(agentId: string, sessionId: string): void {
    if (this.sessions.get(agentId) === sessionId) this.sessions.set(agentId, null);
  }

  /** No lease ends while agents may have had nobody to renew with. @returns how many ended */
  reap(): number {
    if (this.sweptAt === null || this.sweptAt < this.now - this.leaseMs) this.graceUntil = this.now + this.graceMs;
    this.sweptAt = this.now;
    if (this.graceUntil > this.now) return 0;
    const over = [...this.tasks.values()].filter((t) => t.leaseEnd !== null && t.leaseEnd < this.now);
    over.forEach((t) => this.lose(t));
    return over.length;
  }

  /** @returns false when it is over already */
  cancel(taskId: string): boolean {
    const task = this.tasks.get(taskId)!;
    const { leaseEnd, holder } = task;
    if (task.state === "pending") this.move(task, { state: "cancelled" });
    else if (task.state === "leased" || task.state === "running") {
      Object.assign(this.move(task, { state: "cancelling" }, holder), { leaseEnd });
    } else return task.state === "cancelling";
    return true;
  }

  /** A person's wish: one more attempt, and old losses forgiven. @returns false when it has not failed */
  retry(taskId: string): boolean {
    const task = this.tasks.get(taskId)!;
    if (task.state !== "failed") return false;
    const maxAttempts = Math.max(task.maxAttempts, task.attempt + 1);
    Object.assign(task, { state: "pending", losses: 0, maxAttempts, dueAt: this.now });
    return true;
  }

  private live = <L extends Lease>(leases: readonly L[]): L[] =>
    leases.filter(({ taskId, fence, agentId }) => {
      const task = this.tasks.get(taskId)!;
      return isHeld(task) && task.fence === fence && task.holder === agentId;
    });

  private lose(task: Task): void {
    if (task.state === "cancelling") this.move(task, { state: "cancelled" });
    else if (task.losses + 1 >= MAX_LOSSES) this.move(task, { state: "failed" });
    else {
      const dueAt = this.now + (task.losses === 0 ? 0 : delay(task.losses));
      this.move(task, { state: "pending", losses: task.losses + 1, dueAt });
    }
  }

  /** Every move writes one event; a lease is whole or absent. */
  private move(task: Task, to: Partial<Task>, holder: string | null = null): Task {
    const leaseEnd = holder === null ? null : this.now + this.leaseMs;
    return Object.assign(task, to, { holder, leaseEnd, events: task.events + 1 });
  }
}
