import fc from "../tests/helpers/fast_check.ts";
import { describe, expect, it } from "vitest";
import { planDeployment } from "./plan_deployment.ts";
import type { PlanInput, PlannedTask } from "./plan_deployment.ts";
import type { HooksInput } from "./hooks.ts";
import { planStages } from "./strategy.ts";
import type { StrategyInput } from "./strategy.ts";

const target = (name: string) => ({ id: `id-${name}`, name });

describe("planDeployment", () => {
  it("makes a leaf of an application with one target, and a parent with parts of one with more", () => {
    const plan = planDeployment({
      all: [{ name: "user", needs: [] }, { name: "order", needs: ["user"] }],
      deployed: [
        {
          name: "order",
          needs: ["user"],
          targets: [target("m1"), target("m2"), target("m3")],
          strategy: { type: "rolling", batch: 2, wait: "5s", maxFailures: 1 },
        },
        { name: "user", needs: [], targets: [target("m1")], strategy: { type: "all" } },
      ],
      mustInOrder: ["user", "order"],
      planStages,
    });
    expect(plan.map((t) => [t.key, t.type, t.isLeaf, t.dependsOn])).toEqual([
      ["user", "deploy", true, []],
      ["order", "deploy", false, ["user"]],
      ["order/m1", "apply", true, ["user"]],
      ["order/m2", "apply", true, ["user"]],
      ["order/pause-1", "pause", false, ["order/m1", "order/m2"]],
      ["order/m3", "apply", true, ["order/pause-1"]],
    ]);
    expect(plan[1]!.maxFailures).toBe(1);
  });

  it("lets the batches of thousands of machines meet in one part, not each with each", () => {
    const plan = planDeployment({
      all: [{ name: "edge", needs: [] }],
      deployed: [{
        name: "edge",
        needs: [],
        targets: Array.from({ length: 5000 }, (_, n) => target(`m${n}`)),
        strategy: { type: "rolling", batch: "25%" },
      }],
      mustInOrder: [],
      planStages,
    });
    const edges = plan.reduce((sum, task) => sum + task.dependsOn.length, 0);
    expect(plan.filter((task) => task.type === "apply")).toHaveLength(5000);
    expect(edges).toBeLessThan(3 * 5000);
    const [first, second] = [plan.find((task) => task.batch === 1)!, plan.find((task) => task.batch === 2)!];
    const between = plan.find((task) => task.key === second.dependsOn[0])!;
    expect([second.dependsOn.length, between.name]).toEqual([1, "after all 1250"]);
    expect(between.dependsOn).toHaveLength(1250);
    expect(between.dependsOn).toContain(first.key);
  });
});

const amounts = fc.oneof(fc.integer({ min: 1, max: 4 }), fc.constantFrom("25%", "50%", "100%"));
const steps = fc.array(
  fc.oneof(
    fc.record({ target: amounts, batch: amounts, wait: fc.constantFrom("0s", "5s") }),
    fc.constant({ pause: "1m" }),
    fc.constantFrom({ gate: { script: "ops/check.sh" } }, { gate: { http: "https://shop.example.com" } }),
    fc.constant({ approve: {} }),
  ),
  { maxLength: 5 },
);
const strategies: fc.Arbitrary<StrategyInput> = fc.oneof(
  fc.constant({ type: "all" as const }),
  fc.record({ type: fc.constant("rolling" as const), batch: amounts, wait: fc.constantFrom("0s", "5s") }),
  fc.record({ type: fc.constant("canary" as const), steps }),
  fc.record({ type: fc.constant("blueGreen" as const), steps, hold: fc.constantFrom("0s", "5m") }),
);
const hooks: fc.Arbitrary<HooksInput> = fc.dictionary(
  fc.constantFrom("preDeploy", "preSwitch", "postDeploy", "onRollback", "onFailure"),
  fc.record({ run: fc.constant("ops/hook.sh"), on: fc.constantFrom("once" as const, "each" as const) }),
);

/** Any world without a cycle: needs and order only ever point backwards. */
const worlds = fc.integer({ min: 1, max: 8 }).chain((n) =>
  fc.record({
    needs: fc.tuple(...Array.from({ length: n }, (_, i) => fc.subarray(Array.from({ length: i }, (_, j) => j)))),
    listed: fc.subarray(Array.from({ length: n }, (_, i) => i)),
    deployed: fc.subarray(Array.from({ length: n }, (_, i) => i), { minLength: 1 }),
    targets: fc.array(fc.integer({ min: 0, max: 5 }), { minLength: n, maxLength: n }),
    strategies: fc.array(strategies, { minLength: n, maxLength: n }),
    hooks: fc.array(hooks, { minLength: n, maxLength: n }),
    picks: fc.infiniteStream(fc.nat()),
  })
);
type World = typeof worlds extends fc.Arbitrary<infer T> ? T : never;

function inputOf(world: World): PlanInput {
  const name = (i: number) => `app-${i}`;
  const all = world.needs.map((needs, i) => ({ name: name(i), needs: needs.map(name) }));
  return {
    all,
    mustInOrder: world.listed.map(name),
    planStages,
    deployed: world.deployed.map((i) => ({
      ...all[i]!,
      targets: Array.from({ length: world.targets[i]! }, (_, m) => target(`m${m}`)),
      strategy: world.strategies[i]!,
      hooks: world.hooks[i]!,
      watchSeconds: i % 2,
    })),
  };
}

/** Every order that the rules demand of two deployed applications, through those that are not deployed. */
function mustPrecede(input: PlanInput): [string, string][] {
  const edges = new Map(input.all.map((a) => [a.name, new Set(a.needs)]));
  input.mustInOrder.forEach((name, i) => i > 0 && edges.get(name)!.add(input.mustInOrder[i - 1]!));
  const reach = (from: string, seen = new Set<string>()): Set<string> => {
    for (const previous of edges.get(from)!) if (!seen.has(previous)) reach(previous, seen.add(previous));
    return seen;
  };
  const deployed = new Set(input.deployed.map((a) => a.name));
  return input.deployed.flatMap((a) =>
    [...reach(a.name)].filter((b) => deployed.has(b)).map((b): [string, string] => [b, a.name])
  );
}

/** On each machine prepare, switch, finish in this order; before a deployment-wide hook or wait all that stands in front. */
function keepsItsOwnOrder(tasks: PlannedTask[], startedAt: Map<string, number>, endedAt: Map<string, number>): void {
  const order = ["preDeploy", "deploy", "prepare", "preSwitch", "switch", "postDeploy", "finish"];
  const rankOf = ({ work }: PlannedTask) =>
    work.kind === "apply" ? order.indexOf(work.phase) : work.kind === "hook" ? order.indexOf(work.name) : -1;
  for (const [at, a] of tasks.entries()) {
    for (const b of tasks.slice(at + 1)) {
      const isLane = rankOf(a) >= 0 && rankOf(b) > rankOf(a) && a.target?.name === b.target?.name &&
        a.batch === b.batch;
      const isBarrier = b.parentKey !== null && a.parentKey !== null && b.target === null && b.batch === null;
      if (isLane || isBarrier) expect(endedAt.get(a.key)!).toBeLessThan(startedAt.get(b.key)!);
    }
  }
}

it("plans every application once, without a circle, and keeps the order under every interleaving of results", () => {
  fc.assert(
    fc.property(worlds, (world) => {
      const input = inputOf(world);
      const plan = planDeployment(input);
      const keys = new Set(plan.map((t) => t.key));
      expect(keys.size).toBe(plan.length);
      expect(plan.filter((t) => t.parentKey === null).map((t) => t.application).sort()).toEqual(
        input.deployed.map((a) => a.name).sort(),
      );
      expect(plan.flatMap((t) => t.dependsOn).every((d) => keys.has(d))).toBe(true);

      // Play it: finish any task that is open, in an order that chance picks, until nothing is left.
      const startedAt = new Map<string, number>();
      const endedAt = new Map<string, number>();
      let now = 0;
      const isDone = (t: PlannedTask): boolean => endedAt.has(t.key);
      const settleParents = () => {
        for (const parent of plan.filter((t) => t.work.kind === "whole" && !isDone(t))) {
          if (plan.filter((t) => t.parentKey === parent.key).every(isDone)) endedAt.set(parent.key, ++now);
        }
      };
      while (true) {
        const open = plan.filter((t) =>
          !isDone(t) && t.work.kind !== "whole" && t.dependsOn.every((d) => endedAt.has(d))
        );
        if (open.length === 0) break;
        const task = open[world.picks.next().value! % open.length]!;
        startedAt.set(task.key, ++now);
        endedAt.set(task.key, ++now);
        settleParents();
      }
      expect(plan.every(isDone)).toBe(true); // no circle: everything came to its end
      for (const app of input.deployed) {
        keepsItsOwnOrder(plan.filter((t) => t.application === app.name), startedAt, endedAt);
      }
      const leavesOf = (app: string) => plan.filter((t) => t.application === app && t.isLeaf);
      for (const [before, after] of mustPrecede(input)) {
        const lastEnd = Math.max(...leavesOf(before).map((t) => endedAt.get(t.key)!));
        const firstStart = Math.min(...leavesOf(after).map((t) => startedAt.get(t.key)!));
        expect(lastEnd).toBeLessThan(firstStart);
      }
    }),
    { numRuns: 500 },
  );
});
