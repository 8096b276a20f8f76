import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { docker } from "../../../tests/helpers/docker.ts";
import { createDockerFixture, createDockerWorld } from "../../../tests/helpers/docker_world.ts";
import type { DockerFixture, DockerWorld } from "../../../tests/helpers/docker_world.ts";
import { lastLines } from "../../../tests/helpers/pm_fixture.ts";
import { component } from "../../../tests/helpers/require_component.ts";
import type { PinnedArtifact } from "../../../protocol/operation.ts";

const engine = component("docker");
const registry = component("registry");
let world: DockerWorld;
let pm: DockerFixture;
let v1: PinnedArtifact;
let v2: PinnedArtifact;

describe.skipIf(!engine.available || !registry.available)(
  `applications in containers${engine.reason}${registry.reason}`,
  () => {
    beforeAll(async () => {
      world = await createDockerWorld();
      [v1, v2] = [await world.image("v1"), await world.image("v2")];
    });
    afterAll(() => world.close());
    beforeEach(async () => void (pm = await createDockerFixture(world)));
    afterEach(() => pm.close());

    it("pulls by digest, tells the program what it is, and keeps its output in the task's log", async () => {
      const bundle = await pm.freeze({ "conf/app.toml": "colour = 7\n" });
      const spec = pm.specOf(v1, {
        env: { LEVEL: "info", SELF: "http://${env.LEVEL}:${port.http}" },
        secrets: ["TOKEN"],
        bundle,
        files: [{ from: "conf/app.toml", to: "app.toml" }],
      });
      const context = pm.context({ secrets: { TOKEN: "s3cret" } });
      const outcome = await pm.operator.run(pm.operationOf(spec), context);
      expect(outcome).toMatchObject({ status: "success", details: { version: "v1", keptPrevious: false } });
      const env = await pm.ask(outcome);
      for (
        const line of [
          `BOREAS_TASK_ID=${context.taskId}`,
          "BOREAS_FENCE=1",
          "BOREAS_NODE=m1",
          `BOREAS_ENVIRONMENT=${pm.environment}`,
          "BOREAS_RELEASE_DIR=/boreas/release",
          "PORT=8080",
          "TOKEN=s3cret",
          "SELF=http://info:8080",
        ]
      ) expect(env.split("\n")).toContain(line);
      const { http } = (outcome.details as { ports: { http: number } }).ports;
      expect(pm.told).toEqual([`switch 80 to ${http}`]);
      expect(context.text()).toMatch(/Pulling 127\.0\.0\.1:\d+\/\S+ \(sha256:[0-9a-f]{12}\)\./);
      expect(context.text()).toMatch(/listening v1\n/);
      const facts = (await pm.container("a"))!;
      expect(facts.Config.Image).toContain("@sha256:");
      expect(facts.HostConfig.PortBindings).toEqual({ "8080/tcp": [{ HostIp: "127.0.0.1", HostPort: String(http) }] });
      expect(facts.Mounts).toMatchObject([{ Destination: "/boreas/release", RW: false }]);
      expect(await docker(["exec", facts.Id, "cat", "/boreas/release/app.toml"])).toBe("colour = 7\n");
      expect(await lastLines(pm.operator, "order", 5)).toEqual(["listening v1"]);
    });

    it("deployed once more as it runs, it gets its requests back, whose loss was reported", async () => {
      const operation = pm.operationOf(pm.specOf(v1, { deadlineSeconds: 60 }), { version: "v1", versionId: "v1" });
      await pm.operator.run(operation, pm.context());
      const before = [...pm.routes];
      const differences = async () => (await Array.fromAsync(pm.operator.observe()))[0]!.differences;
      expect(await differences()).toEqual([]);
      const [[listen, { host, port }]] = before as [[string, { host: string; port: number }]];
      const route = { path: "route", expected: `${host}:${port}` };
      pm.routes.set(listen, { host, port: port + 1 });
      expect(await differences()).toEqual([{ ...route, actual: `${host}:${port + 1}` }]);
      pm.routes.clear();
      expect(await differences()).toEqual([{ ...route, actual: "nowhere" }]);
      const again = await pm.operator.run({ ...operation, generation: operation.generation + 1 }, pm.context());
      expect(again).toMatchObject({ status: "success", message: expect.stringContaining("runs already") });
      expect([...pm.routes]).toEqual(before);
      expect(await differences()).toEqual([]);
      expect(before).toHaveLength(1);
    });

    it("v1, v2, a broken v3 that leaves v2 serving, and back to v1", async () => {
      const deploy = (image: PinnedArtifact, version: string, env = {}) =>
        pm.operator.run(
          pm.operationOf(pm.specOf(image, { env, deadlineSeconds: 60 }), { version, versionId: version }),
          pm.context(),
        );
      const first = await deploy(v1, "v1");
      const second = await deploy(v2, "v2");
      expect(await pm.ask(second)).toContain("VERSION=v2");
      expect((await pm.container("a"))!.State.Status).toBe("exited");
      const third = await deploy(v1, "v3", { DIES: "1" });
      expect(third).toMatchObject({
        status: "failed",
        code: "process.exited",
        lastLines: expect.arrayContaining(["listening v1", "cannot go on"]),
        details: { version: "v2", keptPrevious: true },
      });
      expect(third.message).toBe(
        "order v3 did not come up: it ended (with code 7) before it was healthy. v2 keeps running.",
      );
      expect(await pm.container("a")).toBeUndefined();
      expect(await pm.ask(second)).toContain("VERSION=v2");
      const back = await deploy(v1, "v1");
      expect(await pm.ask(back)).toContain("VERSION=v1");
      const at = (outcome: { details?: unknown }) => (outcome.details as { ports: { http: number } }).ports.http;
      expect(pm.told).toEqual([
        `switch 80 to ${at(first)}`,
        `switch 80 to ${at(second)}`,
        `drain ${at(first)}`,
        `switch 80 to ${at(second)}`, // v3 goes, in whose slot v1 was
        `drain ${at(first)}`,
        `switch 80 to ${at(back)}`,
        `drain ${at(second)}`,
      ]);
    });
  },
);
