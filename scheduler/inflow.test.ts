import { expect, it } from "vitest";
import { createInflow } from "./inflow.ts";

function source() {
  const said: string[] = [];
  return { said, pause: () => void said.push("pause"), resume: () => void said.push("resume") };
}

it("reads no more of a session that sent too much, until half of it is handled", () => {
  const inflow = createInflow(100, 1000);
  const [busy, calm] = [source(), source()];
  const flow = inflow.open(busy);
  const other = inflow.open(calm);
  flow.take(100);
  expect(busy.said).toEqual([]);
  flow.take(50);
  flow.take(50); // what was read already
  other.take(100);
  expect([busy.said, calm.said]).toEqual([["pause"], []]);
  flow.done(140);
  expect(busy.said).toEqual(["pause"]);
  flow.done(20);
  expect(busy.said).toEqual(["pause", "resume"]);
});

it("holds back whoever sends while all together sent too much, and reads everybody again when half is handled", () => {
  const inflow = createInflow(100, 250);
  const sources = Array.from({ length: 4 }, source);
  const flows = sources.map((one) => inflow.open(one));
  for (const flow of flows) flow.take(80);
  expect(sources.map((one) => one.said)).toEqual([[], [], [], ["pause"]]);
  flows[0]!.take(1);
  expect(sources[0]!.said).toEqual(["pause"]);
  flows[1]!.done(80);
  flows[2]!.done(80);
  expect(sources[0]!.said).toEqual(["pause"]); // half of all waits still, and more than half of its own
  flows[0]!.done(81);
  flows[3]!.done(80);
  expect(sources.map((one) => one.said)).toEqual([["pause", "resume"], [], [], ["pause", "resume"]]);
  expect(inflow.waiting).toBe(0);
});

it("gives back what a session leaves behind", () => {
  const inflow = createInflow(100, 150);
  const [gone, waiting] = [source(), source()];
  const flow = inflow.open(gone);
  flow.take(140);
  inflow.open(waiting).take(20);
  expect([gone.said, waiting.said]).toEqual([["pause"], ["pause"]]);
  flow.end();
  flow.done(140);
  expect(inflow.waiting).toBe(20);
  expect([gone.said, waiting.said]).toEqual([["pause", "resume"], ["pause", "resume"]]);
});
