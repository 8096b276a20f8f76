import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { docker } from "../../../tests/helpers/docker.ts";
import { startRegistry } from "../../../tests/helpers/docker_registry.ts";
import { createDockerFixture, createDockerWorld, LOGIN } from "../../../tests/helpers/docker_world.ts";
import type { DockerFixture, DockerWorld } from "../../../tests/helpers/docker_world.ts";
import { component } from "../../../tests/helpers/require_component.ts";
import { registrySecret } from "../../../domain/image_ref.ts";
import type { PinnedArtifact } from "../../../protocol/operation.ts";
import { StopReason } from "../../operator.ts";

const engine = component("docker");
const registry = component("registry");
let world: DockerWorld;
let pm: DockerFixture;
type Image = Extract<PinnedArtifact, { kind: "image" }>;
let v1: Image;
let v2: Image;

const stopOf = () => new StopReason("cancel", "Cancelled by ann.", 1);
async function until(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const end = performance.now() + 30_000;
  while (!await holds()) {
    if (performance.now() > end) throw new Error(`still not: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe.skipIf(!engine.available || !registry.available)(
  `a container's trouble${engine.reason}${registry.reason}`,
  () => {
    beforeAll(async () => {
      world = await createDockerWorld();
      [v1, v2] = [await world.image("v1"), await world.image("v2")];
    });
    afterAll(() => world.close());
    beforeEach(async () => void (pm = await createDockerFixture(world)));
    afterEach(() => pm.close());

    const deploy = (image: Image, version: string, over = {}, context = pm.context()) =>
      pm.operator.run(
        pm.operationOf(pm.specOf(image, { deadlineSeconds: 60, ...over }), { version, versionId: version }),
        context,
      );

    it("a digest that the registry does not have fails at once, and nothing that runs is touched", async () => {
      const first = await deploy(v1, "v1");
      const gone = { ...v1, digest: `sha256:${"0".repeat(64)}` };
      const outcome = await deploy(gone, "v2");
      expect(outcome).toMatchObject({ status: "failed", code: "image.missing", details: { version: "v1" } });
      expect(outcome.message).toContain(`has no ${v1.ref} with the digest sha256:000`);
      expect(await pm.ask(first)).toContain("VERSION=v1");
      expect(pm.told.length).toBe(1);
    });

    it("a registry that wants a login gets the environment's, which is nowhere to be read afterwards", async () => {
      const guarded = await startRegistry({ login: LOGIN, of: world.registry });
      try {
        const image = { ...v1, ref: `${guarded.host}/${world.tag}` };
        world.forget(`${image.ref}@${image.digest}`);
        const secret = registrySecret({ registry: guarded.host, repository: "x" });
        const none = await deploy(image, "v1");
        expect(none).toMatchObject({ status: "failed", code: "registry.denied" });
        expect(none.message).toContain(`Set ${secret} to user:password`);
        const wrong = pm.context({ secrets: { [secret]: "deployer:wrong-password" } });
        const refused = await deploy(image, "v1", {}, wrong);
        expect(refused).toMatchObject({ status: "failed", code: "registry.denied" });
        expect(refused.message).toContain(`did not take the login in the secret ${secret}`);
        const right = pm.context({ secrets: { [secret]: "deployer:right-password" } });
        const outcome = await deploy(image, "v1", {}, right);
        expect(outcome).toMatchObject({ status: "success" });
        for (const context of [wrong, right]) expect(context.text()).not.toContain("-password");
        const facts = await docker(["inspect", (await pm.container("a"))!.Id]);
        const files = new TextDecoder().decode(
          (await new Deno.Command("grep", { args: ["-r", "-e", "-password", pm.folder] }).output()).stdout,
        );
        expect(facts + files).not.toContain("-password");
      } finally {
        await guarded.stop();
      }
    });

    it("a registry that sends nothing is given up with a sentence, and may be tried again", async () => {
      const silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const open: Deno.Conn[] = [];
      (async () => {
        for await (const connection of silent) open.push(connection);
      })();
      const image = { ...v1, ref: `127.0.0.1:${(silent.addr as Deno.NetAddr).port}/order` };
      const operator = pm.createOperator({ pullStallMs: 1500 });
      const outcome = await operator.run(pm.operationOf(pm.specOf(image)), pm.context());
      expect(outcome).toMatchObject({ status: "failed", code: "registry.stalled", retryable: true });
      const context = pm.context();
      const cancelled = pm.operator.run(pm.operationOf(pm.specOf(image)), context);
      await until(() => context.text().includes("Pulling"), "pulling");
      context.controller.abort(stopOf());
      expect(await cancelled).toMatchObject({ status: "cancelled" });
      silent.close();
      for (const connection of open) connection.close();
    });

    it("a cancel while it is not healthy yet ends the new container and leaves the old one serving", async () => {
      const first = await deploy(v1, "v1");
      const context = pm.context();
      const running = deploy(v2, "v2", { env: { SICK: "1" } }, context);
      await until(() => context.text().includes("listening v2"), "started");
      context.controller.abort(stopOf());
      expect(await running).toMatchObject({ status: "cancelled", code: "task.cancelled" });
      expect(await pm.container("b")).toBeUndefined();
      expect(await pm.ask(first)).toContain("VERSION=v1");
      expect(pm.routes.get("80 *")).toEqual({
        host: "127.0.0.1",
        port: (first.details as { ports: { http: number } }).ports.http,
      });
    });

    it("is held still while its lease is in doubt, and goes on", async () => {
      const context = pm.context();
      const running = deploy(v1, "v1", { env: { SICK: "1" }, deadlineSeconds: 60 }, context);
      await until(() => context.text().includes("listening v1"), "started");
      await pm.operator.suspend!(context.taskId);
      expect((await pm.container("a"))!.State.Paused).toBe(true);
      await pm.operator.resume!(context.taskId);
      expect((await pm.container("a"))!.State.Status).toBe("running");
      await pm.operator.suspend!(context.taskId);
      context.controller.abort(stopOf());
      expect(await running).toMatchObject({ status: "cancelled" });
      expect(await pm.container("a")).toBeUndefined();
    });

    it("an agent that ended in the middle: the next one takes up the same container and its log without a gap", async () => {
      const context = pm.context();
      const first = deploy(v1, "v1", { minTimeSeconds: 600, deadlineSeconds: 900 }, context);
      await until(() => context.text().includes("listening v1"), "started");
      await pm.operator.suspend!(context.taskId); // as an agent does that loses its master, before it dies
      const before = (await pm.container("a"))!;
      const again = context.again();
      const record = JSON.parse(await Deno.readTextFile(`${pm.app()}/release.json`));
      expect(record.pending).toMatchObject({ taskId: context.taskId, slot: "a" });
      // The first agent is gone: it neither goes on nor undoes anything.
      const operation = pm.operationOf(pm.specOf(v1, { deadlineSeconds: 60, minTimeSeconds: 1 }));
      const outcome = await pm.createOperator().run(operation, again);
      expect(outcome).toMatchObject({ status: "success" });
      expect((await pm.container("a"))!.Id).toBe(before.Id);
      expect(again.text()).not.toContain("listening v1");
      context.controller.abort(new StopReason("lost", "gone", 0));
      await first;
    });

    it("ends what an attempt left that nobody takes up, and removes all when the application is removed", async () => {
      await deploy(v1, "v1");
      const context = pm.context();
      const lost = deploy(v2, "v2", { env: { SICK: "1" } }, context);
      await until(() => context.text().includes("listening v2"), "started");
      context.controller.abort(new StopReason("lost", "someone else's", 0));
      expect(await lost).toMatchObject({ status: "cancelled", code: "task.lost" });
      const removed = await pm.operator.run(pm.operationOf(null), pm.context());
      expect(removed).toMatchObject({ status: "success", message: "order v1 is stopped and removed from m1." });
      expect([await pm.container("a"), await pm.container("b")]).toEqual([undefined, undefined]);
      expect(await world.engine.findImage(`${v1.ref}@${v1.digest}`)).toBeUndefined();
      expect(pm.routes.size).toBe(0);
    });

    it("goes from a container to a program and back, and the slot of the other kind is stopped", async () => {
      const first = await deploy(v1, "v1");
      const bin = await pm.freeze({ "bin/app": { text: "#!/bin/sh\nexec sleep 1000\n", mode: 0o755 } });
      const binary = {
        ...pm.specOf(v1, { artifacts: { bin }, health: [], route: { mode: "none" } }),
        runtime: { mode: "binary" as const, artifact: "bin", exec: ["bin/app"] },
      };
      const second = await pm.operator.run(pm.operationOf(binary, { version: "v2", versionId: "v2" }), pm.context());
      expect(second).toMatchObject({ status: "success" });
      expect((await pm.container("a"))!.State.Status).toBe("exited");
      await expect(pm.ask(first)).rejects.toThrow();
      const back = await deploy(v1, "v1");
      expect(await pm.ask(back)).toContain("VERSION=v1");
      const bundle = await pm.freeze({ "deploy.sh": "exit 0\n" });
      const script = { ...binary, bundle, artifacts: {}, runtime: { mode: "script" as const, deploy: "deploy.sh" } };
      expect(await pm.operator.run(pm.operationOf(script, { version: "v3", versionId: "v3" }), pm.context()))
        .toMatchObject({ status: "success" });
      expect([await pm.container("a"), pm.routes.size]).toEqual([undefined, 0]);
      const { pid } = second.details as { pid: number };
      expect(() => Deno.kill(pid, "SIGCONT")).toThrow();
    });
  },
);
