/** What the simulation relies on, said once and asked of both: the verbs on PostgreSQL, and their twin in memory. */
import { describeComingBack } from "./store_suite/coming_back.ts";
import { describeHandingOut } from "./store_suite/handing_out.ts";
import { describeHeldWork } from "./store_suite/held_work.ts";
import { describeLogs } from "./store_suite/logs.ts";
import { playIn } from "./store_suite/store_play.ts";
import type { StoreWorld } from "./store_world.ts";

export function describeStore(name: string, open: () => Promise<StoreWorld>): void {
  const play = playIn(open);
  describeHandingOut(name, play);
  describeHeldWork(name, play);
  describeComingBack(name, play);
  describeLogs(name, play);
}
