import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { docker } from "../../../tests/helpers/docker.ts";
import { createDockerFixture, createDockerWorld } from "../../../tests/helpers/docker_world.ts";
import type { DockerFixture, DockerWorld } from "../../../tests/helpers/docker_world.ts";
import { freePorts } from "../../../tests/helpers/free_ports.ts";
import { startAgentProcess } from "../../../tests/helpers/pm_agent_process.ts";
import { startLoad } from "../../../tests/helpers/request_load.ts";
import { component } from "../../../tests/helpers/require_component.ts";
import { createTestProxy } from "../../../tests/helpers/test_proxy.ts";
import type { TestProxy } from "../../../tests/helpers/test_proxy.ts";
import type { Operation, PinnedArtifact, RenderedSpec } from "../../../protocol/operation.ts";
import type { Operator } from "../../operator.ts";
import { createMachineRouter } from "../route/machine_router.ts";

const engine = component("docker");
const registry = component("registry");
let world: DockerWorld;
let pm: DockerFixture;
let proxy: TestProxy;
let images: Record<string, PinnedArtifact>;
let listen: number;

describe.skipIf(!engine.available || !registry.available)(
  `a release in parts, in containers${engine.reason}${registry.reason}`,
  () => {
    beforeAll(async () => {
      world = await createDockerWorld();
      images = { v1: await world.image("v1"), v2: await world.image("v2") };
    });
    afterAll(() => world.close());
    beforeEach(async () => {
      pm = await createDockerFixture(world);
      proxy = await createTestProxy();
      [listen] = freePorts(1) as [number];
    });
    afterEach(async () => {
      await pm.close();
      await proxy.close();
    });

    const operatorOf = () => pm.createOperator({ router: createMachineRouter(proxy.createClient()) });
    const wholeOf = (version: "v1" | "v2", over: Partial<RenderedSpec> = {}, more: Partial<Operation> = {}) => {
      const route = { mode: "proxy" as const, listen, port: "http", host: null, drainSeconds: 30 };
      const spec = pm.specOf(images[version]!, { route, deadlineSeconds: 60, ...over });
      return pm.operationOf(spec, { version, versionId: version, ...more });
    };
    /** The parts of one deployment. */
    function partsOf(version: "v1" | "v2") {
      const whole = wholeOf(version);
      return (action: Operation["action"], more: Partial<Operation> = {}): Operation => ({ ...whole, action, ...more });
    }
    const ask = async () => await (await fetch(`http://127.0.0.1:${listen}/`)).text();
    async function succeed(operator: Operator, operation: Operation) {
      const context = pm.context();
      const outcome = await operator.run(operation, context);
      expect(outcome).toMatchObject({ status: "success" });
      return { outcome, context };
    }
    const policyOf = async (slot: "a" | "b") =>
      await docker(["inspect", "-f", "{{.HostConfig.RestartPolicy.Name}}", (await pm.container(slot))!.Id]);

    it("loses no request through prepare, switch with hold, the way back, and the same again until its finish", async () => {
      const operator = operatorOf();
      await succeed(operator, wholeOf("v1"));
      const old = (await pm.container("a"))!.Id;
      const load = startLoad(listen, undefined, ["GET"]);
      await load.reach(20);
      const release = partsOf("v2");
      await succeed(operator, release("prepare"));
      await load.reach(20);
      expect([await ask(), (await policyOf("b")).trim()]).toEqual(["v1", "no"]);
      const switched = await succeed(operator, release("switch", { hold: true }));
      expect(switched.outcome).toMatchObject({ details: { beside: { role: "held", version: "v1" } } });
      await load.reach(20);
      expect([await ask(), (await policyOf("b")).trim()]).toEqual(["v2", "unless-stopped"]);
      expect(await Array.fromAsync(operator.observe())).toMatchObject([{
        ...{ version: "v2", health: "healthy", differences: [], details: { beside: { role: "held" } } },
        resources: [{ state: "running" }, { state: "running (held)", details: { version: "v1" } }],
      }]);

      const back = await succeed(operator, wholeOf("v1", {}, { isRollback: true }));
      expect(back.context.text()).not.toContain("Started");
      await load.reach(20);
      expect([await ask(), (await pm.container("a"))!.Id]).toEqual(["v1", old]);
      expect((await pm.container("b"))!.State.Running).toBe(false);

      const again = partsOf("v2");
      await succeed(operator, again("prepare"));
      await succeed(operator, again("switch", { hold: true }));
      await load.reach(20);
      await succeed(operator, again("finish"));
      await load.reach(20);
      expect([await ask(), (await pm.container("a"))!.State.Running]).toEqual(["v2", false]);
      expect((await load.end()).failed).toEqual([]);
    });

    it(
      "loses none when the agent is killed in a switch behind its record, and the next one goes on",
      async () => {
        const first = operatorOf();
        await succeed(first, wholeOf("v1"));
        const release = partsOf("v2");
        await succeed(first, release("prepare"));
        await first.stop!();
        const load = startLoad(listen, undefined, ["GET"]);
        await load.reach(20);
        const operation = release("switch", { hold: true });
        const { taskId } = pm.context();
        const agent = await startAgentProcess(pm, operation, { killAtRecord: "v2", taskId, stateDir: proxy.stateDir });
        await agent.ended;
        expect(await agent.read("outcome")).toBeUndefined(); // so it was killed on its way
        const [, logPosition] = await agent.read("log") as [string, number];
        const next = pm.context({ taskId, resumed: true, logPosition, saved: await agent.read("saved") });
        const operator = operatorOf();
        await operator.start!();
        expect(await operator.run(operation, next)).toMatchObject({ status: "success" });
        await load.reach(20);
        expect([await ask(), (await pm.container("a"))!.State.Running]).toEqual(["v2", true]);
        expect((await load.end()).failed).toEqual([]);
      },
    );

    it("fails its switch when the container has died or was changed, and v1 keeps serving", async () => {
      const operator = operatorOf();
      await succeed(operator, wholeOf("v1"));
      const release = partsOf("v2");
      await succeed(operator, release("prepare"));
      await docker(["kill", "-s", "TERM", (await pm.container("b"))!.Id]);
      await expect.poll(async () => (await pm.container("b"))!.State.Running).toBe(false);
      expect(await operator.run(release("switch"), pm.context())).toMatchObject({
        status: "failed",
        code: "switch.gone",
        message: "order v2 cannot take requests on m1: its container has ended with code 0. v1 keeps serving.",
        lastLines: ["listening v2", "asked to stop"],
      });
      const again = partsOf("v2");
      await succeed(operator, again("prepare"));
      await docker(["update", "--memory", "64m", "--memory-swap", "64m", (await pm.container("b"))!.Id]);
      expect((await operator.run(again("switch"), pm.context())).message)
        .toBe("order v2 cannot take requests on m1: its container was changed (resources). v1 keeps serving.");
      expect(await ask()).toBe("v1");
    });

    it("is refused with what to write where the old container holds the port itself", async () => {
      const operator = operatorOf();
      const [port] = freePorts(1) as [number];
      const fixed = (version: "v1" | "v2") => {
        const operation = wholeOf(version, { route: { mode: "none" }, health: [] });
        const runtime = { ...operation.spec!.runtime, ports: { http: port } } as RenderedSpec["runtime"];
        return { ...operation, spec: { ...operation.spec!, runtime } };
      };
      await succeed(operator, fixed("v1"));
      const outcome = await operator.run({ ...fixed("v2"), action: "prepare" }, pm.context());
      expect(outcome).toMatchObject({ status: "failed", code: "prepare.port", details: { version: "v1" } });
      expect(outcome.message).toContain(`which holds port ${port}`);
      expect(await pm.container("b")).toBeUndefined();
    });
  },
);
