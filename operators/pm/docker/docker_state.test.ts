import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { docker } from "../../../tests/helpers/docker.ts";
import { createDockerFixture, createDockerWorld } from "../../../tests/helpers/docker_world.ts";
import type { DockerFixture, DockerWorld } from "../../../tests/helpers/docker_world.ts";
import { freePorts } from "../../../tests/helpers/free_ports.ts";
import { component } from "../../../tests/helpers/require_component.ts";
import type { PinnedArtifact } from "../../../protocol/operation.ts";
import type { Observed } from "../../operator.ts";

const engine = component("docker");
const registry = component("registry");
let world: DockerWorld;
let pm: DockerFixture;
type Image = Extract<PinnedArtifact, { kind: "image" }>;
let images: Image[];

describe.skipIf(!engine.available || !registry.available)(
  `a container that runs${engine.reason}${registry.reason}`,
  () => {
    beforeAll(async () => {
      world = await createDockerWorld();
      images = [];
      for (const version of ["v1", "v2", "v3"]) images.push(await world.image(version));
    });
    afterAll(() => world.close());
    beforeEach(async () => void (pm = await createDockerFixture(world)));
    afterEach(() => pm.close());

    const deploy = (n: number, over = {}, runtime = {}) =>
      pm.operator.run(
        pm.operationOf(pm.specOf(images[n - 1]!, { deadlineSeconds: 60, ...over }, runtime), {
          version: `v${n}`,
          versionId: `v${n}`,
        }),
        pm.context(),
      );
    const observe = async (): Promise<Observed> => (await Array.fromAsync(pm.operator.observe()))[0]!;

    it("with fixed ports: the old one stops first, and is started again when the new one does not come up", async () => {
      const [port] = freePorts(1);
      // A port of the machine that is free, so the program inside is asked by a check of its own.
      const health = [{ exec: ["cat", "/tmp/www/env"], every: "100ms" }];
      const over = { route: { mode: "none" }, health };
      const tcp = { ports: { http: port! } };
      const first = await deploy(1, over, tcp);
      expect(first).toMatchObject({ status: "success", details: { ports: { http: port } } });
      const second = await deploy(2, { ...over, env: { DIES: "1" } }, tcp);
      expect(second).toMatchObject({ status: "failed", code: "process.exited", details: { version: "v1" } });
      expect(second.message).toContain("v1 is started again.");
      expect((await pm.container("a"))!.State.Running).toBe(true);
      const third = await deploy(3, over, tcp);
      expect(third).toMatchObject({ status: "success" });
      expect((await pm.container("a"))!.State.Running).toBe(false);
      expect((await pm.container("b"))!.HostConfig.PortBindings).toEqual({
        [`${port}/tcp`]: [{ HostIp: "", HostPort: String(port) }],
      });
    });

    it("has limits, a restart policy once it is trusted, a capped log, volumes, and a check inside it", async () => {
      const data = await Deno.makeTempDir({ prefix: "boreas-volume-" });
      const context = pm.context();
      const spec = pm.specOf(images[0]!, { health: [{ exec: ["cat", "/data/there"], every: "100ms" }] }, {
        volumes: [`${data}:/data`, `${data}:/look:ro`, "cache:/cache"],
        resources: { memory: "64m", cpu: 0.5 },
        restart: { policy: "on-failure", max: "3/10m" },
        stop: { signal: "TERM", grace: "5s" },
      });
      const running = pm.operator.run(pm.operationOf(spec), context);
      await Deno.writeTextFile(`${data}/there`, "yes");
      expect(await running).toMatchObject({ status: "success" });
      const [facts] = JSON.parse(await docker(["inspect", (await pm.container("a"))!.Id]));
      expect(facts.HostConfig).toMatchObject({
        Memory: 64 * 1024 * 1024,
        NanoCpus: 5e8,
        RestartPolicy: { Name: "on-failure", MaximumRetryCount: 3 },
        LogConfig: { Type: "json-file", Config: { "max-size": "10m", "max-file": "3" } },
        Privileged: false,
      });
      expect(facts.Config).toMatchObject({ StopSignal: "SIGTERM", StopTimeout: 5 });
      const volume = `boreas-${pm.environment}-order-cache`;
      expect(facts.Mounts.map((mount: { Name?: string; RW: boolean }) => [mount.Name, mount.RW])).toEqual(
        expect.arrayContaining([[undefined, true], [undefined, false], [volume, true]]),
      );
      await pm.operator.run(pm.operationOf(null), pm.context());
      await docker(["volume", "rm", volume]);
      await Deno.remove(data, { recursive: true });
    });

    it("is seen with state, age and restarts, and with what differs from what was deployed", async () => {
      await deploy(1, { env: { LEVEL: "info" }, secrets: [] });
      const name = `boreas-${pm.environment}-order-a`;
      expect(await observe()).toMatchObject({
        application: "order",
        version: "v1",
        health: "healthy",
        differences: [],
        resources: [{ kind: "container", name, state: "running", restarts: 0 }],
      });
      expect(Date.parse((await observe()).resources[0]!.startedAt!)).toBeGreaterThan(Date.parse("2020-01-01"));
      await docker(["pause", name]);
      expect(await observe()).toMatchObject({
        health: "degraded",
        differences: [{ path: "state", expected: "running", actual: "paused" }],
      });
      await docker(["unpause", name]);
      await docker(["stop", "--time", "5", name]);
      expect((await observe()).health).toBe("missing");
      await docker(["rm", name]);
      expect(await observe()).toMatchObject({
        health: "missing",
        differences: [{ path: "container", expected: name, actual: "none" }],
      });
      const { ref, digest } = images[1]!;
      await docker(["pull", "--quiet", `${ref}@${digest}`]);
      await docker([
        "run",
        "--detach",
        "--name",
        name,
        "--cap-add",
        "NET_ADMIN",
        "--env",
        "LEVEL=debug",
        `${ref}@${digest}`,
      ]);
      const paths = (await observe()).differences!.map(({ path }) => path);
      expect(paths).toEqual(["image", "env", "ports", "privileges"]);
      expect(await deploy(1, { env: { LEVEL: "info" } })).toMatchObject({ status: "success" });
      expect((await docker(["inspect", "--format", "{{.Config.Image}}", name])).trim()).toBe(`${ref}@${digest}`);
      await docker(["rm", "--force", name]);
      expect((await observe()).differences).toEqual([]);
    });

    it("deployed again as it is changes nothing; an older deployment is refused", async () => {
      const older = pm.operationOf(pm.specOf(images[1]!), { version: "v2", versionId: "v2" });
      await deploy(1);
      const { Id } = (await pm.container("a"))!;
      const again = await deploy(1);
      expect(again.message).toBe("order v1 runs already and is healthy on m1.");
      expect((await pm.container("a"))!.Id).toBe(Id);
      expect(await pm.operator.run(older, pm.context())).toMatchObject({ status: "failed", code: "generation.older" });
      expect((await pm.container("a"))!.Id).toBe(Id);
    });

    it("images of releases that are not kept go, and those of the two last stay", async () => {
      const has = async () =>
        await Promise.all(images.map(async ({ ref, digest }) => !!await world.engine.findImage(`${ref}@${digest}`)));
      for (const n of [1, 2, 3]) expect(await deploy(n, { keepReleases: 2 })).toMatchObject({ status: "success" });
      expect(await has()).toEqual([false, true, true]);
      expect(await deploy(2, { keepReleases: 2 })).toMatchObject({ status: "success" });
      expect(await has()).toEqual([false, true, true]);
    });

    it("without an engine nothing is touched, and the sentence says what to do", async () => {
      const away = {
        engine: (await import("../../../host/docker_engine.ts")).createDockerEngine("unix:///nowhere.sock"),
      };
      const outcome = await pm.createOperator(away).run(pm.operationOf(pm.specOf(images[0]!)), pm.context());
      expect(outcome).toMatchObject({ status: "failed", code: "engine.away", retryable: true });
      expect(outcome.message).toContain("The container engine of m1 does not answer (there is no /nowhere.sock)");
    });
  },
);
