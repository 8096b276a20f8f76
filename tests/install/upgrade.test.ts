/**
 * An agent with systemd replaces itself: the watcher in a unit of its own, tasks and programs untouched, and back again
 * when the new version never reaches the master.
 */
import { afterEach, describe, expect, it } from "vitest";
import { PRODUCT_VERSION } from "../../compose/product_version.ts";
import { becomeOlder, OLDER as OLD } from "../helpers/older_agent.ts";
import { eventually } from "../helpers/start_product.ts";
import { startSystemdMachine } from "../helpers/systemd_machine.ts";
import type { SystemdMachine } from "../helpers/systemd_machine.ts";
import { HOST, machines, paste, startInstallWorld } from "./support/install_world.ts";

const DIR = "/opt/boreas/agent";
const started: SystemdMachine[] = [];
afterEach(async () => {
  for (const machine of started.splice(0)) await machine.close();
});

describe.skipIf(!machines.available)(`an agent with systemd${machines.reason}`, () => {
  it("takes the master's version and leaves programs alone; goes back when the new one is not welcomed", async () => {
    const world = await startInstallWorld();
    const machine = await startSystemdMachine({ name: "upgrade", hosts: { [HOST]: "host" } });
    started.push(machine);
    const { code, stderr } = await paste(machine, (await world.line()).line);
    expect(code, stderr).toBe(0);
    await world.connected(machine);
    const { id } = (await world.agent(machine.name))!;
    const runs = async (version: string) =>
      await eventually(async () => {
        const { status, versions } = await world.master.api("GET", `/agents/${id}`);
        return status === "connected" && versions.boreas === version;
      }, `it runs ${version}`);
    const upgrade = async () => (await world.master.api("POST", "/agents/upgrade", { ids: [id] })).id;
    const ended = (upgradeId: string) =>
      eventually(async () => {
        const now = await world.master.api("GET", `/agent-upgrades/${upgradeId}`);
        return now.status !== "running" && now.agents[0].state !== "asked" && now;
      }, "the upgrade's end");
    const watcher = async () => (await machine.attempt("systemctl is-active boreas-agent-watch")).stdout.trim();

    await becomeOlder(machine, 60);
    await runs(OLD);
    // A child of the agent's own unit, as the scripts of deployments are.
    await machine.run("systemd-run --unit boreas-app-x@a sleep 900");
    const pid = await machine.run("systemctl show -p MainPID --value boreas-app-x@a");
    const up = await ended(await upgrade());
    expect([up.status, up.agents[0].reason.text]).toEqual(["completed", `Came back with ${PRODUCT_VERSION}.`]);
    await runs(PRODUCT_VERSION);
    await eventually(async () => await watcher() === "inactive", "the watcher has gone");
    expect((await machine.attempt("ls /etc/systemd/system/boreas-agent-watch.service")).code).not.toBe(0);
    expect(await machine.run("systemctl show -p MainPID --value boreas-app-x@a")).toBe(pid);

    await becomeOlder(machine, 15);
    await runs(OLD);
    // From the moment of the switch on the master cannot be reached.
    await machine.run(
      `(until [ "$(readlink ${DIR}/current)" = ${PRODUCT_VERSION} ]; do :; done; cp /etc/hosts /root/hosts; ` +
        `sed 's/^.*${HOST}.*$/192.0.2.1 ${HOST}/' /root/hosts >/etc/hosts) >/dev/null 2>&1 </dev/null &`,
    );
    const second = await upgrade();
    await eventually(async () => await watcher() === "active", "the watcher watches");
    const unit = await machine.run("systemctl show -p ControlGroup --value boreas-agent-watch");
    expect(unit.trim()).toMatch(/boreas-agent-watch.service$/);
    await eventually(async () => (await machine.run(`readlink ${DIR}/current`)).trim() === OLD, "the link is back");
    await machine.run("cat /root/hosts >/etc/hosts");
    const back = await ended(second);
    expect([back.status, back.agents[0].state]).toEqual(["failed", "failed"]);
    expect(back.reason.text).toContain("was not welcomed by the master within 15 s");
    await runs(OLD);
    expect(await machine.run("systemctl show -p MainPID --value boreas-app-x@a")).toBe(pid);
  });
});
