import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createDockerFixture, createDockerWorld } from "../../../tests/helpers/docker_world.ts";
import type { DockerFixture, DockerWorld } from "../../../tests/helpers/docker_world.ts";
import { freePorts } from "../../../tests/helpers/free_ports.ts";
import { startAgentProcess } from "../../../tests/helpers/pm_agent_process.ts";
import { startLoad } from "../../../tests/helpers/request_load.ts";
import { component } from "../../../tests/helpers/require_component.ts";
import { createTestProxy } from "../../../tests/helpers/test_proxy.ts";
import type { TestProxy } from "../../../tests/helpers/test_proxy.ts";
import type { PinnedArtifact } from "../../../protocol/operation.ts";
import { createMachineRouter } from "../route/machine_router.ts";

const engine = component("docker");
const registry = component("registry");
let world: DockerWorld;
let pm: DockerFixture;
let proxy: TestProxy;
let images: PinnedArtifact[];
let listen: number;

describe.skipIf(!engine.available || !registry.available)(
  `a request every 5 ms while a container changes its version${engine.reason}${registry.reason}`,
  () => {
    beforeAll(async () => {
      world = await createDockerWorld();
      images = [await world.image("v1"), await world.image("v2")];
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

    const addressOf = (image: PinnedArtifact) => image.kind === "image" ? `${image.ref}@${image.digest}` : "";
    const operatorOf = () => pm.createOperator({ router: createMachineRouter(proxy.createClient()) });
    const operationOf = (version: "v1" | "v2", over = {}) => {
      const route = { mode: "proxy" as const, listen, port: "http", host: null, drainSeconds: 30 };
      const spec = pm.specOf(images[Number(version[1]) - 1]!, { route, deadlineSeconds: 60 });
      return pm.operationOf(spec, { version, versionId: version, ...over });
    };
    const ask = async () => await (await fetch(`http://127.0.0.1:${listen}/`)).text();

    it("loses none from v1 to v2 and back", async () => {
      const operator = operatorOf();
      await operator.run(operationOf("v1"), pm.context());
      const load = startLoad(listen, undefined, ["GET"]);
      await load.reach(50);
      expect(await operator.run(operationOf("v2"), pm.context())).toMatchObject({ status: "success" });
      await load.reach(50);
      expect(await ask()).toBe("v2");
      const back = operationOf("v1", { isRollback: true });
      expect(await operator.run(back, pm.context())).toMatchObject({ status: "success", details: { version: "v1" } });
      await load.reach(50);
      const { answers, failed } = await load.end();
      expect(failed).toEqual([]);
      expect([...answers.keys()].sort()).toEqual(["v1", "v2"]);
    });

    const POINTS = [
      ["while the image is pulled", { killAt: "Pulling" }],
      ["right after requests went to v2, before the record says so", { killAt: "leads to v2 now" }],
      ["when the record says v2, before v1 has finished", { killAtRecord: "v2" }],
    ] as const;
    it.each(POINTS)("loses none when the agent is killed %s, and the next one goes on", async (_point, kill) => {
      const first = operatorOf();
      await first.run(operationOf("v1"), pm.context());
      await first.stop!();
      const load = startLoad(listen, undefined, ["GET"]);
      await load.reach(20);
      await world.engine.removeImage(addressOf(images[1]!));
      const operation = operationOf("v2");
      const context = pm.context();
      const agent = await startAgentProcess(pm, operation, {
        ...kill,
        taskId: context.taskId,
        stateDir: proxy.stateDir,
      });
      await agent.ended;
      expect(await agent.read("outcome")).toBeUndefined(); // so it was killed on its way
      await load.reach(20);
      const [, logPosition] = await agent.read("log") as [string, number];
      const saved = await agent.read("saved");
      const next = pm.context({ taskId: context.taskId, resumed: true, logPosition, saved });
      const started = (await pm.container("b"))?.Id;
      const operator = operatorOf();
      await operator.start!();
      expect(await operator.run(operation, next)).toMatchObject({ status: "success", details: { version: "v2" } });
      if (started) expect((await pm.container("b"))!.Id).toBe(started);
      await load.reach(20);
      expect(await ask()).toBe("v2");
      const { failed } = await load.end();
      expect(failed).toEqual([]);
      expect((await pm.container("a"))!.State.Running).toBe(false);
    });
  },
);
