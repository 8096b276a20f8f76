/**
 * Gates that the master measures itself, on the one that leads.
 *
 *   due --claim (time moved on, fence + 1)--> measuring --row--> due again after `every` | passed | failed
 *
 * Slow servers hold nobody up: each is asked on its own, some at once and few of one host, and what becomes free is
 * claimed anew. A crash leaves a claimed gate, which is due again when its claim runs out; what was measured and not written is measured again.
 */
import { claimGates, nextGateIn } from "../db/gates/claim_gates.ts";
import type { ClaimedGate } from "../db/gates/claim_gates.ts";
import { recordMeasurement } from "../db/gates/record_measurement.ts";
import type { SchedulerDeps } from "./deps.ts";
import { measureGate } from "./gates/measure_gate.ts";
import type { OutgoingDeps } from "./gitops/outgoing_http.ts";
import type { Loop } from "./loop.ts";
import { createPlacedLoop } from "./placed_loop.ts";

const AT_ONCE = 16;
const OF_ONE_HOST = 4;
/** Every end of a task may have begun a gate, and thousands may end in a second: it looks for all of them together. */
const REST_SECONDS = 0.1;

export type GateLoopDeps =
  & OutgoingDeps
  & Pick<SchedulerDeps, "db" | "hints" | "logger" | "leadership" | "sweepSeconds" | "crashPoint">;

export function createGateLoop(deps: GateLoopDeps): Loop {
  const { db, hints, logger } = deps;
  async function measure(gate: ClaimedGate): Promise<void> {
    try {
      const measured = await measureGate(deps, gate);
      deps.crashPoint("gate.measured");
      if (!await recordMeasurement(db, gate, measured)) return;
      hints.announce("events");
      hints.announce("tasks");
    } catch (error: unknown) {
      // Its claim runs out, and it is measured again.
      logger.log("ERROR", "a gate could not be measured", { taskId: gate.id, error: String(error) });
    }
  }

  return createPlacedLoop({
    ...{ name: "gate loop", what: "a gate", most: AT_ONCE, share: OF_ONE_HOST },
    sweepSeconds: deps.sweepSeconds,
    restSeconds: REST_SECONDS,
    onlyLeader: deps.leadership,
    clock: deps.clock,
    logger,
    wokenBy: { hints, topic: "tasks" },
    async run(places) {
      for (const gate of await claimGates(db, places.room())) places.begin(gate.host, () => measure(gate));
      // With no room left, the next one is looked for when one has ended.
      if (places.free() === 0) return;
      return await nextGateIn(db, places.full()) ?? undefined;
    },
  });
}
