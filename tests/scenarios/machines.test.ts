/**
 * The whole way of three fresh machines behind NAT: the pasted line, containers, binaries and scripts side by side, new
 * versions under a steady load, an agent killed in the middle, a version that turns bad after everybody has it, agents
 * that replace themselves, and hands that change what runs. Each machine boots systemd and reaches nothing but the master
 * (and, for its engine, the registry); nothing reaches it.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PRODUCT_VERSION } from "../../compose/product_version.ts";
import type { AppStateItem } from "../../protocol/api/catalog.ts";
import { becomeOlder, OLDER } from "../helpers/older_agent.ts";
import { component } from "../helpers/require_component.ts";
import { eventually } from "../helpers/start_product.ts";
import type { SystemdMachine } from "../helpers/systemd_machine.ts";
import { loadOn, stopLoads } from "./support/machine_load.ts";
import { described, MachineRack } from "./support/machine_rack.ts";
import { API_PORT, SHOP_PORT } from "./support/rack_release.ts";

const needs = [component("docker"), component("netns"), component("registry")];
const lacking = needs.find((one) => !one.available)?.reason ?? "";

describe.skipIf(lacking !== "")(`three machines behind NAT${lacking}`, () => {
  const rack = new MachineRack();
  const { machines } = rack;
  beforeAll(() => rack.open(), 600_000);
  afterAll(async () => {
    stopLoads();
    await rack.close();
  });

  const loads = () => Promise.all([loadOn(machines[0]!, SHOP_PORT), loadOn(machines[1]!, API_PORT)]);
  async function expectNoneFailed(ends: Awaited<ReturnType<typeof loads>>, versions: string[]) {
    for (const { answers, failed } of await Promise.all(ends.map((end) => end()))) {
      expect(failed.slice(0, 5)).toEqual([]);
      expect(Object.keys(answers).map((answer) => answer.trim()).sort()).toEqual(versions);
    }
  }

  it("join by the pasted line and listen on nothing", async () => {
    const { items } = await rack.master.api<{ items: { name: string; status: string; facts: { modes: string[] } }[] }>(
      "GET",
      "/agents",
    );
    const joined = items.filter((agent) => machines.some(({ name }) => name === agent.name));
    expect(joined.map(({ status }) => status)).toEqual(["connected", "connected", "connected"]);
    expect(joined.find(({ name }) => name === machines[0]!.name)!.facts.modes).toContain("docker");
    for (const [i, machine] of machines.entries()) expect(await machine.listening()).toEqual(rack.before[i]);
  });

  it("run containers, binaries and scripts, and open the applications' ports only", async () => {
    const deployed = await rack.ended(await rack.start(await rack.push("v1")));
    expect(described(deployed)).toMatch(/^completed/);
    expect(await rack.ask(machines[0]!, SHOP_PORT)).toBe("v1");
    const portsOf = new Map<string, Set<number>>(machines.map(({ name }) => [name, new Set()]));
    for (const machine of machines) {
      expect(await rack.ask(machine, API_PORT)).toBe("v1");
      expect((await machine.run("cat /var/lib/report")).trim()).toBe("v1");
      portsOf.get(machine.name)!.add(API_PORT);
    }
    portsOf.get(machines[0]!.name)!.add(SHOP_PORT);
    const tree = await rack.master.api<
      { items: { agent: string | null; result: { details?: { ports?: Record<string, number> } } | null }[] }
    >("GET", `/tasks?deploymentId=${deployed.id}&tree=all&limit=100`);
    for (const { agent, result } of tree.items) {
      for (const port of Object.values(result?.details?.ports ?? {})) portsOf.get(agent ?? "")?.add(port);
    }
    for (const [i, machine] of machines.entries()) {
      const added = (await machine.listening()).filter((line) => !rack.before[i]!.includes(line));
      const ports = added.map((line) => Number(/:(\d+)\s/.exec(line)![1]));
      expect([...new Set(ports)].filter((port) => !portsOf.get(machine.name)!.has(port))).toEqual([]);
    }
    // The machine with the engine also talks to its own containers.
    for (const machine of machines.slice(1)) expect(await machine.strayPackets()).toBe(0);
  });

  it("switch to the next version and back without a failed request", async () => {
    const ends = await loads();
    const id = await rack.start(await rack.push("v2"));
    expect(described(await rack.ended(id))).toMatch(/^completed/);
    expect(await rack.ask(machines[2]!, API_PORT)).toBe("v2");
    const back = await rack.master.api("POST", `/deployments/${id}/rollback`, {});
    expect(back.status).toMatch(/rolling_back|rolled_back/);
    await rack.rolledBack(id);
    await expectNoneFailed(ends, ["v1", "v2"]);
    for (const machine of machines) expect(await rack.ask(machine, API_PORT)).toBe("v1");
  });

  it("lose no request either when their agents are killed in the middle of it", async () => {
    const ends = await loads();
    const id = await rack.start(await rack.push("v3"));
    const isUnderWay = (name: string) =>
      rack.until(
        id,
        ({ tasks }) => tasks.some((task) => task.name === name && task.status === "running"),
        `${name} under way`,
      );
    await isUnderWay("api");
    await isUnderWay("shop");
    // The agent alone: a script that was killed with it has ended, and nobody saw how.
    const kill = "systemctl kill --kill-whom=main --signal=KILL boreas-agent";
    for (const machine of machines.slice(0, 2)) await machine.run(kill);
    const over = described(await rack.ended(id));
    expect(over, over).toMatch(/^completed/);
    await expectNoneFailed(ends, ["v1", "v3"]);
    expect(await rack.ask(machines[0]!, SHOP_PORT)).toBe("v3");
    for (const machine of machines) expect(await rack.ask(machine, API_PORT)).toBe("v3");
  });

  it("go back, all of them, from a version that was well for five seconds, and leave it alone from then on", async () => {
    const versionId = await rack.push("v4", { trouble: '(sleep 5; rm "$folder/healthz") &' });
    const id = await rack.start(versionId);
    await rack.rolledBack(id);
    for (const machine of machines) expect(await rack.ask(machine, API_PORT)).toBe("v3");
    expect(await rack.ask(machines[0]!, SHOP_PORT)).toBe("v3");
    const version = await rack.master.api<{ status: string; reason: { text: string } }>(
      "GET",
      `/versions/${versionId}`,
    );
    expect(version.status).toBe("revert");
    const made = await rack.deploymentsOf(versionId);
    await rack.master.api("POST", `/repositories/${rack.repositoryId}/sync`, {});
    await eventually(async () => {
      const [latest] = (await rack.master.api("GET", `/repositories/${rack.repositoryId}/deliveries`)).items;
      return ["processed", "ignored"].includes(latest.status);
    }, "the end of the sync");
    expect(await rack.deploymentsOf(versionId)).toEqual(made);
    await expect(rack.start(versionId)).rejects.toThrow(/revert/);
  });

  /** Who serves the three: what nobody may have started anew. */
  async function pidsOf(machine: SystemdMachine): Promise<string[]> {
    const programs = (await machine.run("pgrep -f '^busybox httpd'")).trim().split("\n");
    if (machine !== machines[0]) return programs;
    const containers = (await rack.engine.docker("ps", "-q")).trim().split("\n");
    const inspected = await rack.engine.docker(
      "inspect",
      "-f",
      "{{.Name}} {{.State.Pid}} {{.RestartCount}}",
      ...containers,
    );
    return [...programs, ...inspected.trim().split("\n").sort()];
  }

  it("keep what they deployed, pid for pid, and lose no request while their agents replace themselves", async () => {
    const two = machines.slice(0, 2);
    const { items } = await rack.master.api<{ items: { id: string; name: string }[] }>("GET", "/agents");
    const ids = two.map(({ name }) => items.find((agent) => agent.name === name)!.id);
    /** Connected, and its proxy in the place of the one before, which has ended. */
    const run = async (version: string, slots: Record<"a" | "b", "active" | "inactive">) => {
      for (const [i, machine] of two.entries()) {
        await eventually(async () => {
          const { status, versions } = await rack.master.api("GET", `/agents/${ids[i]}`);
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
    const { id } = await rack.master.api("POST", "/agents/upgrade", { ids, batch: 2 });
    const over = await eventually(
      async () => {
        const now = await rack.master.api("GET", `/agent-upgrades/${id}`);
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
      const { items: applications } = await rack.master.api<{ items: { id: string; name: string }[] }>(
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
          const way = `/applications/${idOf(app)}/environments/${rack.environmentId}/resources`;
          const { items } = await rack.master.api<{ items: AppStateItem[] }>("GET", way);
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
        (await rack.engine.docker("ps", "--format", "{{.Names}}")).split("\n").find((name) =>
          name.includes(`-${app}-`)
        )!;
      const stop = (machine: SystemdMachine, app: string) => machine.run(`systemctl stop 'boreas-app-${app}@*'`);

      await rack.engine.docker("rm", "--force", await container("shop"));
      await stop(zinc, "api");
      const reported = [
        await seen("shop", dock, differs("container"), "is missing"),
        await seen("api", zinc, differs("process"), "is stopped"),
      ];
      const made = await rack.deploymentsOf(reported[0]!.versionId!);

      const id = await rack.start(await rack.push("v5", { heals: true }));
      applications.push(...(await rack.master.api("GET", "/applications")).items);
      await seen("mail", dock, ({ health }) => health === "healthy", "runs");
      await rack.engine.docker("stop", await container("mail"));
      await seen("mail", dock, ({ drift }) => drift.length > 0, "is stopped");
      // The second batch waits until now, so that all of this was in the middle of it.
      await eventually(async () => {
        const skipped = await rack.master.raw("POST", `/api/v1/deployments/${id}/skip`, {}, rack.master.bearer());
        return skipped.status === 200;
      }, "the wait between two batches");
      const over = await rack.ended(id);
      expect(described(over)).toMatch(/^completed/);

      const shop = await container("shop");
      const labels = JSON.parse(await rack.engine.docker("inspect", "-f", "{{json .Config.Labels}}", shop));
      const image = (await rack.engine.docker("inspect", "-f", "{{.Image}}", shop)).trim();
      await rack.engine.docker("rm", "--force", shop);
      const kept = Object.entries(labels).flatMap(([key, value]) => ["--label", `${key}=${value}`]);
      await rack.engine.docker("run", "--detach", "--name", shop, "--env", "DEBUG=1", ...kept, image);
      await iron.run(`unit=$(systemctl show -p FragmentPath --value 'boreas-app-api@*')
      echo '# by hand' >>"$unit" && systemctl daemon-reload && systemctl kill --signal=KILL "\${unit##*/}"`);
      await dock.run("cd /var/lib/boreas/apps/*/api && ln -sfn releases current");
      await zinc.run("echo '# by hand' >>$(echo /var/lib/boreas/apps/*/api/current/serve)");
      await stop(iron, "side");

      const healed = ({ sync, healing }: AppStateItem) => sync === "synced" && healing !== null;
      const why = async (state: AppStateItem) =>
        JSON.stringify((await rack.master.api("GET", `/deployments/${state.healing!.deploymentId}/timeline`)).items);
      const mail = await seen("mail", dock, healed, "runs again");
      const heal = await rack.master.api("GET", `/deployments/${mail.healing!.deploymentId}`);
      expect(Date.parse(heal.createdAt)).toBeGreaterThanOrEqual(Date.parse(over.completedAt!));
      expect(await why(await seen("shop", dock, healed, "is its own again"))).toContain("env is");
      expect(await why(await seen("api", iron, healed, "is its own unit again"))).toContain("unit is");
      expect(await why(await seen("api", dock, healed, "has its link again"))).toContain("current is");
      expect(await why(await seen("api", zinc, healed, "has its own program again"))).toContain("files/./serve is");
      for (const machine of machines) expect(await rack.ask(machine, API_PORT)).toBe("v5");
      expect(await rack.ask(dock, SHOP_PORT)).toBe("v5");
      // What nobody wants to know stays as it was made; what was only told of was not touched by itself.
      const side = await seen("side", iron, ({ health }) => health !== "healthy", "is stopped");
      expect([side.sync, side.drift, side.healing]).toEqual(["unknown", [], null]);
      for (const { driftMode, healing } of reported) expect([driftMode, healing]).toEqual(["report", null]);
      expect(await rack.deploymentsOf(reported[0]!.versionId!)).toEqual(made);
    },
    600_000,
  );
});
