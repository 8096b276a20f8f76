import { describe, expect, it } from "vitest";
import { createContext, operationOf, specOf } from "../../tests/helpers/pm_fixture.ts";
import { createVirtualClock } from "../../tests/helpers/virtual_clock.ts";
import type { MockScript } from "../../protocol/config/application.ts";
import { createMockOperator } from "./mock_operator.ts";

const operation = (script: MockScript) => ({ ...operationOf(specOf({ mode: "mock", script })), kind: "mock" });

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
});
