import { beforeAll, expect, it } from "vitest";
import { fireTrigger } from "../db/triggers/fire_trigger.ts";
import { createTestDatabase } from "../tests/helpers/test_database.ts";
import type { TestDatabase } from "../tests/helpers/test_database.ts";
import { createTriggerWorld } from "../tests/helpers/trigger_world.ts";
import { until } from "../tests/helpers/gitops_world.ts";
import { createTriggerLoop } from "./trigger_loop.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});
const HAND = "on: api, name: hand, environment: prod, start: manual";

it("decides what is asked while it leads, and what another leader left behind", async () => {
  const w = await createTriggerWorld(db, [HAND]);
  await w.push("1");
  const lead = { leads: false, gain: () => {} };
  const leadership = {
    isLeader: () => lead.leads,
    term: () => 1,
    onGain: (call: () => void) => {
      lead.gain = call;
      return () => {};
    },
  };
  const loop = createTriggerLoop({ ...w.deps, leadership });
  loop.start();
  try {
    await fireTrigger(w.deps, await w.triggerId("hand"), { dryRun: true }, w.actor);
    expect((await w.runs("hand")).map((r) => r.outcome)).toEqual(["waiting"]);
    lead.leads = true;
    lead.gain();
    await until(w.deps.hints, async () => (await w.runs("hand"))[0]!.outcome === "fired");
    await fireTrigger(w.deps, await w.triggerId("hand"), { dryRun: false }, w.actor);
    await until(w.deps.hints, async () => (await w.runs("hand"))[1]!.outcome === "fired");
    expect((await w.deployments()).map((d) => [d.environment, d.status])).toEqual([["prod", "pending"]]);
  } finally {
    await loop.stop();
  }
});
