/**
 * Renews every lease in one message at a third of the lease, and says when belief in one has to end.
 *
 *   trusted --no acknowledged renewal in time--> suspended --renewed--> trusted
 *      '---------- lost (the master says so) -----'--- too long ---> lost
 *
 * Trust runs from the moment the acknowledged renewal was *sent*, by the monotonic clock (domain/lease_trust.ts).
 * Answers carry the round of their question; without one the oldest open question is taken, which can only err early.
 *
 * A dispatch is an answer to nothing. It may have waited in a buffer while its lease ran out, so its own time of receipt
 * proves nothing. What it does prove: on an ordered connection it left the master after the last answer that came before
 * it, and that answer left after its question was sent. So the trust of a dispatched task runs from the sending of the
 * last answered question on this connection (the hello, answered by the welcome, is the first). Renewals are sent also
 * when there is nothing to renew, hence a fresh dispatch has at least two thirds of its lease; after a stall it has
 * less or none, and waits for the next answer before it acts. That the lease itself may have begun before the question,
 * when the database was slow to answer the master, is told by the dispatch as its age.
 */
import type { Clock, Timer } from "../domain/ports.ts";
import { renewEvery, trustUntil } from "../domain/lease_trust.ts";
import type { FromAgent, Lease, ToAgent } from "../protocol/agent_messages.ts";

type Renewed = Extract<ToAgent, { type: "lease.renewed" }>;

export interface LeaseKeeper {
  /** When the last answered question was sent: from then on a lease is trusted that arrives at this moment. */
  readonly freshFrom: number;
  /** @param from `freshFrom` as it was when the lease arrived; what was answered since says nothing about it */
  hold(lease: Lease, leaseSeconds: number, from?: number): void;
  /** A lease that is renewed until the master has the result, but no longer trusted or suspended: the work is done. */
  finish(taskId: string): void;
  release(taskId: string): void;
  isTrusted(taskId: string): boolean;
  /** @param sentAt when the hello was sent that this welcome answers */
  connected(sentAt: number, leaseSeconds: number): void;
  disconnected(): void;
  renewed(message: Renewed): void;
  stop(): void;
}

export interface LeaseKeeperOptions {
  clock: Clock;
  /** Milliseconds that a suspended task is held before it is given up. */
  suspendedBoundMs: number;
  send(message: FromAgent): void;
  onSuspend(taskId: string): void;
  /** The lease is believed in from now on, or still. */
  onTrust(taskId: string): void;
  onLost(taskId: string, why: string): void;
}

interface Held extends Lease {
  leaseMs: number;
  until: number;
  state: "trusted" | "suspended" | "finished";
  timer?: Timer;
}

export function createLeaseKeeper(options: LeaseKeeperOptions): LeaseKeeper {
  const { clock } = options;
  const held = new Map<string, Held>();
  /** Questions of this connection without an answer, oldest first. */
  let open: { round: number; sentAt: number; leases: Lease[] }[] = [];
  let round = 0;
  /** When the last answered question of this connection was sent. */
  let freshFrom = -Infinity;
  let leaseMs = 30_000;
  let heartbeat: Timer | undefined;

  /** One timer per lease: it waits for the end of trust, then for the end of patience. */
  function watch(lease: Held) {
    lease.timer?.cancel();
    const now = clock.monotonic();
    if (lease.state === "trusted") lease.timer = clock.after(Math.max(0, lease.until - now), () => suspend(lease));
    if (lease.state === "suspended") {
      lease.timer = clock.after(options.suspendedBoundMs, () => {
        held.delete(lease.taskId);
        options.onLost(lease.taskId, "The lease could not be renewed for too long.");
      });
    }
  }

  function suspend(lease: Held) {
    if (clock.monotonic() < lease.until) return watch(lease); // a timer that fired a little early
    lease.state = "suspended";
    watch(lease);
    options.onSuspend(lease.taskId);
  }

  function trust(lease: Held, sentAt: number) {
    lease.until = Math.max(lease.until, trustUntil(sentAt, lease.leaseMs));
    if (lease.state === "finished") return;
    if (lease.until <= clock.monotonic()) {
      if (lease.state === "trusted") suspend(lease);
      return;
    }
    lease.state = "trusted";
    watch(lease);
    options.onTrust(lease.taskId);
  }

  function renew() {
    const leases = [...held.values()].map(({ taskId, fence }) => ({ taskId, fence }));
    open.push({ round: ++round, sentAt: clock.monotonic(), leases });
    // Nothing has been answered for many rounds: the oldest can no longer give any trust.
    if (open.length > 16) open.shift();
    options.send({ type: "lease.renew", leases, round });
  }

  function beat() {
    heartbeat = clock.after(renewEvery(leaseMs), () => {
      renew();
      beat();
    });
  }

  return {
    get freshFrom() {
      return freshFrom;
    },
    hold({ taskId, fence }, leaseSeconds, from = freshFrom) {
      held.get(taskId)?.timer?.cancel();
      const lease: Held = { taskId, fence, leaseMs: leaseSeconds * 1000, until: -Infinity, state: "trusted" };
      held.set(taskId, lease);
      trust(lease, from);
      if (lease.state === "suspended" && heartbeat) renew(); // do not wait for the next beat to find out
    },
    finish(taskId) {
      const lease = held.get(taskId);
      if (!lease) return;
      lease.state = "finished";
      lease.timer?.cancel();
    },
    release(taskId) {
      held.get(taskId)?.timer?.cancel();
      held.delete(taskId);
    },
    isTrusted: (taskId) => {
      const lease = held.get(taskId);
      // Asked of the clock, not of the state: after a stall the timers are late and a step may come before them.
      return lease?.state === "trusted" && clock.monotonic() < lease.until;
    },
    connected(sentAt, leaseSeconds) {
      leaseMs = leaseSeconds * 1000;
      freshFrom = sentAt;
      open = [];
      heartbeat?.cancel();
      beat();
    },
    disconnected() {
      heartbeat?.cancel();
      heartbeat = undefined;
      open = [];
      freshFrom = -Infinity;
    },
    renewed(message) {
      const at = message.round === undefined ? 0 : open.findIndex((question) => question.round === message.round);
      const question = open[at];
      if (!question) return; // a repeated answer
      open.splice(0, at + 1);
      freshFrom = Math.max(freshFrom, question.sentAt);
      for (const { taskId, fence } of question.leases) {
        const lease = held.get(taskId);
        if (!lease || lease.fence !== fence) continue; // ended meanwhile, or held anew under a newer fence
        if (message.taskIds.includes(taskId)) trust(lease, question.sentAt);
        else if (message.lost.includes(taskId)) {
          lease.timer?.cancel();
          held.delete(taskId);
          // The result of finished work is on its way: the master's word on that one counts, not this.
          if (lease.state !== "finished") options.onLost(taskId, "The lease has passed on.");
        }
      }
    },
    stop() {
      heartbeat?.cancel();
      heartbeat = undefined;
      for (const lease of held.values()) lease.timer?.cancel();
    },
  };
}
