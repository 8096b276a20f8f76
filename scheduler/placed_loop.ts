/**
 * A loop whose work waits for somebody else's server. A run only takes what is due and begins it; what has begun goes on
 * beside the loop, within its places, and a place that becomes free wakes the loop. `stop` waits for all of it.
 */
import { createLoop } from "./loop.ts";
import type { Loop, LoopOptions } from "./loop.ts";
import { createPlaces } from "./places.ts";
import type { Places, PlacesOptions } from "./places.ts";

export interface PlacedLoopOptions extends Omit<LoopOptions, "run">, Omit<PlacesOptions, "onFree"> {
  /** @returns as the run of any loop */
  run(places: Places, isOn: () => boolean): ReturnType<LoopOptions["run"]>;
}

export function createPlacedLoop(options: PlacedLoopOptions): Loop {
  const places = createPlaces({ ...options, onFree: () => loop.wake() });
  const loop = createLoop({ ...options, run: (isOn) => options.run(places, isOn) });
  return {
    ...loop,
    async stop() {
      await loop.stop();
      await places.settled();
    },
  };
}
