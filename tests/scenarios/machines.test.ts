/**
 * The whole way of three fresh machines behind NAT: the pasted line, containers, binaries and scripts side by side, new
 * versions under a steady load, an agent killed in the middle, a version that turns bad after everybody has it, agents
 * that replace themselves, and hands that change what runs. Each machine boots systemd and reaches nothing but the master
 * (and, for its engine, the registry); nothing reaches it.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PRODUCT_VERSION } from "../../compose/product_version.ts";
import type { AppStateItem } from "../../protocol/api/catalog.ts";
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
import { becomeOlder, OLDER } from "../helpers/older_agent.ts";
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
  let engine: Awaited<ReturnType<typeof prepareEngine>>;
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

    engine = await prepareEngine({ insecureRegistry: registry.host, containerPort: 8080 });
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

  /** What each application says at its port, whether it stays well, and whether hands off is what is asked for. */
  async function push(version: string, { trouble = "", heals = false } = {}): Promise<string> {
    const image = await world.image(version, [
      `CMD ["sh", "-c", "mkdir -p /tmp/www && echo ${version} >/tmp/www/index.html && exec httpd -f -p 8080 -h /tmp/www"]`,
    ]);
    const serve = `#!/bin/sh
folder=$(mktemp -d) && echo ${version} >"$folder/index.html" && echo ok >"$folder/healthz"
${trouble}
exec busybox httpd -f -p "127.0.0.1:$1" -h "$folder"
`;
    const drift = heals ? "drift: { mode: heal }\n" : "";
    const more = `---
apiVersion: boreas/v1
kind: Application
name: mail
artifacts: { image: { ref: "${registry.host}/${world.tag}", digest: "${image.digest}" } }
runtime: { docker: { image: image, stop: { grace: 1s } } }
${drift}environments: { rack: { nodes: { labels: { engine: docker } } } }
---
apiVersion: boreas/v1
kind: Application
name: side
artifacts: { program: { path: dist } }
runtime: { binary: { artifact: program, exec: ["./stay"] } }
drift: { mode: ignore }
environments: { rack: {} }
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
${drift}environments: { rack: { nodes: { labels: { engine: docker } } } }
---
apiVersion: boreas/v1
kind: Application
name: api
artifacts: { program: { path: dist } }
runtime: { binary: { artifact: program, exec: ["./serve", "\${port.http}"], ports: { http: auto }, stop: { grace: 2s } } }
route: { mode: proxy, listen: ${API_PORT}, port: http, drain: 5s }
health: [{ http: { port: http, path: /healthz }, every: 500ms }]
healthy: { minTime: 2s, deadline: 60s, watchAfter: ${heals ? "0s" : "15s"} }
strategy: { type: rolling, batch: 2, wait: ${heals ? "10m" : "0s"}, onFailure: { action: rollback, scope: deployment } }
${drift}environments: { rack: {} }
---
apiVersion: boreas/v1
kind: Application
name: report
bundle: [ops/**]
runtime: { script: { deploy: ops/deploy.sh, check: ops/check.sh, rollback: ops/rollback.sh, status: ops/check.sh } }
environments: { rack: {} }
${heals ? more : ""}`;
    const commit = await remote.push({
      "dist/serve": serve,
      "dist/stay": "#!/bin/sh\nexec sleep 100000\n",
      "ops/deploy.sh": script(`echo ${version} >/var/lib/report`),
      "ops/check.sh": script(`test -s /var/lib/report`),
      "ops/rollback.sh": script(`echo "$BOREAS_VERSION" >/var/lib/report`),
      "boreas.yaml": config,
    }, { executable: ["dist/serve", "dist/stay", "ops/deploy.sh", "ops/check.sh", "ops/rollback.sh"] });
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
    // The agent alone: a script that was killed with it has ended, and nobody saw how.
    const kill = "systemctl kill --kill-whom=main --signal=KILL boreas-agent";
    for (const machine of machines.slice(0, 2)) await machine.run(kill);
    const over = described(await ended(id));
    expect(over, over).toMatch(/^completed/);
    await expectNoneFailed(ends, ["v1", "v3"]);
    expect(await ask(machines[0]!, SHOP_PORT)).toBe("v3");
    for (const machine of machines) expect(await ask(machine, API_PORT)).toBe("v3");
  });

  it("go back, all of them, from a version that was well for five seconds, and leave it alone from then on", async () => {
    const versionId = await push("v4", { trouble: '(sleep 5; rm "$folder/healthz") &' });
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

  /** Who serves the three: what nobody may have started anew. */
  async function pidsOf(machine: SystemdMachine): Promise<string[]> {
    const programs = (await machine.run("pgrep -f '^busybox httpd'")).trim().split("\n");
    if (machine !== machines[0]) return programs;
    const containers = (await engine.docker("ps", "-q")).trim().split("\n");
    const inspected = await engine.docker("inspect", "-f", "{{.Name}} {{.State.Pid}} {{.RestartCount}}", ...containers);
    return [...programs, ...inspected.trim().split("\n").sort()];
  }

  it("keep what they deployed, pid for pid, and lose no request while their agents replace themselves", async () => {
    const two = machines.slice(0, 2);
    const { items } = await master.api<{ items: { id: string; name: string }[] }>("GET", "/agents");
    const ids = two.map(({ name }) => items.find((agent) => agent.name === name)!.id);
    /** Connected, and its proxy in the place of the one before, which has ended. */
    const run = async (version: string, slots: Record<"a" | "b", "active" | "inactive">) => {
      for (const [i, machine] of two.entries()) {
        await eventually(async () => {
          const { status, versions } = await master.api("GET", `/agents/${ids[i]}`);
          if (status !== "connected" || versions.boreas !== version) return false;
          const { stdout } = await machine.attempt("systemctl is-active boreas-proxy@a boreas-proxy@b");
          return stdout.trim() === `${slots.a}\n${slots.b}`;
        }, `${machine.name} with the agent and the proxy of ${version}`);
      }
    };
    for (const machine of two) await becomeOlder(machine, 300);
    await run(OLDER, { a: "inactive", b: "active" });
    const pids = await Promise.all(two.map(pidsOf));
    const ends = await loads();
    const { id } = await master.api("POST", "/agents/upgrade", { ids, batch: 2 });
    const over = await eventually(
      async () => {
        const now = await master.api("GET", `/agent-upgrades/${id}`);
        return now.status !== "running" && now;
      },
      "the upgrade's end",
      170,
    );
    expect([over.status, ...over.agents.map((agent: { state: string }) => agent.state)], over.reason.text)
      .toEqual(["completed", "succeeded", "succeeded"]);
    await run(PRODUCT_VERSION, { a: "active", b: "inactive" });
    await expectNoneFailed(ends, ["v3"]);
    expect(await Promise.all(two.map(pidsOf))).toEqual(pids);
  }, 600_000);

  it(
    "say what was changed by hand, and put it right where that is asked for, after a deployment and not in it",
    async () => {
      const [dock, iron, zinc] = machines as [SystemdMachine, SystemdMachine, SystemdMachine];
      const { items: applications } = await master.api<{ items: { id: string; name: string }[] }>(
        "GET",
        "/applications",
      );
      const idOf = (name: string) => applications.find((one) => one.name === name)!.id;
      /** Looked at now, by the machine itself. */
      const seen = async (
        app: string,
        { name }: SystemdMachine,
        holds: (state: AppStateItem) => boolean,
        what: string,
      ) => {
        let state: AppStateItem | undefined;
        const look = async () => {
          const way = `/applications/${idOf(app)}/environments/${environmentId}/resources`;
          const { items } = await master.api<{ items: AppStateItem[] }>("GET", way);
          state = items.find(({ target }) => target === name);
          return state && holds(state) && state;
        };
        return await eventually(look, `${app} on ${name} ${what}`, 170).catch((error: Error) => {
          throw new Error(`${error.message}: ${JSON.stringify(state)}`, { cause: error });
        });
      };
      const differs = (path: string) => ({ sync, drift }: AppStateItem) =>
        sync === "out_of_sync" && drift.some((one) => one.path === path);
      const container = async (app: string) =>
        (await engine.docker("ps", "--format", "{{.Names}}")).split("\n").find((name) => name.includes(`-${app}-`))!;
      const stop = (machine: SystemdMachine, app: string) => machine.run(`systemctl stop 'boreas-app-${app}@*'`);

      await engine.docker("rm", "--force", await container("shop"));
      await stop(zinc, "api");
      const reported = [
        await seen("shop", dock, differs("container"), "is missing"),
        await seen("api", zinc, differs("process"), "is stopped"),
      ];
      const made = await deploymentsOf(reported[0]!.versionId!);

      const id = await start(await push("v5", { heals: true }));
      applications.push(...(await master.api("GET", "/applications")).items);
      await seen("mail", dock, ({ health }) => health === "healthy", "runs");
      await engine.docker("stop", await container("mail"));
      await seen("mail", dock, ({ drift }) => drift.length > 0, "is stopped");
      // The second batch waits until now, so that all of this was in the middle of it.
      await eventually(async () => {
        const skipped = await master.raw("POST", `/api/v1/deployments/${id}/skip`, {}, master.bearer());
        return skipped.status === 200;
      }, "the wait between two batches");
      const over = await ended(id);
      expect(described(over)).toMatch(/^completed/);

      const shop = await container("shop");
      const labels = JSON.parse(await engine.docker("inspect", "-f", "{{json .Config.Labels}}", shop));
      const image = (await engine.docker("inspect", "-f", "{{.Image}}", shop)).trim();
      await engine.docker("rm", "--force", shop);
      const kept = Object.entries(labels).flatMap(([key, value]) => ["--label", `${key}=${value}`]);
      await engine.docker("run", "--detach", "--name", shop, "--env", "DEBUG=1", ...kept, image);
      await iron.run(`unit=$(systemctl show -p FragmentPath --value 'boreas-app-api@*')
      echo '# by hand' >>"$unit" && systemctl daemon-reload && systemctl kill --signal=KILL "\${unit##*/}"`);
      await dock.run("cd /var/lib/boreas/apps/*/api && ln -sfn releases current");
      await zinc.run("echo '# by hand' >>$(echo /var/lib/boreas/apps/*/api/current/serve)");
      await stop(iron, "side");

      const healed = ({ sync, healing }: AppStateItem) => sync === "synced" && healing !== null;
      const why = async (state: AppStateItem) =>
        JSON.stringify((await master.api("GET", `/deployments/${state.healing!.deploymentId}/timeline`)).items);
      const mail = await seen("mail", dock, healed, "runs again");
      const heal = await master.api("GET", `/deployments/${mail.healing!.deploymentId}`);
      expect(Date.parse(heal.createdAt)).toBeGreaterThanOrEqual(Date.parse(over.completedAt!));
      expect(await why(await seen("shop", dock, healed, "is its own again"))).toContain("env is");
      expect(await why(await seen("api", iron, healed, "is its own unit again"))).toContain("unit is");
      expect(await why(await seen("api", dock, healed, "has its link again"))).toContain("current is");
      expect(await why(await seen("api", zinc, healed, "has its own program again"))).toContain("files/./serve is");
      for (const machine of machines) expect(await ask(machine, API_PORT)).toBe("v5");
      expect(await ask(dock, SHOP_PORT)).toBe("v5");
      // What nobody wants to know stays as it was made; what was only told of was not touched by itself.
      const side = await seen("side", iron, ({ health }) => health !== "healthy", "is stopped");
      expect([side.sync, side.drift, side.healing]).toEqual(["unknown", [], null]);
      for (const { driftMode, healing } of reported) expect([driftMode, healing]).toEqual(["report", null]);
      expect(await deploymentsOf(reported[0]!.versionId!)).toEqual(made);
    },
    600_000,
  );
});
