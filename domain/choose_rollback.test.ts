import { expect, it } from "vitest";
import { chooseRollback } from "./choose_rollback.ts";

const previous = { versionId: "v1", version: "v1", commit: null, specSha256: "s" };
const place = (application: string, position: number, machine: string | null = null, had = true) => ({
  application,
  position,
  target: machine ? { id: machine, name: machine } : null,
  previous: had ? previous : null,
});

it("goes back in reverse order, only where the version came", () => {
  const forward = new Map([["user", []], ["order", ["user"]], ["payment", ["order"]]]);
  const steps = chooseRollback([place("user", 0), place("order", 1)], forward);
  expect(steps.map((s) => [s.application, s.dependsOn])).toEqual([["order", []], ["user", ["order"]]]);
});

it("keeps the reverse order through an application that was not reached", () => {
  const forward = new Map([["user", []], ["order", ["user"]], ["payment", ["order"]]]);
  const steps = chooseRollback([place("user", 0), place("payment", 2)], forward);
  expect(steps.map((s) => [s.application, s.dependsOn])).toEqual([["payment", []], ["user", ["payment"]]]);
});

it("takes back every machine of an application, and says where nothing ran before", () => {
  const [step] = chooseRollback([place("user", 0, "m1"), place("user", 0, "m2", false)], new Map([["user", []]]));
  expect(step!.targets.map((t) => [t.target?.name, t.previous?.version ?? null])).toEqual([["m1", "v1"], ["m2", null]]);
});
