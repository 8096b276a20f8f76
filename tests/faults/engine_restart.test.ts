/**
 * F53: the container engine ends and comes back in the middle of a deploy. The container is found again by what it is,
 * not by a connection: it goes on, or its own exit code is the answer.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createDockerEngine } from "../../host/docker_engine.ts";
import { run } from "../helpers/docker.ts";
import { createDockerFixture, createDockerWorld } from "../helpers/docker_world.ts";
import type { DockerFixture, DockerWorld } from "../helpers/docker_world.ts";
import { component, findProgram } from "../helpers/require_component.ts";
import { eventually } from "../helpers/start_product.ts";
import type { PinnedArtifact } from "../../protocol/operation.ts";

const needs = [component("docker"), component("registry"), component("netns")];
const lacking = needs.find((one) => !one.available)?.reason ??
  (findProgram("dockerd") ? "" : " [needs dockerd]");

/** An engine of the test's own, that can be ended: its containers live on, as `live-restore` has it. */
async function startEngine() {
  const folder = await Deno.makeTempDir({ prefix: "boreas-engine-" });
  const address = `unix://${folder}/engine.sock`;
  const engine = createDockerEngine(address);
  // A bridge of its own: one without any would take away `docker0`, which is another engine's.
  const bridge = `bor${crypto.randomUUID().slice(0, 8)}`;
  await run("ip", ["link", "add", bridge, "type", "bridge"]);
  await run("ip", ["addr", "add", "10.214.0.1/24", "dev", bridge]);
  await run("ip", ["link", "set", bridge, "up"]);
  const flags = ["--live-restore", `--bridge=${bridge}`, "--iptables=false", "--ip-masq=false", "--log-level=error"];
  const place = [`--data-root=${folder}/data`, `--exec-root=${folder}/exec`, `--pidfile=${folder}/pid`];
  let child: Deno.ChildProcess;
  const begin = async () => {
    child = new Deno.Command("dockerd", {
      args: [...flags, ...place, `--host=${address}`],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    await eventually(() => engine.version().catch(() => undefined), "the engine");
  };
  const end = async () => {
    child.kill("SIGTERM");
    await child.status;
  };
  await begin();
  return {
    engine,
    begin,
    end,
    docker: (args: string[]) => run("docker", ["--host", address, ...args]),
    async close() {
      await end();
      await run("ip", ["link", "del", bridge]);
      await run("sh", [
        "-c",
        'umount "$1"/data/overlay2/*/merged "$1"/data 2>/dev/null; rm -rf "$1"',
        "sh",
        folder,
      ]);
    },
  };
}

const isThere = (path: string) => Deno.stat(path).then(() => true, () => false);

describe.skipIf(lacking !== "")(`F53: an engine that restarts in the middle of a deploy${lacking}`, () => {
  let own: Awaited<ReturnType<typeof startEngine>>;
  let world: DockerWorld;
  let image: PinnedArtifact;
  let pm: DockerFixture;

  beforeAll(async () => {
    [own, world] = await Promise.all([startEngine(), createDockerWorld()]);
    image = await world.image("v1");
    pm = await createDockerFixture(world);
  }, 120_000);
  afterAll(async () => {
    await pm?.close();
    if (!own) return;
    const names = (await own.docker(["ps", "-aq"])).split("\n").filter(Boolean);
    if (names.length > 0) await own.docker(["rm", "--force", ...names]);
    await Promise.all([own.close(), world.close()]);
  }, 120_000);

  const deploy = (command: string[], minTimeSeconds: number) => {
    const over = { route: { mode: "none" as const }, health: [], minTimeSeconds, deadlineSeconds: 120 };
    const context = pm.context();
    const operation = pm.operationOf(pm.specOf(image, over, { ports: {}, command }));
    const name = `boreas-${pm.environment}-order-`;
    const outcome = pm.createOperator({ engine: own.engine }).run(operation, context);
    return { context, outcome, name };
  };

  it("F53: a container that lived through it becomes the release", async () => {
    const { context, outcome, name } = deploy(["/server"], 3);
    await eventually(async () => context.text().includes("listening v1"), "its output");
    const before = (await own.engine.findContainer(`${name}a`))!;
    await own.end();
    await own.begin();
    expect(await outcome).toMatchObject({ status: "success" });
    const after = (await own.engine.findContainer(`${name}a`))!;
    expect([after.Id, after.State.Pid]).toEqual([before.Id, before.State.Pid]);
  });

  it("F53: of one that ended meanwhile its own exit code is told", async () => {
    const { context, outcome, name } = deploy(["/bin/sh", "-c", "echo begun; sleep 3; exit 7"], 60);
    await eventually(async () => context.text().includes("begun"), "its output");
    const slots = await Promise.all(["a", "b"].map((slot) => own.engine.findContainer(name + slot)));
    const pid = slots.find((slot) => slot?.Config.Cmd?.at(-1)?.includes("begun"))!.State.Pid;
    await own.end();
    await eventually(async () => !await isThere(`/proc/${pid}`), "its end");
    await own.begin();
    expect(await outcome).toMatchObject({ status: "failed", code: "process.exited" });
    expect((await outcome).message).toContain("it ended (with code 7)");
  });
});
