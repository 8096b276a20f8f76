/** F54: a registry that takes connections and never answers. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createClock } from "../../host/clock.ts";
import { createDockerFixture, createDockerWorld } from "../helpers/docker_world.ts";
import type { DockerFixture, DockerWorld } from "../helpers/docker_world.ts";
import { createFakeMaster, dispatchOf, memoryDialer } from "../helpers/fake_master.ts";
import { component } from "../helpers/require_component.ts";
import { eventually } from "../helpers/start_product.ts";
import { createTestAgent } from "../helpers/test_agent.ts";
import { boundMs } from "./support/races.ts";

const engine = component("docker");
const registry = component("registry");
const CANCEL_SECONDS = 5;

describe.skipIf(!engine.available || !registry.available)(`containers${engine.reason}${registry.reason}`, () => {
  let world: DockerWorld;
  let pm: DockerFixture;
  let image: Awaited<ReturnType<DockerWorld["image"]>>;
  beforeAll(async () => {
    world = await createDockerWorld();
    image = await world.image("v1");
  });
  afterAll(() => world.close());
  beforeEach(async () => void (pm = await createDockerFixture(world)));
  afterEach(() => pm.close());

  /** A registry that takes connections and says nothing. */
  function silence() {
    const silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const open: Deno.Conn[] = [];
    (async () => {
      for await (const connection of silent) open.push(connection);
    })();
    return {
      ref: `127.0.0.1:${(silent.addr as Deno.NetAddr).port}/order`,
      end() {
        silent.close();
        for (const connection of open) connection.close();
      },
    };
  }
  /** The runtime of an agent with the real operator, told to deploy what cannot be pulled. */
  async function pullOf(ref: string, timeoutSeconds: number | null) {
    const clock = createClock();
    const master = createFakeMaster({ leaseSeconds: 1 });
    const { agent } = createTestAgent({ clock, dialer: memoryDialer(master), operators: [pm.createOperator()] });
    await agent.start();
    await master.until(() => master.ofType("agent.hello").length > 0);
    const operation = { ...pm.operationOf(pm.specOf({ ...image, ref })), kind: "pm", timeoutSeconds };
    master.send({ ...dispatchOf("t1", { leaseSeconds: 1 }), operation });
    await eventually(() => Promise.resolve(master.logText("t1").includes("Pulling")), "it pulls");
    const renewals = () => master.ofType("lease.renew").filter((m) => m.leases.some((l) => l.taskId === "t1")).length;
    return { master, renewals, stop: () => agent.stop({ drain: true }) };
  }

  it("F54: a pull that hangs is cancelled within seconds, and its lease is renewed until then", async () => {
    const silent = silence();
    const { master, renewals, stop } = await pullOf(silent.ref, null);
    const before = renewals();
    await eventually(() => Promise.resolve(renewals() >= before + 3), "the lease is renewed");
    expect(master.results).toEqual([]);
    const began = performance.now();
    master.send({ type: "task.cancel", taskId: "t1", fence: 1, graceSeconds: 1, reason: "Cancelled by ann." });
    await master.until(() => master.results.length > 0);
    expect(performance.now() - began).toBeLessThan(boundMs(CANCEL_SECONDS));
    expect(master.results[0]!.outcome).toMatchObject({ status: "cancelled" });
    await stop();
    silent.end();
  });

  it("F54: a pull that hangs ends with the time of its task", async () => {
    const silent = silence();
    const { master, stop } = await pullOf(silent.ref, 2);
    await master.until(() => master.results.length > 0);
    expect(master.results[0]!.outcome).toMatchObject({ status: "failed" });
    expect(master.results[0]!.outcome.message).toMatch(/2 s/);
    await stop();
    silent.end();
  });
});
