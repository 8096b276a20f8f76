import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { freePorts } from "../../../tests/helpers/free_ports.ts";
import { createPmFixture, operationOf, specOf } from "../../../tests/helpers/pm_fixture.ts";
import type { PmFixture } from "../../../tests/helpers/pm_fixture.ts";
import type { RenderedSpec } from "../../../protocol/operation.ts";

let pm: PmFixture;
beforeEach(async () => void (pm = await createPmFixture()));
afterEach(() => pm.close());

/** Programs and scripts write down what they do, in order. */
async function specFor(over: { drain?: string; undrain?: string; app?: string; ports?: Record<string, number> } = {}) {
  const note = (what: string) => `#!/bin/sh\necho "${what} $BOREAS_VERSION" >> ${pm.folder}/story\n`;
  const hook = (name: "drain" | "undrain") => ({ text: note(name) + (over[name] ?? `echo ${name}ed\n`), mode: 0o755 });
  const app = {
    text: `${note("start")}trap 'echo "stop $BOREAS_VERSION" >> ${pm.folder}/story; exit 0' TERM\n` +
      (over.app ?? "while :; do sleep 0.05; done"),
    mode: 0o755,
  };
  const bin = await pm.freeze({ app });
  return specOf(
    { mode: "binary", artifact: "bin", exec: ["./app"], ...(over.ports ? { ports: over.ports } : {}) },
    {
      artifacts: { bin },
      bundle: await pm.freeze({ "ops/drain.sh": hook("drain"), "ops/undrain.sh": hook("undrain") }),
      route: { mode: "hooks", drain: "ops/drain.sh", undrain: "ops/undrain.sh" },
    } satisfies Partial<RenderedSpec>,
  );
}
const story = async () => (await Deno.readTextFile(`${pm.folder}/story`)).trim().split("\n");
const v2 = { version: "v2", versionId: "v2" };

describe("scripts that tell an outside load balancer", () => {
  it("drain when the new release is healthy, before the old one stops, and undrain after", async () => {
    await pm.operator.run(operationOf(await specFor()), pm.context());
    expect(await story()).toEqual(["start v1", "undrain v1"]);
    const context = pm.context();
    expect((await pm.operator.run(operationOf(await specFor(), v2), context)).status).toBe("success");
    expect((await story()).slice(2)).toEqual(["start v2", "drain v2", "stop v1", "undrain v2"]);
    expect(context.text()).toContain("[boreas] Running ops/drain.sh to drain.\n[boreas] drain: drained\n");
    expect(context.text()).toContain("[boreas] undrain: undrained\n");
  });

  it("drain before the old release has to stop for a fixed port", async () => {
    const ports = { http: freePorts(1)[0]! };
    await pm.operator.run(operationOf(await specFor({ ports })), pm.context());
    expect((await pm.operator.run(operationOf(await specFor({ ports }), v2), pm.context())).status).toBe("success");
    expect((await story()).slice(2)).toEqual(["drain v2", "stop v1", "start v2", "undrain v2"]);
  });

  it("fail the deploy before anything was stopped when the drain fails, and take the drain back", async () => {
    const first = await pm.operator.run(operationOf(await specFor()), pm.context());
    const spec = await specFor({ drain: "echo no balancer; exit 3\n" });
    const outcome = await pm.operator.run(operationOf(spec, v2), pm.context());
    expect(outcome).toMatchObject({ status: "failed", code: "route.drain", details: { keptPrevious: true } });
    expect(outcome.message).toBe("ops/drain.sh of order ended with code 3. v1 keeps running.");
    expect((await story()).slice(2)).toEqual(["start v2", "drain v2", "stop v2", "undrain v2"]);
    const { pid } = first.details as { pid: number };
    expect(await Array.fromAsync(pm.operator.observe())).toMatchObject([{ version: "v1", details: { pid } }]);
  });

  it("give the old release its requests back when the new one does not come up", async () => {
    const ports = { http: freePorts(1)[0]! };
    await pm.operator.run(operationOf(await specFor({ ports })), pm.context());
    const outcome = await pm.operator.run(operationOf(await specFor({ ports, app: "exit 5" }), v2), pm.context());
    expect(outcome).toMatchObject({ status: "failed", code: "process.exited" });
    expect((await story()).slice(2)).toEqual(["drain v2", "stop v1", "start v2", "start v1", "undrain v2"]);
  });

  it("say that no requests may come when the undrain fails, though the new release runs", async () => {
    await pm.operator.run(operationOf(await specFor()), pm.context());
    const outcome = await pm.operator.run(operationOf(await specFor({ undrain: "exit 4\n" }), v2), pm.context());
    expect(outcome).toMatchObject({ status: "failed", code: "route.undrain", details: { version: "v2" } });
    expect(outcome.message).toBe(
      "order v2 runs on m1, but no requests may come to it: ops/undrain.sh of order ended with code 4.",
    );
  });
});
