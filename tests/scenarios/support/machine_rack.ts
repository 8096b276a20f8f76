/** Three machines behind NAT, the master and the registry that they reach, and a repository that is deployed to them. */
import { expect } from "vitest";
import { buildAgent } from "../../../scripts/build_agent.ts";
import { buildRuntime } from "../../../scripts/build_runtime.ts";
import { startRegistry } from "../../helpers/docker_registry.ts";
import type { TestRegistry } from "../../helpers/docker_registry.ts";
import { createDockerWorld } from "../../helpers/docker_world.ts";
import type { DockerWorld } from "../../helpers/docker_world.ts";
import { createGitRemote } from "../../helpers/git_remote.ts";
import type { GitRemoteFixture } from "../../helpers/git_remote.ts";
import { prepareEngine } from "../../helpers/machine_engine.ts";
import { eventually, startMaster } from "../../helpers/start_product.ts";
import type { Master } from "../../helpers/start_product.ts";
import { findHostAddress, startSystemdMachine } from "../../helpers/systemd_machine.ts";
import type { SystemdMachine } from "../../helpers/systemd_machine.ts";
import { EXECUTABLE, releaseFiles } from "./rack_release.ts";

export interface Deployment {
  id: string;
  status: string;
  reason: { text: string };
  completedAt: string | null;
  tasks: { id: string; name: string; status: string; reason: { code: string; text: string } }[];
}
export const described = ({ status, reason, tasks }: Deployment) =>
  [`${status}: ${reason.text}`, ...tasks.map((task) => `${task.name} ${task.status}: ${task.reason.text}`)].join("\n");

export class MachineRack {
  /** The first has a container engine. */
  readonly machines: SystemdMachine[] = [];
  /** What listened on each before it had an agent. */
  readonly before: string[][] = [];
  master!: Master;
  engine!: Awaited<ReturnType<typeof prepareEngine>>;
  environmentId!: string;
  repositoryId!: string;
  private world!: DockerWorld;
  private registry!: TestRegistry;
  private remote!: GitRemoteFixture;

  async open(): Promise<void> {
    const host = await findHostAddress("bridge");
    await buildAgent(() => {});
    await buildRuntime(() => {});
    this.world = await createDockerWorld();
    this.registry = await startRegistry({ of: this.world.registry, address: host });
    this.master = await startMaster({ BOREAS_PUBLIC_URL: `https://${host}:PORT`, BOREAS_LEASE_SECONDS: "10" });
    const port = Number(new URL(this.master.url).port);
    this.environmentId = (await this.master.api("POST", "/environments", { name: "rack", type: "pm" })).id;
    this.remote = await createGitRemote();
    this.repositoryId = (await this.master.api("POST", "/repositories", {
      url: `file://${this.remote.url}`,
      provider: "generic",
      webhookSecret: "whsec_0123456789abcdef",
      pollSeconds: 3600,
    })).id;

    this.engine = await prepareEngine({ insecureRegistry: this.registry.host, containerPort: 8080 });
    const registryPort = Number(this.registry.host.split(":")[1]);
    const reachable = [{ port }, { port: registryPort }, this.engine.only];
    this.machines.push(await startSystemdMachine({ name: "dock", only: reachable, mounts: [this.engine.mount] }));
    this.machines.push(await startSystemdMachine({ name: "iron", only: [{ port }] }));
    this.machines.push(await startSystemdMachine({ name: "zinc", only: [{ port }] }));
    await this.engine.start(this.machines[0]!);
    for (const [i, machine] of this.machines.entries()) {
      this.before.push(await machine.listening());
      const { line } = await this.master.api("POST", "/enrollment-tokens", {
        uses: 1,
        environments: [this.environmentId],
        labels: i === 0 ? { engine: "docker" } : {},
      });
      // The shell of a pipeline ends well even when what feeds it does not: what it said counts.
      const pasted = await machine.attempt("sh", { input: line });
      expect(pasted).toMatchObject({ code: 0, stdout: expect.stringContaining("boreas: connected to") });
    }
  }
  /** Also what did not come up as a whole. */
  async close(): Promise<void> {
    // Its containers go before the engine and the registry do.
    for (const machine of this.machines.toReversed()) await machine.close();
    await this.registry?.stop();
    await this.world?.close();
  }

  /** What each application says at its port, whether it stays well, and whether hands off is what is asked for. */
  async push(version: string, { trouble = "", heals = false } = {}): Promise<string> {
    const image = await this.world.image(version, [
      `CMD ["sh", "-c", "mkdir -p /tmp/www && echo ${version} >/tmp/www/index.html && exec httpd -f -p 8080 -h /tmp/www"]`,
    ]);
    const files = releaseFiles(version, {
      image: `image: { ref: "${this.registry.host}/${this.world.tag}", digest: "${image.digest}" }`,
      trouble,
      heals,
    });
    const commit = await this.remote.push(files, { executable: EXECUTABLE });
    await this.master.api("POST", `/repositories/${this.repositoryId}/sync`, {});
    const found = await eventually(async () => {
      const { items } = await this.master.api<{ items: { id: string; gitCommit: string }[] }>(
        "GET",
        "/versions?limit=5",
      );
      return items.find((one) => one.gitCommit === commit);
    }, `the version of ${version}`);
    return found.id;
  }

  async start(versionId: string): Promise<string> {
    const { id } = await this.master.api("POST", "/deployments", { versionId, environmentId: this.environmentId });
    await this.master.api("POST", `/deployments/${id}/start`, {});
    return id;
  }
  read = (id: string) => this.master.api<Deployment>("GET", `/deployments/${id}`);
  /** Waits for it; what it came to instead is said in its own words. */
  async until(id: string, holds: (found: Deployment) => boolean, what: string): Promise<Deployment> {
    let last: Deployment | undefined;
    try {
      return await eventually(async () => (last = await this.read(id), holds(last) && last), what, 170);
    } catch (error: unknown) {
      throw new Error(`${(error as Error).message}:\n${last && described(last)}`, { cause: error });
    }
  }
  ended = (id: string) => this.until(id, (found) => found.completedAt !== null, "the deployment's end");
  rolledBack = (id: string) => this.until(id, (found) => found.status === "rolled_back", "the rollback");
  async deploymentsOf(versionId: string): Promise<string[]> {
    const { items } = await this.master.api<{ items: { id: string; versionId: string }[] }>(
      "GET",
      "/deployments?limit=100",
    );
    return items.filter((one) => one.versionId === versionId).map(({ id }) => id);
  }
  /** What the machine's own users get at a public port. */
  ask = async (machine: SystemdMachine, port: number) =>
    (await machine.run(`curl -fsS --max-time 10 http://127.0.0.1:${port}/`)).trim();
}
