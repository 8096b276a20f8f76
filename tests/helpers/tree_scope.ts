/**
 * Which places go back when a modelled deployment rolls back: all that it reached, the machines in trouble, or their
 * batches too. A verdict on the release (a gate, an approval, a hook that runs once) takes the whole application back.
 */
import { expect } from "vitest";
import type { RollbackScope } from "../../domain/strategy.ts";
import { appOrder, changesPlace, isHeld, placeOf } from "./tree_task.ts";
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

interface WayThere {
  /** What must go back. */
  places: readonly string[];
  /** What an agent has taken up, of the way there. */
  reached: readonly TreeTask[];
  forward: readonly TreeTask[];
  get: (id: string) => TreeTask;
}
/** The database has planned the same: one task for each place, in reverse order, each behind what still runs there. */
export function expectWayBack(back: readonly TreeTask[], { places, reached, forward, get }: WayThere): void {
  // One place may have been reached by several parts.
  expect(back.filter((t) => t.isLeaf && t.type !== "hook").map(placeOf).sort(), "what must be given back, and no more")
    .toEqual([...places].sort());
  const forwardOrder = appOrder(forward, get);
  const byId = new Map(back.map((t) => [t.id, t]));
  const backwardOrder = appOrder(back, (id) => byId.get(id) ?? get(id));
  for (const row of back) {
    const still = reached.filter((t) => t.appId === row.appId && isHeld(t)).map((t) => t.id);
    expect(row.dependsOn, `${row.name} waits for what still runs`).toEqual(expect.arrayContaining(still));
    for (const other of back.filter((o) => o.appId !== row.appId)) {
      expect(backwardOrder(row.appId).has(other.appId), "the way back is the way there, turned round")
        .toBe(forwardOrder(other.appId).has(row.appId));
    }
  }
}
