/**
 * Beginnings that are not written yet. Most tasks that end soon are spared the write: of a task that
 * began and ended so soon, the end says it all, and its row knows since the claim when it was begun.
 *
 *   accept --> waits --due--> being written --> written
 *                '--its end comes first--> forgotten
 *
 * Until it is written the row says `leased`, which holds as well as `running` does. A crash forgets what waits: the agent
 * says again what it is at when it connects again.
 */
import type { HeldLease } from "../db/tasks/accept_tasks.ts";
import type { Clock, Timer } from "../domain/ports.ts";

/** Milliseconds. People see no difference: what is `leased` is shown as running already. */
const WAIT_MS = 100;

export interface Acceptances<Owner> {
  add(owner: Owner, leases: readonly HeldLease[]): void;
  /** Their ends have come. What is being written of them is waited for: the two would lock the same rows. */
  end(leases: readonly HeldLease[]): Promise<void>;
}

export interface AcceptancesOptions<Owner> {
  clock: Clock;
  write(leases: HeldLease[]): Promise<unknown>;
  /** The owners of what could not be written. */
  onFailure(owners: Set<Owner>, error: unknown): void;
}

const keyOf = (lease: HeldLease) => `${lease.taskId}:${lease.fence}:${lease.agentId}`;

export function createAcceptances<Owner>({ clock, write, onFailure }: AcceptancesOptions<Owner>): Acceptances<Owner> {
  /** In the order of their coming, so of their being due. */
  const waiting = new Map<string, { owner: Owner; lease: HeldLease; due: number }>();
  const writing = new Map<string, Promise<void>>();
  let timer: Timer | undefined;

  function sleep(): void {
    const first = waiting.values().next().value;
    if (!first || timer) return;
    timer = clock.after(Math.max(0, first.due - clock.monotonic()), () => {
      timer = undefined;
      flush();
      sleep();
    });
  }
  function flush(): void {
    const now = clock.monotonic();
    const due = [...waiting].filter(([, one]) => one.due <= now);
    if (due.length === 0) return;
    const done = write(due.map(([, { lease }]) => lease)).then(
      () => undefined,
      (error: unknown) => onFailure(new Set(due.map(([, { owner }]) => owner)), error),
    ).then(() => {
      for (const [key] of due) if (writing.get(key) === done) writing.delete(key);
    });
    for (const [key] of due) {
      waiting.delete(key);
      writing.set(key, done);
    }
  }

  return {
    add(owner, leases) {
      const due = clock.monotonic() + WAIT_MS;
      for (const lease of leases) {
        const key = keyOf(lease);
        if (!waiting.has(key)) waiting.set(key, { owner, lease, due });
      }
      sleep();
    },
    async end(leases) {
      const under = new Set<Promise<void>>();
      for (const lease of leases) {
        const key = keyOf(lease);
        waiting.delete(key);
        const done = writing.get(key);
        if (done) under.add(done);
      }
      await Promise.all(under);
    },
  };
}
