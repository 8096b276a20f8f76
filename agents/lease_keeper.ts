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
  /** When patience with a suspended one ends. */
  lostAt: number;
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

  /** One for all leases, for the first end of trust or of patience: most tasks are over long before. */
  let alarm: { at: number; timer: Timer } | undefined;
  const dueAt = (lease: Held) =>
    lease.state === "trusted" ? lease.until : lease.state === "suspended" ? lease.lostAt : Infinity;

  /** One that is set for earlier rings then, and is set anew: a lease may end before its trust, or be renewed. */
  function wakeAt(at: number) {
    if (at === Infinity || (alarm && alarm.at <= at)) return;
    alarm?.timer.cancel();
    alarm = { at, timer: clock.after(Math.max(0, at - clock.monotonic()), ring) };
  }

  function ring() {
    alarm = undefined;
    for (const lease of [...held.values()]) {
      if (held.get(lease.taskId) !== lease || dueAt(lease) > clock.monotonic()) continue;
      if (lease.state === "trusted") suspend(lease);
      else lose(lease, "The lease could not be renewed for too long.");
    }
    let next = Infinity;
    for (const lease of held.values()) next = Math.min(next, dueAt(lease));
    wakeAt(next);
  }

  function suspend(lease: Held) {
    lease.state = "suspended";
    lease.lostAt = clock.monotonic() + options.suspendedBoundMs;
    wakeAt(lease.lostAt);
    options.onSuspend(lease.taskId);
  }

  function lose({ taskId }: Held, why: string) {
    held.delete(taskId);
    options.onLost(taskId, why);
  }

  function trust(lease: Held, sentAt: number) {
    lease.until = Math.max(lease.until, trustUntil(sentAt, lease.leaseMs));
    if (lease.state === "finished") return;
    if (lease.until <= clock.monotonic()) {
      if (lease.state === "trusted") suspend(lease);
      return;
    }
    lease.state = "trusted";
    wakeAt(lease.until);
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
      const leaseMs = leaseSeconds * 1000;
      const lease: Held = { taskId, fence, leaseMs, until: -Infinity, state: "trusted", lostAt: Infinity };
      held.set(taskId, lease);
      trust(lease, from);
      if (lease.state === "suspended" && heartbeat) renew(); // do not wait for the next beat to find out
    },
    finish(taskId) {
      const lease = held.get(taskId);
      if (lease) lease.state = "finished";
    },
    release: (taskId) => void held.delete(taskId),
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
          // The result of finished work is on its way: the master's word on that one counts, not this.
          if (lease.state === "finished") held.delete(taskId);
          else lose(lease, "The lease has passed on.");
        }
      }
    },
    stop() {
      heartbeat?.cancel();
      heartbeat = undefined;
      alarm?.timer.cancel();
      alarm = undefined;
    },
  };
}
