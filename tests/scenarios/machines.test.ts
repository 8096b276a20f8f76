/**
 * The whole way of three fresh machines behind NAT: the pasted line, containers, binaries and scripts side by side, new
 * versions under a steady load, an agent killed in the middle, a version that turns bad after everybody has it. Each
 * machine boots systemd and reaches nothing but the master (and, for its engine, the registry); nothing reaches it.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildAgent } from "../../scripts/build_agent.ts";
import { buildRuntime } from "../../scripts/build_runtime.ts";
import { docker } from "../helpers/docker.ts";
import { startRegistry } from "../helpers/docker_registry.ts";
import type { TestRegistry } from "../helpers/docker_registry.ts";
import { createDockerWorld } from "../helpers/docker_world.ts";
import type { DockerWorld } from "../helpers/docker_world.ts";
import { createGitRemote } from "../helpers/git_remote.ts";
import type { GitRemoteFixture } from "../helpers/git_remote.ts";
import { prepareEngine } from "../helpers/machine_engine.ts";
import { component } from "../helpers/require_component.ts";
import { eventually, startMaster } from "../helpers/start_product.ts";
import type { Master } from "../helpers/start_product.ts";
import { findHostAddress, startSystemdMachine } from "../helpers/systemd_machine.ts";
import type { SystemdMachine } from "../helpers/systemd_machine.ts";

const needs = [component("docker"), component("netns"), component("registry")];
const lacking = needs.find((one) => !one.available)?.reason ?? "";
const SHOP_PORT = 8081;
const API_PORT = 8082;

interface Deployment {
  id: string;
  status: string;
  reason: { text: string };
  completedAt: string | null;
  tasks: { id: string; name: string; status: string; reason: { code: string; text: string } }[];
}

describe.skipIf(lacking !== "")(`three machines behind NAT${lacking}`, () => {
  const machines: SystemdMachine[] = [];
  const loading = new Set<Deno.ChildProcess>();
  const before: string[][] = [];
  let master: Master;
  let world: DockerWorld;
  let registry: TestRegistry;
  let remote: GitRemoteFixture;
  let environmentId: string;
  let repositoryId: string;

  beforeAll(async () => {
    const host = await findHostAddress("bridge");
    await buildAgent(() => {});
    await buildRuntime(() => {});
    world = await createDockerWorld();
    registry = await startRegistry({ of: world.registry, address: host });
    master = await startMaster({ BOREAS_PUBLIC_URL: `https://${host}:PORT`, BOREAS_LEASE_SECONDS: "10" });
    const port = Number(new URL(master.url).port);
    environmentId = (await master.api("POST", "/environments", { name: "rack", type: "pm" })).id;
    remote = await createGitRemote();
    repositoryId = (await master.api("POST", "/repositories", {
      url: `file://${remote.url}`,
      provider: "generic",
      webhookSecret: "whsec_0123456789abcdef",
      pollSeconds: 3600,
    })).id;

    const engine = await prepareEngine({ insecureRegistry: registry.host, containerPort: 8080 });
    const registryPort = Number(registry.host.split(":")[1]);
    const reachable = [{ port }, { port: registryPort }, engine.only];
    machines.push(await startSystemdMachine({ name: "dock", only: reachable, mounts: [engine.mount] }));
    machines.push(await startSystemdMachine({ name: "iron", only: [{ port }] }));
    machines.push(await startSystemdMachine({ name: "zinc", only: [{ port }] }));
    await engine.start(machines[0]!);
    for (const [i, machine] of machines.entries()) {
      before.push(await machine.listening());
      const { line } = await master.api("POST", "/enrollment-tokens", {
        uses: 1,
        environments: [environmentId],
        labels: i === 0 ? { engine: "docker" } : {},
      });
      // The shell of a pipeline ends well even when what feeds it does not: what it said counts.
      const pasted = await machine.attempt("sh", { input: line });
      expect(pasted).toMatchObject({ code: 0, stdout: expect.stringContaining("boreas: connected to") });
    }
  }, 600_000);
  afterAll(async () => {
    for (const load of loading) load.kill("SIGKILL");
    // Its containers go before the engine and the registry do.
    for (const machine of machines.toReversed()) await machine.close();
    await registry?.stop();
    await world?.close();
  });

  /** What each application says at its port, and whether it stays well. */
  async function push(version: string, trouble = ""): Promise<string> {
    const image = await world.image(version, [
      `CMD ["sh", "-c", "mkdir -p /tmp/www && echo ${version} >/tmp/www/index.html && exec httpd -f -p 8080 -h /tmp/www"]`,
    ]);
    const serve = `#!/bin/sh
folder=$(mktemp -d) && echo ${version} >"$folder/index.html" && echo ok >"$folder/healthz"
${trouble}
exec busybox httpd -f -p "127.0.0.1:$1" -h "$folder"
`;
    const script = (text: string) => `#!/bin/sh\nset -e\n${text}\n`;
    const config = `apiVersion: boreas/v1
kind: Application
name: shop
artifacts: { image: { ref: "${registry.host}/${world.tag}", digest: "${image.digest}" } }
runtime: { docker: { image: image, ports: { http: 8080 }, stop: { grace: 1s } } }
route: { mode: proxy, listen: ${SHOP_PORT}, port: http, drain: 5s }
health: [{ http: { port: http, path: / }, every: 500ms }]
healthy: { minTime: 2s, deadline: 60s }
environments: { rack: { nodes: { labels: { engine: docker } } } }
---
apiVersion: boreas/v1
kind: Application
name: api
artifacts: { program: { path: dist } }
runtime: { binary: { artifact: program, exec: ["./serve", "\${port.http}"], ports: { http: auto }, stop: { grace: 2s } } }
route: { mode: proxy, listen: ${API_PORT}, port: http, drain: 5s }
health: [{ http: { port: http, path: /healthz }, every: 500ms }]
healthy: { minTime: 2s, deadline: 60s, watchAfter: 15s }
strategy: { type: rolling, batch: 2, onFailure: { action: rollback, scope: deployment } }
environments: { rack: {} }
---
apiVersion: boreas/v1
kind: Application
name: report
bundle: [ops/**]
runtime: { script: { deploy: ops/deploy.sh, check: ops/check.sh, rollback: ops/rollback.sh, status: ops/check.sh } }
environments: { rack: {} }
`;
    const commit = await remote.push({
      "dist/serve": serve,
      "ops/deploy.sh": script(`echo ${version} >/var/lib/report`),
      "ops/check.sh": script(`test -s /var/lib/report`),
      "ops/rollback.sh": script(`echo "$BOREAS_VERSION" >/var/lib/report`),
      "boreas.yaml": config,
    }, { executable: ["dist/serve", "ops/deploy.sh", "ops/check.sh", "ops/rollback.sh"] });
    await master.api("POST", `/repositories/${repositoryId}/sync`, {});
    const found = await eventually(async () => {
      const { items } = await master.api<{ items: { id: string; gitCommit: string }[] }>("GET", "/versions?limit=5");
      return items.find((one) => one.gitCommit === commit);
    }, `the version of ${version}`);
    return found.id;
  }

  async function start(versionId: string): Promise<string> {
    const { id } = await master.api("POST", "/deployments", { versionId, environmentId });
    await master.api("POST", `/deployments/${id}/start`, {});
    return id;
  }
  const read = (id: string) => master.api<Deployment>("GET", `/deployments/${id}`);
  const described = ({ status, reason, tasks }: Deployment) =>
    [`${status}: ${reason.text}`, ...tasks.map((task) => `${task.name} ${task.status}: ${task.reason.text}`)].join(
      "\n",
    );
  /** Waits for it; what it came to instead is said in its own words. */
  async function until(id: string, holds: (found: Deployment) => boolean, what: string): Promise<Deployment> {
    let last: Deployment | undefined;
    try {
      return await eventually(async () => (last = await read(id), holds(last) && last), what, 170);
    } catch (error: unknown) {
      throw new Error(`${(error as Error).message}:\n${last && described(last)}`, { cause: error });
    }
  }
  const ended = (id: string) => until(id, (found) => found.completedAt !== null, "the deployment's end");
  const rolledBack = (id: string) => until(id, (found) => found.status === "rolled_back", "the rollback");
  async function deploymentsOf(versionId: string): Promise<string[]> {
    const { items } = await master.api<{ items: { id: string; versionId: string }[] }>("GET", "/deployments?limit=100");
    return items.filter((one) => one.versionId === versionId).map(({ id }) => id);
  }
  /** What the machine's own users get at a public port. */
  const ask = async (machine: SystemdMachine, port: number) =>
    (await machine.run(`curl -fsS --max-time 10 http://127.0.0.1:${port}/`)).trim();

  /** A request every 5 ms, from within the machine's own network. */
  async function loadOn(machine: SystemdMachine, port: number) {
    const pid = (await docker(["inspect", "--format", "{{.State.Pid}}", machine.name])).trim();
    const program = new URL("../helpers/request_load_process.ts", import.meta.url).pathname;
    const child = new Deno.Command("nsenter", {
      args: ["--target", pid, "--net", Deno.execPath(), "run", "-A", program, String(port), "GET"],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    loading.add(child);
    const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    let said = (await reader.read()).value ?? "";
    return async (): Promise<{ answers: Record<string, number>; failed: string[] }> => {
      await child.stdin.close();
      for (let part = await reader.read(); !part.done; part = await reader.read()) said += part.value;
      await child.status;
      loading.delete(child);
      return JSON.parse(said.trim().split("\n").at(-1)!);
    };
  }
  const loads = () => Promise.all([loadOn(machines[0]!, SHOP_PORT), loadOn(machines[1]!, API_PORT)]);
  async function expectNoneFailed(ends: Awaited<ReturnType<typeof loads>>, versions: string[]) {
    for (const { answers, failed } of await Promise.all(ends.map((end) => end()))) {
      expect(failed.slice(0, 5)).toEqual([]);
      expect(Object.keys(answers).map((answer) => answer.trim()).sort()).toEqual(versions);
    }
  }

  it("join by the pasted line and listen on nothing", async () => {
    const { items } = await master.api<{ items: { name: string; status: string; facts: { modes: string[] } }[] }>(
      "GET",
      "/agents",
    );
    const joined = items.filter((agent) => machines.some(({ name }) => name === agent.name));
    expect(joined.map(({ status }) => status)).toEqual(["connected", "connected", "connected"]);
    expect(joined.find(({ name }) => name === machines[0]!.name)!.facts.modes).toContain("docker");
    for (const [i, machine] of machines.entries()) expect(await machine.listening()).toEqual(before[i]);
  });

  it("run containers, binaries and scripts, and open the applications' ports only", async () => {
    const deployed = await ended(await start(await push("v1")));
    expect(described(deployed)).toMatch(/^completed/);
    expect(await ask(machines[0]!, SHOP_PORT)).toBe("v1");
    const portsOf = new Map<string, Set<number>>(machines.map(({ name }) => [name, new Set()]));
    for (const machine of machines) {
      expect(await ask(machine, API_PORT)).toBe("v1");
      expect((await machine.run("cat /var/lib/report")).trim()).toBe("v1");
      portsOf.get(machine.name)!.add(API_PORT);
    }
    portsOf.get(machines[0]!.name)!.add(SHOP_PORT);
    const tree = await master.api<
      { items: { agent: string | null; result: { details?: { ports?: Record<string, number> } } | null }[] }
    >("GET", `/tasks?deploymentId=${deployed.id}&tree=all&limit=100`);
    for (const { agent, result } of tree.items) {
      for (const port of Object.values(result?.details?.ports ?? {})) portsOf.get(agent ?? "")?.add(port);
    }
    for (const [i, machine] of machines.entries()) {
      const added = (await machine.listening()).filter((line) => !before[i]!.includes(line));
      const ports = added.map((line) => Number(/:(\d+)\s/.exec(line)![1]));
      expect([...new Set(ports)].filter((port) => !portsOf.get(machine.name)!.has(port))).toEqual([]);
    }
    // The machine with the engine also talks to its own containers.
    for (const machine of machines.slice(1)) expect(await machine.strayPackets()).toBe(0);
  });

  it("switch to the next version and back without a failed request", async () => {
    const ends = await loads();
    const id = await start(await push("v2"));
    expect(described(await ended(id))).toMatch(/^completed/);
    expect(await ask(machines[2]!, API_PORT)).toBe("v2");
    const back = await master.api("POST", `/deployments/${id}/rollback`, {});
    expect(back.status).toMatch(/rolling_back|rolled_back/);
    await rolledBack(id);
    await expectNoneFailed(ends, ["v1", "v2"]);
    for (const machine of machines) expect(await ask(machine, API_PORT)).toBe("v1");
  });

  it("lose no request either when their agents are killed in the middle of it", async () => {
    const ends = await loads();
    const id = await start(await push("v3"));
    const isUnderWay = (name: string) =>
      until(
        id,
        ({ tasks }) => tasks.some((task) => task.name === name && task.status === "running"),
        `${name} under way`,
      );
    await isUnderWay("api");
    await isUnderWay("shop");
    for (const machine of machines.slice(0, 2)) await machine.run("systemctl kill --signal=KILL boreas-agent");
    expect(described(await ended(id))).toMatch(/^completed/);
    await expectNoneFailed(ends, ["v1", "v3"]);
    expect(await ask(machines[0]!, SHOP_PORT)).toBe("v3");
    for (const machine of machines) expect(await ask(machine, API_PORT)).toBe("v3");
  });

  it("go back, all of them, from a version that was well for five seconds, and leave it alone from then on", async () => {
    const versionId = await push("v4", '(sleep 5; rm "$folder/healthz") &');
    const id = await start(versionId);
    await rolledBack(id);
    for (const machine of machines) expect(await ask(machine, API_PORT)).toBe("v3");
    expect(await ask(machines[0]!, SHOP_PORT)).toBe("v3");
    const version = await master.api<{ status: string; reason: { text: string } }>("GET", `/versions/${versionId}`);
    expect(version.status).toBe("revert");
    const made = await deploymentsOf(versionId);
    await master.api("POST", `/repositories/${repositoryId}/sync`, {});
    await eventually(async () => {
      const [latest] = (await master.api("GET", `/repositories/${repositoryId}/deliveries`)).items;
      return ["processed", "ignored"].includes(latest.status);
    }, "the end of the sync");
    expect(await deploymentsOf(versionId)).toEqual(made);
    await expect(start(versionId)).rejects.toThrow(/revert/);
  });
});
