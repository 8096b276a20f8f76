/**
 * Which places go back when a modelled deployment rolls back: all that it reached, the machines in trouble, or their
 * batches too. A verdict on the release (a gate, an approval, a hook that runs once) takes the whole application back.
 */
import type { RollbackScope } from "../../domain/strategy.ts";
import { changesPlace, placeOf } from "./tree_task.ts";
import type { TreeTask } from "./tree_task.ts";

/** @param reached what an agent has taken up, of the way there */
export function placesBack(reached: readonly TreeTask[], all: readonly TreeTask[], scope: RollbackScope): string[] {
  const steps = Map.groupBy(reached.filter(changesPlace), placeOf);
  const places = [...steps.keys()];
  if (scope === "deployment") return places;
  const failed = all.filter((t) => t.state === "failed" && !t.isRollback);
  const isCondemned = (appId: string) =>
    failed.some((t) =>
      t.appId === appId && ["gate", "hook", "approval"].includes(t.type) && !t.isWatch && t.target === null
    );
  const isBlamed = (place: string) =>
    failed.some((t) => t.isWatch ? t.blamed === place : t.type === "hook" && t.target !== null && placeOf(t) === place);
  const inTrouble = places.filter((place) => {
    const way = steps.get(place)!;
    return isCondemned(way[0]!.appId) || isBlamed(place) || way.some((t) => t.state !== "success") ||
      !way.some((t) => t.arrives);
  });
  if (scope === "target") return inTrouble;
  const batchOf = (place: string) => `${steps.get(place)![0]!.appId} ${steps.get(place)![0]!.batch ?? place}`;
  const batches = new Set(inTrouble.map(batchOf));
  return places.filter((place) => batches.has(batchOf(place)));
}
