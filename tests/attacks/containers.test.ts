/**
 * S55: what would make a container the machine's master. The grammar knows no such key, the wire carries none, and what
 * the grammar can say with `volumes` is refused by the machine itself, after every link, before anything is pulled.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { RenderedSpec } from "../../protocol/operation.ts";
import type { PinnedArtifact } from "../../protocol/operation.ts";
import { parseConfigFile } from "../../protocol/config_file.ts";
import { docker } from "../helpers/docker.ts";
import { createDockerFixture, createDockerWorld } from "../helpers/docker_world.ts";
import type { DockerFixture, DockerWorld } from "../helpers/docker_world.ts";
import { component } from "../helpers/require_component.ts";

const engine = component("docker");
const registry = component("registry");
let world: DockerWorld;
let pm: DockerFixture;
let image: Extract<PinnedArtifact, { kind: "image" }>;

const FORBIDDEN = {
  privileged: true,
  pid: "host",
  network: "host",
  net: "host",
  cap_add: ["SYS_ADMIN"],
  capAdd: ["SYS_ADMIN"],
  devices: ["/dev/sda"],
  HostConfig: { Privileged: true },
};

describe("S55: a container that would own the machine", () => {
  it.each(Object.entries(FORBIDDEN))("S55: boreas.yaml with %s is refused by name and line", (key, value) => {
    const text = `apiVersion: boreas/v1
kind: Application
name: order
artifacts: { image: { ref: reg.example.com/order, tag: v1 } }
runtime:
  docker:
    image: image
    ${key}: ${JSON.stringify(value)}
`;
    const { problems } = parseConfigFile("boreas.yaml", text);
    expect(problems.length).toBeGreaterThan(0);
    expect(JSON.stringify(problems)).toContain(key);
    expect(JSON.stringify(problems)).toMatch(/"line":8\b/);
  });
});

describe.skipIf(!engine.available || !registry.available)(
  `S55: on a machine with a container engine${engine.reason}${registry.reason}`,
  () => {
    beforeAll(async () => {
      world = await createDockerWorld();
      image = await world.image("v1");
    });
    afterAll(() => world.close());
    beforeEach(async () => void (pm = await createDockerFixture(world)));
    afterEach(() => pm.close());

    const isPulled = async () => await world.engine.findImage(`${image.ref}@${image.digest}`) !== undefined;

    it("S55: keys that a changed master slips into the wire are gone before anything is made of them", async () => {
      const plain = pm.specOf(image);
      const spec = RenderedSpec.parse({ ...plain, runtime: { ...plain.runtime, ...FORBIDDEN } });
      expect(await pm.operator.run(pm.operationOf(spec), pm.context())).toMatchObject({ status: "success" });
      const [facts] = JSON.parse(await docker(["inspect", (await pm.container("a"))!.Id]));
      expect(facts.HostConfig.Devices ?? []).toEqual([]);
      expect(facts.HostConfig).toMatchObject({
        Privileged: false,
        PidMode: "",
        CapAdd: null,
        NetworkMode: expect.stringMatching(/^(default|bridge)$/),
      });
      await pm.operator.run(pm.operationOf(null), pm.context());
    });

    it("S55: the engine's socket, the whole machine, devices and the system's folders are not mounted, also through links", async () => {
      const { folder } = pm;
      const socket = (Deno.env.get("DOCKER_HOST") ?? "unix:///var/run/docker.sock").slice("unix://".length);
      await Deno.symlink("/", `${folder}/all`);
      await Deno.symlink(socket, `${folder}/socket`);
      await Deno.symlink(`${folder}/all`, `${folder}/chain`);
      await Deno.mkdir(`${folder}/data`);
      await Deno.mkdir(`${folder}/apps`);
      const sources = [
        "/",
        "//",
        "/.",
        socket,
        "/run",
        "/var",
        "/proc",
        "/dev/null",
        "/dev",
        "/etc",
        "/sys/fs",
        "/root",
        `${folder}/all`,
        `${folder}/chain`,
        `${folder}/socket`,
        `${folder}/all/etc`,
        `${folder}/apps`,
      ];
      for (const source of sources) {
        const spec = pm.specOf(image, {}, { volumes: [`${source}:/x:ro`] });
        const outcome = await pm.operator.run(pm.operationOf(spec), pm.context());
        expect([source, outcome.status, outcome.code]).toEqual([source, "failed", "policy.path"]);
        expect(outcome.message).toContain(source);
        expect(outcome.message).toContain("/etc/boreas/agent.yaml");
      }
      for (const volume of [`${folder}/data:/x:shared`, `${folder}/data:x`, "../x:/x", `${folder}/../x:/x`, "a"]) {
        const outcome = await pm.operator.run(
          pm.operationOf(pm.specOf(image, {}, { volumes: [volume] })),
          pm.context(),
        );
        expect([volume, outcome.code]).toEqual([volume, "volume.form"]);
      }
      expect(await isPulled()).toBe(false);
      const fine = pm.specOf(image, {}, { volumes: [`${folder}/data:/x`] });
      expect(await pm.operator.run(pm.operationOf(fine), pm.context())).toMatchObject({ status: "success" });
      await pm.operator.run(pm.operationOf(null), pm.context());
    });

    it("S55: who keeps the machine may allow a path, and decides over registries and images before anything is pulled", async () => {
      const modes = ["docker"] as const;
      const context = pm.context();
      const run = (policy: object, volumes: string[] = [], mine = pm.context()) =>
        pm.createOperator({ policy: { modes, ...policy } })
          .run(pm.operationOf(pm.specOf(image, {}, { volumes })), mine);
      const elsewhere = await run({ registries: ["reg.example.com"] });
      expect(elsewhere).toMatchObject({ status: "failed", code: "policy.registry" });
      expect(elsewhere.message).toContain(
        `m1 takes no images from ${world.registry.host}: its policy allows reg.example.com. Who keeps the machine may add it under registries in /etc/boreas/agent.yaml.`,
      );
      expect(await run({ images: ["reg.example.com/**"] })).toMatchObject({ code: "policy.image" });
      expect(await run({ paths: ["/data"] }, ["/opt:/x"])).toMatchObject({ code: "policy.path" });
      expect(await run({ paths: ["/"] }, ["/:/x"])).toMatchObject({ code: "policy.path" });
      expect(
        await pm.createOperator({ policy: { modes: ["script"] } })
          .run(pm.operationOf(pm.specOf(image)), pm.context()),
      ).toMatchObject({ code: "mode.refused" });
      expect(await isPulled()).toBe(false);
      await Deno.mkdir(`${pm.folder}/data`);
      await Deno.symlink(`${pm.folder}/data`, `${pm.folder}/known`);
      const linked = { paths: [`${pm.folder}/known`] };
      expect(await run(linked, [`${pm.folder}/data:/x`])).toMatchObject({ status: "success" });
      const allowed = {
        registries: [world.registry.host],
        images: [`${world.registry.host}/*`],
        paths: ["/etc/hostname"],
      };
      expect(await run(allowed, ["/etc/hostname:/x:ro"], context)).toMatchObject({ status: "success" });
      const note =
        "/etc/hostname is mounted into the container: the policy of m1 allows it, though /etc is the system's own.";
      expect(context.text()).toContain(note);
      expect(pm.logs).toContainEqual(expect.objectContaining({ level: "WARN", message: note }));
    });
  },
);
