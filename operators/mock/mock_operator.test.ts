import { describe, expect, it } from "vitest";
import { createContext, operationOf, specOf } from "../../tests/helpers/pm_fixture.ts";
import { createVirtualClock } from "../../tests/helpers/virtual_clock.ts";
import type { MockScript } from "../../protocol/config/application.ts";
import type { Operation } from "../../protocol/operation.ts";
import { createMockOperator } from "./mock_operator.ts";

const operation = (script: MockScript, over: Partial<Operation> = {}): Operation => ({
  ...operationOf(specOf({ mode: "mock", script }), { target: null, ...over }),
  kind: "mock",
});
const on = (name: string, over: Partial<Operation> = {}) => ({ target: { id: name, name }, ...over });

describe("the mock", () => {
  it("tells a short story and succeeds when its script is empty", async () => {
    const context = createContext();
    const outcome = await createMockOperator({ clock: createVirtualClock() }).run(operation({}), context);
    expect(outcome).toMatchObject({ status: "success", message: "order v1 is deployed to prod." });
    expect(context.text().split("\n").length).toBeGreaterThan(3);
  });
  it("lets durations pass on its clock, and no other time", async () => {
    const clock = createVirtualClock();
    const context = createContext();
    let ended = false;
    const run = createMockOperator({ clock })
      .run(operation({ steps: [{ log: ["one"], duration: "10m" }, { log: ["two"], duration: "1s" }] }), context)
      .finally(() => ended = true);
    await clock.advance(599_999);
    expect([context.text(), ended]).toEqual(["one\n", false]);
    await clock.advance(1001);
    expect((await run).status).toBe("success");
    expect([context.text(), clock.waiting]).toEqual(["one\ntwo\n", 0]);
  });
  it("fails at its step with its message, later steps unplayed", async () => {
    const context = createContext();
    const script = { steps: [{ log: ["one"] }, { name: "migrate", log: ["two"] }, { log: ["three"] }], failAtStep: 2 };
    const mock = createMockOperator({ clock: createVirtualClock() });
    expect(await mock.run(operation(script), context)).toMatchObject({
      status: "failed",
      message: "Step 2 (migrate) of order failed, as its script says.",
    });
    expect(context.text()).toBe("one\ntwo\n");
    expect(await mock.run(operation({ ...script, message: "The migration is stuck." }), createContext()))
      .toMatchObject({ message: "The migration is stuck." });
  });
  it("fails as many attempts as told, then succeeds", async () => {
    const mock = createMockOperator({ clock: createVirtualClock() });
    const run = async (attempt: number) =>
      (await mock.run(operation({ failAttempts: 2 }), createContext({ attempt }))).status;
    expect([await run(1), await run(2), await run(3)]).toEqual(["failed", "failed", "success"]);
  });
  it("goes on after the steps and lines that an interrupted attempt had done", async () => {
    const clock = createVirtualClock();
    const script = { steps: [{ log: ["one"], duration: "5s" }, { log: ["two"], duration: "5s" }] };
    const first = createContext();
    void createMockOperator({ clock }).run(operation(script), first);
    await clock.advance(7000);
    const next = first.again();
    const run = createMockOperator({ clock }).run(operation(script), next);
    await clock.advance(5000);
    expect((await run).status).toBe("success");
    expect([first.text(), next.text()]).toEqual(["one\ntwo\n", ""]);
  });
  it("shows what would run", async () => {
    const mock = createMockOperator({ clock: createVirtualClock() });
    await mock.run(operation({}), createContext());
    expect(await Array.fromAsync(mock.observe())).toMatchObject([{
      application: "order",
      version: "v1",
      health: "healthy",
    }]);
  });
  it("has each application on each of its targets", async () => {
    const mock = createMockOperator({ clock: createVirtualClock() });
    await mock.run(operation({}, on("m1")), createContext());
    await mock.run(operation({}, on("m2", { version: "v2", versionId: "v2" })), createContext());
    const seen = async () =>
      (await Array.fromAsync(mock.observe())).map(({ target, version }) => `${target} ${version}`);
    expect(await seen()).toEqual(["m1 v1", "m2 v2"]);
    await mock.run(operation({}, on("m1", { action: "remove", spec: null })), createContext());
    expect(await seen()).toEqual(["m2 v2"]);
  });
  it("fails at one target only, by what its script tells, or at its deploy when that tells nothing else", async () => {
    const mock = createMockOperator({ clock: createVirtualClock() });
    const run = async (script: MockScript, over: Partial<Operation>) =>
      (await mock.run(operation(script, over), createContext())).status;
    expect(await run({ failTarget: "m2" }, on("m1"))).toBe("success");
    expect(await run({ failTarget: "m2" }, on("m2"))).toBe("failed");
    const hooked = { failTarget: "m2", failHook: "preSwitch" as const };
    const hook = { action: "hook" as const, hook: { name: "preSwitch" as const, run: "ops/smoke.sh" } };
    expect(await run(hooked, on("m2"))).toBe("success");
    expect(await run(hooked, on("m1", hook))).toBe("success");
    expect(await run(hooked, on("m2", hook))).toBe("failed");
    expect(await run(hooked, on("m2", { ...hook, hook: { ...hook.hook, name: "preDeploy" } }))).toBe("success");
  });
  it("plays a release in parts: prepared beside, switched to, held, switched back, ended", async () => {
    const clock = createVirtualClock();
    const mock = createMockOperator({ clock });
    const versions = async () =>
      (await Array.fromAsync(mock.observe())).map(({ version, health }) => [version, health]);
    const act = async (action: Operation["action"], version: string, over: Partial<Operation> = {}) => {
      const script = { unhealthyAfter: "5s", steps: [{ log: ["one"] }] };
      const context = createContext();
      const outcome = await mock.run(operation(script, { action, version, versionId: version, ...over }), context);
      expect(outcome.status).toBe("success");
      return `${context.text()}${outcome.message}`;
    };
    await act("deploy", "v1");
    expect(await act("prepare", "v2")).toBe("one\norder v2 is prepared on prod and waits for its switch.");
    expect(await versions()).toEqual([["v1", "healthy"]]);
    expect(await act("switch", "v2", { hold: true })).toContain("v1 goes on running behind it.");
    expect(await versions()).toEqual([["v2", "healthy"]]);
    await clock.advance(5000); // counted from its own switch
    expect(await versions()).toEqual([["v2", "degraded"]]);
    expect(await act("finish", "v2")).toContain("order v1 ended on prod.");
    expect(await act("finish", "v2")).toContain("Nothing of order was held");
  });
  it("tells a hook that it is a rollback's, and measures a gate's script on its clock", async () => {
    const clock = createVirtualClock();
    const mock = createMockOperator({ clock });
    const hooked = createContext();
    const hook = { name: "onRollback" as const, run: "ops/undo.sh" };
    expect(await mock.run(operation({}, { action: "hook", hook, isRollback: true }), hooked)).toMatchObject({
      status: "success",
      message: "The onRollback hook of order v1, ops/undo.sh, has run.",
    });
    expect(hooked.text()).toContain("BOREAS_HOOK=onRollback BOREAS_IS_ROLLBACK=1");
    const gate = { run: "ops/gate.sh", everySeconds: 60, forSeconds: 300 };
    const context = createContext();
    const run = mock.run(operation({ failGate: 3 }, { action: "gate", gate }), context);
    await clock.advance(60_000);
    expect(context.text()).toBe("Measurement 1: good\nMeasurement 2: good\n");
    await clock.advance(60_000);
    expect(await run).toMatchObject({
      status: "failed",
      code: "gate.failed",
      message: "The gate of order v1, ops/gate.sh, failed at measurement 3: it failed, as its script says.",
      details: { measurements: [{ ok: true }, { ok: true }, { ok: false }] },
    });
    expect(clock.waiting).toBe(0);
  });
});
