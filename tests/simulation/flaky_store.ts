/**
 * The store as a master on another machine knows it: it takes time, it may refuse, and it may do what it was asked and
 * then not say so. What was asked happens once, whole, at one instant between question and answer, or not at all; also
 * for a master that has died meanwhile.
 */
import type { TaskStore } from "../../db/tasks/task_store.ts";
import type { Process } from "./process.ts";
import type { Random } from "./random.ts";

export interface StoreWeather {
  /** Nothing works. */
  down: boolean;
  /** Share of the calls that fail, before or after they were carried out. */
  errors: number;
  /** Milliseconds that a call may take at most. */
  slowness: number;
}

export function createFlakyStore(
  store: TaskStore,
  process: Process,
  random: Random,
  weather: StoreWeather,
  /** Told what was carried out, with its answer. */
  onDone: (verb: keyof TaskStore, args: unknown[], answer: unknown) => void,
): TaskStore {
  const { timeline } = process;
  const call = (verb: keyof TaskStore) => (...args: unknown[]) =>
    process.wait<unknown>(({ resolve, reject }) => {
      const [there, back] = [random.between(0.2, weather.slowness), random.between(0.2, weather.slowness)];
      timeline.after(there, () => {
        const refuse = () => timeline.after(back, () => reject(new Error("the database is away")));
        if (weather.down || random.happens(weather.errors / 2)) return refuse();
        // The twin's verbs do all they do in their first turn.
        const answer = (store[verb] as (...args: unknown[]) => Promise<unknown>)(...args);
        void answer.then((value) => {
          onDone(verb, args, value);
          if (random.happens(weather.errors / 2)) return refuse();
          timeline.after(back, () => resolve(value));
        });
      });
    });
  return Object.fromEntries((Object.keys(store) as (keyof TaskStore)[]).map((verb) => [verb, call(verb)])) as never;
}
