/**
 * True time, which nobody in the simulation can read: an ordered queue of what is going to happen.
 *
 *   take the next event -> its instant is now -> run it -> let promises settle -> look at the invariants -> again
 *
 * Promises settle within a fixed number of turns; what is chained longer goes on beside the next event. Either way the
 * order is the language's own, so the same seed is the same run.
 */
export interface Timer {
  cancel(): void;
}

interface Event {
  at: number;
  order: number;
  call: (() => void) | undefined;
}

const TURNS = 48;

export class Timeline {
  now = 0;
  steps = 0;
  #order = 0;
  readonly #heap: Event[] = [];

  after(milliseconds: number, call: () => void): Timer {
    const event: Event = { at: this.now + Math.max(0, milliseconds), order: this.#order++, call };
    this.#push(event);
    return { cancel: () => void (event.call = undefined) };
  }

  /** @param isOver asked after every step; the return value says whether it was so before `until` */
  async run(until: number, isOver: () => boolean): Promise<boolean> {
    while (this.#heap.length > 0 && this.#heap[0]!.at <= until) {
      const event = this.#pop();
      if (!event.call) continue;
      this.now = event.at;
      this.steps++;
      event.call();
      for (let turn = 0; turn < TURNS; turn++) await null;
      if (isOver()) return true;
    }
    this.now = until;
    return isOver();
  }

  #push(event: Event) {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (!isBefore(event, heap[above]!)) break;
      heap[at] = heap[above]!;
      at = above;
    }
    heap[at] = event;
  }

  #pop(): Event {
    const heap = this.#heap;
    const top = heap[0]!;
    const last = heap.pop()!;
    if (heap.length === 0) return top;
    let at = 0;
    while (true) {
      let below = 2 * at + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && isBefore(heap[below + 1]!, heap[below]!)) below++;
      if (!isBefore(heap[below]!, last)) break;
      heap[at] = heap[below]!;
      at = below;
    }
    heap[at] = last;
    return top;
  }
}

const isBefore = (a: Event, b: Event) => a.at < b.at || (a.at === b.at && a.order < b.order);
