import type { Clock, Timer } from "../../domain/ports.ts";

/** Joins all the reasons to look again into one wait. For one waiting loop; a timer lives only while it waits. */
export interface Waiter {
  /** Look now. A call while nobody waits ends the next wait at once. */
  wake(): void;
  /** Look within so many milliseconds: collects what comes in bursts. */
  wakeSoon(milliseconds: number): void;
  /** Until woken, at most so many milliseconds. */
  wait(milliseconds: number): Promise<void>;
  /** Ends the wait; from now on every wait ends at once. */
  readonly close: () => void;
  readonly closed: boolean;
}

/** @param onClose gives back what the wakers hold; called once */
export function createWaiter(clock: Clock, onClose: () => void = () => {}): Waiter {
  let woken = false;
  let closed = false;
  let soon: Timer | undefined;
  let release: (() => void) | undefined;
  const wake = () => {
    soon?.cancel();
    soon = undefined;
    woken = true;
    release?.();
  };
  return {
    wake,
    wakeSoon(milliseconds) {
      if (!closed && !woken) soon ??= clock.after(milliseconds, wake);
    },
    async wait(milliseconds) {
      if (!woken && !closed) {
        await new Promise<void>((resolve) => {
          const timer = clock.after(milliseconds, () => release?.());
          release = () => {
            timer.cancel();
            release = undefined;
            resolve();
          };
        });
      }
      woken = false;
    },
    close() {
      if (closed) return;
      closed = true;
      onClose();
      soon?.cancel();
      soon = undefined;
      release?.();
    },
    get closed() {
      return closed;
    },
  };
}
