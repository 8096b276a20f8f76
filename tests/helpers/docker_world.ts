/** Images of a small server in a registry of the test's own, and the pm operator on the machine's real engine. */
import { createDockerEngine } from "../../host/docker_engine.ts";
import type { Engine } from "../../operators/pm/docker/engine.ts";
import type { Backend, PublicPort, Router } from "../../operators/pm/router.ts";
import type { Operation, RenderedSpec } from "../../protocol/operation.ts";
import { docker, run } from "./docker.ts";
import { startRegistry } from "./docker_registry.ts";
import { createPmFixture, operationOf, specOf } from "./pm_fixture.ts";

/** Answers / with its version, /env with its environment; `DIES=1` ends it at once, `SICK=1` makes it answer 404. */
const SERVER = `#!/bin/sh
echo "listening $VERSION"
[ -z "$DIES" ] || { echo "cannot go on" >&2; exit 7; }
trap 'echo "asked to stop"; exit 0' TERM
mkdir -p /tmp/www
printf %s "$VERSION" > /tmp/www/index.html
[ -n "$SICK" ] || env > /tmp/www/env
httpd -f -p 8080 -h /tmp/www &
while :; do sleep 1000 & wait $!; done
`;
/** "deployer:right-password" */
export const LOGIN = "deployer:$2y$05$abcdefghijklmnopqrstuuBO.kmgTJhdt40M5ZyHgFmcpBdUb9aS.";

type Docker = Extract<RenderedSpec["runtime"], { mode: "docker" }>;

export async function createDockerWorld() {
  const tag = `boreas-test-${crypto.randomUUID().slice(0, 8)}`;
  const registry = await startRegistry();
  const folder = await Deno.makeTempDir({ prefix: "boreas-docker-" });
  await makeRoot(folder);
  const engine: Engine = createDockerEngine(Deno.env.get("DOCKER_HOST"));
  const images = new Set<string>();

  return {
    registry,
    engine,
    /** Part of every name, so that tests of one machine do not meet. */
    tag,
    async image(version: string, changes: string[] = []) {
      const ref = `${registry.host}/${tag}`;
      const made = `${ref}:${version}`;
      const change = [`ENV VERSION=${version}`, 'CMD ["/server"]', ...changes].flatMap((line) => ["--change", line]);
      await docker(["import", ...change, `${folder}/root.tar`, made]);
      const pushed = await docker(["push", made]);
      await docker(["image", "rm", made]);
      const digest = /digest: (sha256:[0-9a-f]{64})/.exec(pushed)![1]!;
      images.add(`${ref}@${digest}`);
      return { kind: "image" as const, ref, digest };
    },
    forget: (address: string) => void images.add(address),
    async close() {
      for (const image of images) await engine.removeImage(image);
      await registry.stop();
      await Deno.remove(folder, { recursive: true });
    },
  };
}
export type DockerWorld = Awaited<ReturnType<typeof createDockerWorld>>;

/** busybox and what it is linked with. */
async function makeRoot(folder: string): Promise<void> {
  const root = `${folder}/root`;
  await Deno.mkdir(`${root}/bin`, { recursive: true });
  await Deno.mkdir(`${root}/tmp`);
  const linked = await run("ldd", ["/bin/busybox"]);
  for (const [library] of linked.matchAll(/\/\S+/g)) {
    await Deno.mkdir(`${root}${library.replace(/\/[^/]*$/, "")}`, { recursive: true });
    await run("cp", ["-L", library, `${root}${library}`]);
  }
  await run("cp", ["/bin/busybox", `${root}/bin/busybox`]);
  for (const name of ["sh", "httpd", "sleep", "env", "mkdir", "chmod", "cat", "id", "ls"]) {
    await Deno.symlink("busybox", `${root}/bin/${name}`);
  }
  await Deno.writeTextFile(`${root}/server`, SERVER, { mode: 0o755 });
  await run("tar", ["-C", root, "-cf", `${folder}/root.tar`, "."]);
}

/** A router that sends nothing anywhere, and remembers what it was told. */
export function createTestRouter() {
  const routes = new Map<string, Backend>();
  const told: string[] = [];
  const key = ({ listen, host }: PublicPort) => `${listen} ${host ?? "*"}`;
  const router: Router = {
    async switchTo(route, backend) {
      routes.set(key(route), backend);
      told.push(`switch ${route.listen} to ${backend.port}`);
    },
    serving: async (route) => routes.get(key(route)),
    async drain(_route, backend) {
      told.push(`drain ${backend.port}`);
      return 0;
    },
    async remove(route) {
      routes.delete(key(route));
      told.push(`remove ${route.listen}`);
    },
  };
  return { router, routes, told };
}

/** The operator with the engine, in a folder and an environment of its own. */
export async function createDockerFixture(world: DockerWorld) {
  const pm = await createPmFixture();
  const environment = `${world.tag}-${crypto.randomUUID().slice(0, 4)}`;
  const testRouter = createTestRouter();
  const createOperator: typeof pm.createOperator = (over = {}) =>
    pm.createOperator({ engine: world.engine, router: testRouter.router, ...over });
  return {
    ...pm,
    ...testRouter,
    environment,
    createOperator,
    operator: createOperator(),
    app: (name = "order") => `${pm.folder}/apps/${environment}/${name}`,
    operationOf: (spec: RenderedSpec | null, over: Partial<Operation> = {}) =>
      operationOf(spec, { environment, ...over }),
    specOf: (
      image: RenderedSpec["artifacts"][string],
      over: Partial<RenderedSpec> = {},
      runtime: Partial<Docker> = {},
    ) =>
      specOf({ mode: "docker", image: "image", ports: { http: 8080 }, stop: { grace: "5s" }, ...runtime }, {
        artifacts: { image },
        health: [{ http: { port: "http", path: "/env" }, every: "100ms" }],
        route: { mode: "proxy", listen: 80, port: "http", host: null, drainSeconds: 1 },
        ...over,
      }),
    container: (slot: "a" | "b", app = "order") => world.engine.findContainer(`boreas-${environment}-${app}-${slot}`),
    async ask(outcome: { details?: unknown }) {
      const { ports } = outcome.details as { ports: { http: number } };
      return await (await fetch(`http://127.0.0.1:${ports.http}/env`)).text();
    },
    async close() {
      const names = await docker(["ps", "-aq", "--filter", `name=boreas-${environment}-`]);
      for (const id of names.split("\n").filter(Boolean)) await docker(["rm", "-f", id]);
      await pm.close();
    },
  };
}
export type DockerFixture = Awaited<ReturnType<typeof createDockerFixture>>;
