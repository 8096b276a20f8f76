/**
 * Bounds what agents have sent and nobody has handled yet.
 *
 *   frame --take--> waits, or is being handled --done--> gone
 *      too much of one session, or of all together -> that session is not read from
 *                       half of it is gone again    -> read on
 *
 * What is not read waits in the network and then at the agent, which has it on disk. Whoever sends is held back, one
 * frame at a time, so a silent session's renewal is still read at once.
 */
export interface Flow {
  /** So much came in. */
  take(size: number): void;
  /** So much of it was handled. */
  done(size: number): void;
  /** Nothing of it is handled any more. */
  end(): void;
  readonly waiting: number;
}
export interface Inflow {
  open(source: { pause?(): void; resume?(): void }): Flow;
  readonly waiting: number;
}

/** Characters, about bytes. A window of chunks, with what JSON adds to it, is less than the first. */
const SESSION_LIMIT = 2 * 1024 * 1024;
const TOTAL_LIMIT = 8 * 1024 * 1024;

export function createInflow(sessionLimit = SESSION_LIMIT, totalLimit = TOTAL_LIMIT): Inflow {
  let total = 0;
  const held = new Set<{ waiting: number; resume(): void }>();

  const readOn = () => {
    if (total > totalLimit / 2) return;
    for (const flow of held) {
      if (flow.waiting > sessionLimit / 2) continue;
      held.delete(flow);
      flow.resume();
    }
  };

  return {
    open(source) {
      const flow = { waiting: 0, resume: () => source.resume?.() };
      const give = (size: number) => {
        flow.waiting -= size;
        total -= size;
        readOn();
      };
      return {
        take(size) {
          flow.waiting += size;
          total += size;
          if (held.has(flow) || (flow.waiting <= sessionLimit && total <= totalLimit)) return;
          held.add(flow);
          source.pause?.();
        },
        done: (size) => give(Math.min(size, flow.waiting)),
        end() {
          if (held.delete(flow)) source.resume?.();
          give(flow.waiting);
        },
        get waiting() {
          return flow.waiting;
        },
      };
    },
    get waiting() {
      return total;
    },
  };
}
