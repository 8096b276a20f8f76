import { expect, it } from "vitest";
import { claim, finish } from "../../tests/helpers/play_tasks.ts";
import { seedWork } from "../../tests/helpers/seed_work.ts";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";
import { readMeasurements } from "./read_measurements.ts";

const db = await createTestDatabase();

it("what a gate's script measured on an agent becomes rows with its end, and nonsense among it does not", async () => {
  const seed = seedWork(db);
  const deployment = await seed.deployment();
  const agent = await seed.agent({ environments: [deployment.environmentId] });
  const id = await seed.task({
    ...{ deploymentId: deployment.id, environmentId: deployment.environmentId, type: "gate" },
    payload: { kind: "mock", action: "gate" },
  });
  const [claimed] = await claim(db, agent);
  const at = (second: number) => `2026-11-22T10:00:0${second}.000Z`;
  const measurements = [
    { at: at(1), ok: true, value: 3, note: "3 errors" },
    { at: "yesterday", ok: true, note: "no instant" },
    "nonsense",
    { at: at(2), ok: false, note: "x".repeat(900) },
  ];
  await finish(db, claimed!, { status: "failed", message: "Exit code 1.", details: { measurements } });
  expect(await readMeasurements(db, id, { limit: 10 })).toEqual([
    { number: 2, at: at(2), value: null, verdict: "fail", note: "x".repeat(500) },
    { number: 1, at: at(1), value: 3, verdict: "pass", note: "3 errors" },
  ]);
});
