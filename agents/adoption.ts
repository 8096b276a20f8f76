/**
 * Takes up what the agent before this one left running. A task may be what ended that agent, and must not end every
 * agent after it:
 *
 *   counted on disk --> taken up --lives on with it--> count forgotten
 *        ^                  '-- agent ended: the next one finds the count, and takes up such tasks one after the other,
 *        '-------------------- the least suspicious first; the one it dies of is counted once more
 *   more than MAX_ADOPTIONS: stopped instead; and when even that ended the agent: given up
 *
 * What is stopped or given up so may be handed out again, here or elsewhere; the master bounds that.
 */
import type { Clock } from "../domain/ports.ts";

export const MAX_ADOPTIONS = 2;
/** An agent that lives so long with a task is not ended by taking it up. */
export const PROBATION_MS = 1000;

export interface Orphan {
  /** How often agents took it up and ended soon after. */
  adoptions: number;
  /** Notes the count, durably when it returns; never fails. */
  count(adoptions: number): Promise<void>;
  run(): Promise<void>;
  /** Makes `run` end what was left, and nothing else. */
  stop(why: string): void;
  /** Ends it without touching what was left. */
  giveUp(why: string): Promise<void>;
}

export function createAdoptions(clock: Clock) {
  const waiting: { orphan: Orphan; done: () => void }[] = [];
  let busy = false;

  async function takeUp(orphan: Orphan, onProven: () => void): Promise<void> {
    const times = orphan.adoptions + 1;
    const why = `The agent ended ${times} times in a row, each time soon after it had begun or taken up this task.`;
    if (times > MAX_ADOPTIONS + 1) return await orphan.giveUp(why);
    await orphan.count(times);
    if (times > MAX_ADOPTIONS) orphan.stop(why);
    let over = false;
    const probation = clock.after(PROBATION_MS, () => {
      if (!over) void orphan.count(0).then(onProven);
    });
    try {
      await orphan.run();
    } finally {
      over = true;
      probation.cancel();
    }
  }

  function next(): void {
    waiting.sort((a, b) => a.orphan.adoptions - b.orphan.adoptions);
    const first = waiting.shift();
    busy = first !== undefined;
    if (!first) return;
    let moved = false;
    const moveOn = () => {
      if (!moved) next();
      moved = true;
    };
    takeUp(first.orphan, moveOn).finally(() => {
      first.done();
      moveOn();
    });
  }

  return {
    /** @param now it has been told to stop: that waits for nobody. @returns when it is over */
    take(orphan: Orphan, now: boolean): Promise<void> {
      if (now || orphan.adoptions === 0) return takeUp(orphan, () => {});
      return new Promise((done) => {
        waiting.push({ orphan, done });
        if (!busy) queueMicrotask(() => busy ? undefined : next()); // once all that came with one welcome are here
      });
    },
  };
}
