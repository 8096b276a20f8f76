import fc from "../../tests/helpers/fast_check.ts";
import { describe, expect, it } from "vitest";
import type { Task } from "../../protocol/http_api.ts";
import { deriveGraph, mostTelling, stagesOf } from "./derive_graph.ts";
import { boxOf, nearestNode, pathText, placeInLayers, shapeOf } from "./place_graph.ts";

const task = (id: string, more: Partial<Task> = {}): Task => ({
  id,
  deploymentId: "d",
  parentId: null,
  appId: null,
  name: id,
  type: "deploy",
  step: "pending",
  status: "pending",
  dependencies: [],
  payload: {},
  result: null,
  attempt: 0,
  fence: 0,
  agentId: null,
  agent: null,
  leaseExpiresAt: null,
  reason: { code: "task.ready", params: {}, text: "" },
  blockedBy: [],
  createdAt: "2026-01-01T00:00:00Z",
  updatedAt: "2026-01-01T00:00:00Z",
  startedAt: null,
  completedAt: null,
  ...more,
});

describe("the graph of a deployment", () => {
  it("has a node per application and an edge per order", () => {
    const [section] = deriveGraph([task("user"), task("order", { dependencies: ["user"] })]);
    expect(section!.nodes.map((n) => n.task.id)).toEqual(["user", "order"]);
    expect(section!.edges).toEqual([{ from: "user", to: "order" }]);
  });

  it("puts the parts of an application inside its node, in stages", () => {
    const [section] = deriveGraph([
      task("web"),
      task("m1", { parentId: "web" }),
      task("m2", { parentId: "web" }),
      task("wait", { parentId: "web", dependencies: ["m1", "m2"] }),
      task("m3", { parentId: "web", dependencies: ["wait"] }),
    ]);
    expect(section!.nodes).toHaveLength(1);
    expect(section!.nodes[0]!.stages.map((stage) => stage.map((part) => part.id))).toEqual([["m1", "m2"], ["wait"], [
      "m3",
    ]]);
  });

  it("draws an edge between applications when only their parts depend on each other", () => {
    const [section] = deriveGraph([
      task("a"),
      task("a1", { parentId: "a" }),
      task("b"),
      task("b1", { parentId: "b", dependencies: ["a1"] }),
    ]);
    expect(section!.edges).toEqual([{ from: "a", to: "b" }]);
  });

  it("leaves out an edge that others imply", () => {
    const [section] = deriveGraph([
      task("a"),
      task("b", { dependencies: ["a"] }),
      task("c", { dependencies: ["a", "b"] }),
    ]);
    expect(section!.edges).toEqual([{ from: "a", to: "b" }, { from: "b", to: "c" }]);
  });

  it("shows a rollback as a section of its own", () => {
    const sections = deriveGraph([
      task("user"),
      task("order", { dependencies: ["user"] }),
      task("back-order", { type: "rollback", dependencies: ["order"] }),
      task("back-user", { type: "rollback", dependencies: ["back-order"] }),
    ]);
    expect(sections.map((s) => [s.kind, s.nodes.length, s.edges.length])).toEqual([["deploy", 2, 1], [
      "rollback",
      2,
      1,
    ]]);
  });

  it("survives a circle that no plan should have", () => {
    const parts = [task("x", { dependencies: ["y"] }), task("y", { dependencies: ["x"] })];
    expect(stagesOf(parts).flat()).toHaveLength(2);
  });

  it("keeps every ordering that the tasks have, whatever edges are left out", () => {
    fc.assert(
      fc.property(fc.array(fc.array(fc.nat(20), { maxLength: 4 }), { minLength: 1, maxLength: 20 }), (wishes) => {
        const tasks = wishes.map((needs, at) =>
          task(`t${at}`, { dependencies: [...new Set(needs.filter((n) => n < at).map((n) => `t${n}`))] })
        );
        const [section] = deriveGraph(tasks);
        const reach = (edges: { from: string; to: string }[]) => {
          const before = new Map<string, Set<string>>();
          for (const { id } of tasks) {
            const direct = edges.filter((e) => e.to === id).map((e) => e.from);
            before.set(id, new Set(direct.flatMap((d) => [d, ...before.get(d)!])));
          }
          return [...before].map(([id, set]) => [id, [...set].sort()]);
        };
        const all = tasks.flatMap((t) => t.dependencies.map((from) => ({ from, to: t.id })));
        expect(reach(section!.edges)).toEqual(reach(all));
      }),
    );
  });
});

describe("the first task to look at", () => {
  it("is the running one, else the failed, else the last that succeeded", () => {
    const done = task("done", { status: "success", completedAt: "2026-01-01T00:00:09Z" });
    const later = task("later", { status: "success", completedAt: "2026-01-01T00:00:10Z" });
    const bad = task("bad", { status: "failed" });
    expect(mostTelling([done, bad, task("now", { status: "running" })])!.id).toBe("now");
    expect(mostTelling([done, bad])!.id).toBe("bad");
    expect(mostTelling([later, done])!.id).toBe("later");
    expect(mostTelling([])).toBeUndefined();
  });

  it("is a part rather than its parent", () => {
    expect(mostTelling([task("web", { status: "running" }), task("m1", { parentId: "web", status: "running" })])!.id)
      .toBe("m1");
  });
});

describe("places", () => {
  const chain = deriveGraph([
    task("a"),
    task("b", { dependencies: ["a"] }),
    task("c", { dependencies: ["b"] }),
    task("d"),
  ])[0]!;

  it("go from left to right and never overlap", () => {
    const boxes = chain.nodes.map(boxOf);
    const { places, width } = placeInLayers(boxes, chain.edges);
    expect(places.get("a")!.x).toBeLessThan(places.get("b")!.x);
    expect(places.get("b")!.x).toBeLessThan(places.get("c")!.x);
    expect(places.get("a")!.x).toBe(places.get("d")!.x);
    expect(Math.abs(places.get("a")!.y - places.get("d")!.y)).toBeGreaterThanOrEqual(boxes[0]!.height);
    expect(width).toBe(places.get("c")!.x + boxes[2]!.width);
  });

  it("hold for a chain of a thousand", () => {
    const long = Array.from({ length: 1000 }, (_, i) => task(`t${i}`, { dependencies: i > 0 ? [`t${i - 1}`] : [] }));
    const section = deriveGraph(long)[0]!;
    expect(placeInLayers(section.nodes.map(boxOf), section.edges).places.size).toBe(1000);
  });

  it("are asked for again when the shape changes, not when a state does", () => {
    const other = structuredClone(chain);
    other.nodes[0]!.task.status = "success";
    expect(shapeOf(other)).toBe(shapeOf(chain));
    other.edges.pop();
    expect(shapeOf(other)).not.toBe(shapeOf(chain));
  });

  it("lead the arrow keys to the nearest node", () => {
    const placement = placeInLayers(chain.nodes.map(boxOf), chain.edges);
    expect(nearestNode(placement, "a", "ArrowDown")).toBe("d");
    expect(nearestNode(placement, "b", "ArrowRight")).toBe("c");
    expect(nearestNode(placement, "c", "ArrowRight")).toBeUndefined();
    expect(nearestNode(placement, "a", "Enter")).toBeUndefined();
  });

  it("join by lines with rounded corners", () => {
    expect(pathText([{ x: 0, y: 0 }, { x: 20, y: 0 }, { x: 20, y: 40 }])).toBe("M0 0L12 0Q20 0 20 8L20 40");
    expect(pathText([])).toBe("");
  });
});
