/**
 * Of several masters on one database, one runs the timers, the pollers and the upkeep.
 *
 *   following --row free or run out--> leading (a new term) --renewed at a third of the time--> leading ...
 *       ^------- another took it, or no renewal came through in time, or stopped (the row is given back) -------'
 *
 * The row and the database's clock decide; this process trusts itself only until the moment its last successful asking
 * was sent, plus the time to live, less a margin. A leader that stands still past that may meet its successor: each verb
 * that they both run is guarded by its own rows, so the row saves work and doubled calls outward, and keeps no lock. A
 * crash leaves the row to run out.
 */
import type { Clock, Logger } from "../domain/ports.ts";
import type { Leadership } from "./leadership.ts";
import { createLoop } from "./loop.ts";

export interface Candidate extends Leadership {
  start(): void;
  /** Gives the lead back, so that another takes it at once. */
  stop(): Promise<void>;
}

export interface CandidateOptions {
  /** Takes or renews the lead for so many seconds; the term, or undefined while another leads. */
  take(ttlSeconds: number): Promise<number | undefined>;
  resign(term: number): Promise<void>;
  ttlSeconds: number;
  clock: Clock;
  logger: Logger;
}

/** Part of the time to live that this process does not trust: what its clock may run slower than the database's. */
const MARGIN = 0.2;

export function createCandidate({ take, resign, ttlSeconds, clock, logger }: CandidateOptions): Candidate {
  let term: number | undefined;
  let trustedUntil = -Infinity;
  const listeners = new Set<() => void>();
  const isLeader = () => term !== undefined && clock.monotonic() < trustedUntil;
  const loop = createLoop({
    name: "leadership",
    sweepSeconds: ttlSeconds / 3,
    clock,
    logger,
    async run() {
      const askedAt = clock.monotonic();
      const before = isLeader() ? term : undefined;
      term = await take(ttlSeconds);
      if (term === undefined) {
        if (before !== undefined) logger.log("WARN", "another master leads now", { term: before });
        return;
      }
      trustedUntil = askedAt + ttlSeconds * 1000 * (1 - MARGIN);
      if (term === before || !isLeader()) return;
      logger.log("INFO", "this master leads now", { term });
      for (const call of [...listeners]) call();
    },
  });
  return {
    isLeader,
    term: () => (isLeader() ? term : undefined),
    onGain(call) {
      listeners.add(call);
      return () => void listeners.delete(call);
    },
    start: loop.start,
    async stop() {
      await loop.stop();
      const held = term;
      term = undefined;
      if (held !== undefined) await resign(held);
    },
  };
}
