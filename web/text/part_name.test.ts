import { expect, it } from "vitest";
import type { Task } from "../../protocol/http_api.ts";
import { partName } from "./part_name.ts";

const target = { id: "1", name: "m1" };
const cases: [Task["type"], Record<string, unknown>, string][] = [
  ["apply", { action: "deploy", target }, "its own name"],
  ["apply", { action: "prepare", target }, "Prepare m1"],
  ["apply", { action: "switch", target: null, app: "shop" }, "Switch shop"],
  ["apply", { action: "finish", target }, "End the old release on m1"],
  [
    "hook",
    { action: "hook", target: null, app: "shop", hook: { name: "preDeploy", run: "x.sh" } },
    "Before the deploy",
  ],
  ["hook", { action: "hook", target, hook: { name: "postDeploy", run: "x.sh" } }, "After the deploy on m1"],
  ["pause", { pauseSeconds: 600 }, "Wait 10 min"],
  ["pause", { kind: "meeting", parts: 120, pauseSeconds: 0 }, "After all 120"],
  ["gate", { kind: "watch", pauseSeconds: 90 }, "Watch for 1 min 30 s"],
  ["gate", { kind: "http", gate: { http: "https://shop.example.com" } }, "Check https://shop.example.com"],
  ["gate", { action: "gate", gate: { run: "ops/check.sh" } }, "Check ops/check.sh"],
  ["gate", {}, "its own name"],
  ["approval", { approve: { count: 2, roles: ["lead", "admin"] } }, "2 approvals by lead, admin"],
  ["approval", { approve: {} }, "1 approval"],
];

it.each(cases)("a part of type %s with %o is called %s", (type, payload, expected) => {
  expect(partName({ type, payload, name: "its own name", parentId: "whole" })).toBe(expected);
});

it("a hook beside its application says whose it is", () => {
  const payload = { action: "hook", target: null, app: "shop", hook: { name: "onFailure", run: "x.sh" } };
  const task = { type: "hook" as const, payload, name: "onFailure of shop", parentId: null };
  expect(partName(task)).toBe("After a failure on shop");
});
