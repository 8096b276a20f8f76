import { describe, expect, it } from "vitest";
import { findNotCarriedOut } from "./carried_out.ts";

const paths = (document: Record<string, unknown>) => findNotCarriedOut(document).map((p) => p.path.join("."));
const application = (rest: Record<string, unknown>) => paths({ kind: "Application", name: "a", ...rest });
const plan = (rest: Record<string, unknown>) => paths({ kind: "Plan", ...rest });

describe("what is not carried out yet is found by name", () => {
  it.each<[string, Record<string, unknown>]>([
    ["strategy.type", { strategy: { type: "canary", steps: [{ target: 1 }] } }],
    ["strategy.type", { strategy: { type: "blueGreen" } }],
    ["hooks.preDeploy", { hooks: { preDeploy: { run: "ops/x.sh" } } }],
    ["environments.prod.hooks.onRollback", { environments: { prod: { hooks: { onRollback: { run: "x" } } } } }],
  ])("%s of an application", (path, rest) => expect(application(rest)).toEqual([path]));

  it.each<[string, Record<string, unknown>]>([
    ["strategy.type", { strategy: { type: "blueGreen" } }],
  ])("%s of a plan", (path, rest) => expect(plan(rest)).toEqual([path]));

  it("and what is carried out passes", () => {
    expect(application({
      strategy: { type: "rolling", batch: 1, onFailure: { action: "rollback", scope: "batch" } },
      healthy: { watchAfter: "2m" },
      route: { mode: "proxy", listen: 80 },
      drift: { mode: "heal", ignore: ["env.DEBUG"] },
      runtime: { docker: { image: "i" } },
      hooks: {},
      environments: { staging: { strategy: { type: "all" } } },
    })).toEqual([]);
    expect(plan({ concurrency: { policy: "reject" }, triggers: [{ on: "tag" }], freeze: [{ environment: "prod" }] }))
      .toEqual([]);
  });
});
