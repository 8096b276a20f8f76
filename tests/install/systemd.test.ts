/** The pasted line on a machine with systemd: what it leaves there, what it asks for, and how it goes away again. */
import { beforeAll, describe, expect, it } from "vitest";
import { startSystemdMachine } from "../helpers/systemd_machine.ts";
import type { SystemdMachine } from "../helpers/systemd_machine.ts";
import {
  HOST,
  type InstallWorld,
  machines,
  paste,
  runScript,
  says,
  startInstallWorld,
  watchArguments,
} from "./support/install_world.ts";

describe.skipIf(!machines.available)(`the enrolment line on a machine with systemd${machines.reason}`, () => {
  let world: InstallWorld;
  let machine: SystemdMachine;
  beforeAll(async () => {
    world = await startInstallWorld();
    machine = await startSystemdMachine({
      network: "own",
      name: "rack",
      only: [{ port: world.port }],
      hosts: { [HOST]: "host" },
    });
  });
  const pid = async () => (await machine.run("systemctl show -p MainPID --value boreas-agent")).trim();
  const NOTHING = "test ! -e /opt/boreas && test ! -e /etc/boreas && test ! -e /var/lib/boreas && " +
    "test ! -e /etc/systemd/system/boreas-agent.service";

  it("does nothing when the authority is not the one it pins, when it is cut off, or when it is a dry run", async () => {
    const { line } = await world.line();
    expect(line).toMatch(/ \^[0-9a-f]{64} /);
    const other = await paste(machine, line.replace(/ \^[0-9a-f]{64} /, ` ^${"0".repeat(64)} `));
    expect([other.code, other.stdout]).toEqual([1, "This is not the Boreas that made this line.\n"]);
    const { text: script } = await world.master.raw("GET", "/api/v1/install.sh");
    await machine.copyIn(new TextEncoder().encode(script), "/root/whole.sh");
    // Anywhere, but for the last character of the last line: `main "$@` asks for its other quote.
    await machine.run(`cd /root; size=$(wc -c <whole.sh); at=$((size - 3)); while [ "$at" -gt 0 ]; do
      head -c "$at" whole.sh >cut.sh; BOREAS_TOKEN=bet_x sh cut.sh >/dev/null 2>&1; at=$((at - size / 60)); done; ${NOTHING}`);
    const dry = await runScript(machine, world, "--dry-run");
    expect([dry.code, dry.stderr]).toEqual([0, ""]);
    expect(dry.stdout).toContain(`would enrol this machine as ${machine.name}, for which BOREAS_TOKEN must be set`);
    await machine.run(NOTHING);
    const none = await runScript(machine, world, "");
    expect([none.code, none.stderr]).toEqual([1, expect.stringContaining("there is no token. Take the line")]);
    await machine.run(NOTHING);
  });

  it("refuses a file that is not what the script vouches for, and leaves nothing of it", async () => {
    const edit = (script: string) => script.replace(/(boreas-agent\.js) [0-9a-f]{64}/, `$1 ${"0".repeat(64)}`);
    const { token } = await world.line();
    const refused = await runScript(machine, world, "", { token, edit });
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining("is not what the master vouched for")]);
    await machine.run(
      "test ! -e /opt/boreas/agent/current && test ! -e /opt/boreas/.stage && ! pgrep -f '[b]oreas-agent[.]js'",
    );
    const wrongRuntime = (script: string) => script.replace(/(deno-linux-\w+) [0-9a-f]{64}/, `$1 ${"1".repeat(64)}`);
    expect((await runScript(machine, world, "", { token, edit: wrongRuntime })).code).toBe(1);
    expect(await world.agent(machine.name)).toBeUndefined();
  });

  it("makes it an agent, opens no port, asks nobody but the master, and shows the token to nobody", async () => {
    const before = await machine.listening();
    const { line, token } = await world.line({ labels: { role: "order" } });
    const watched = await watchArguments(machine);
    const pasted = await paste(machine, line);
    expect([pasted.stderr, pasted.code]).toEqual(["", 0]);
    expect(pasted.stdout).toContain(`boreas: connected to ${world.url}.`);
    await machine.run("journalctl --sync");
    expect(await machine.run("journalctl --no-pager")).toContain("COMMAND=/usr/bin/sh"); // sudo says what it ran
    const seen = await watched();
    expect(seen).toContain("boreas-agent.js enroll");
    expect(seen).not.toContain(token);
    expect(await world.agent(machine.name)).toMatchObject({ status: "connected", labels: { role: "order" } });
    expect(await machine.listening()).toEqual(before);
    expect(await machine.strayPackets()).toBe(0);
    const found = await machine.attempt('grep -rlaF "$T" /etc /opt /var /root /tmp /run 2>/dev/null', {
      env: { T: token.slice(4) },
    });
    expect(found.stdout).toBe("");
    const modes = "stat -c '%a %U %n' /opt/boreas/agent/0.* /opt/boreas/agent/current/boreas-agent /etc/boreas " +
      "/etc/boreas/agent.yaml /var/lib/boreas /var/lib/boreas/identity.json";
    expect((await machine.run(modes)).replace(/agent\/\d[^/\s]*/, "agent/VERSION").trim().split("\n")).toEqual([
      "755 root /opt/boreas/agent/VERSION",
      "755 root /opt/boreas/agent/current/boreas-agent",
      "700 root /etc/boreas",
      "600 root /etc/boreas/agent.yaml",
      "700 root /var/lib/boreas",
      "600 root /var/lib/boreas/identity.json",
    ]);
    const unit = await machine.run("systemctl is-enabled boreas-agent; systemctl show -p OOMScoreAdjust boreas-agent");
    expect(unit).toBe("enabled\nOOMScoreAdjust=-500\n");
  });

  it("comes back by itself after a cut of the power", async () => {
    await machine.kill();
    await machine.start();
    await says(machine, "boreas-agent health", '"connected":true');
  });

  it("changes nothing when it is run again, and brings back what was altered, with configuration and identity kept", async () => {
    await machine.run("echo '# mine' >>/etc/boreas/agent.yaml");
    const kept = () => machine.run("cat /etc/boreas/agent.yaml; grep -o 'agentId[^,]*' /var/lib/boreas/identity.json");
    const [first, config] = [await pid(), await kept()];
    const again = await runScript(machine, world, "");
    expect([again.code, again.stdout]).toEqual([0, expect.stringContaining("the agent is up to date and runs")]);
    expect(await pid()).toBe(first);
    await machine.run("echo '// altered' >>/opt/boreas/agent/current/boreas-agent.js");
    const mended = await runScript(machine, world, "");
    expect([mended.code, mended.stdout]).toEqual([0, expect.stringContaining("starting the agent anew")]);
    expect(await pid()).not.toBe(first);
    expect(await machine.run("tail -n 1 /opt/boreas/agent/current/boreas-agent.js")).not.toContain("altered");
    expect(await kept()).toBe(config);
    // What an upgrade has left that was given up, and whose way back is not on the disk any more.
    await machine.run(`mkdir -p /var/lib/boreas/upgrade; cd /var/lib/boreas/upgrade
      printf '{"id":"u","from":"0.0.1","to":"%s"}' "$(readlink /opt/boreas/agent/current)" >plan.json
      printf '{"verdict":"reverted","reason":"not welcomed"}' >verdict.json
      echo '// altered' >>/opt/boreas/agent/current/boreas-agent.js`);
    const rescued = await runScript(machine, world, "");
    expect([rescued.stderr, rescued.code]).toEqual(["", 0]);
    expect(rescued.stdout).toContain("connected to");
    await machine.run("test -e /opt/boreas/agent/current/boreas-agent && test ! -e /var/lib/boreas/upgrade/plan.json");
    const elsewhere = await runScript(machine, world, "", {
      edit: (s) => s.replace(/^MASTER_URL=.*/m, "MASTER_URL='https://elsewhere'"),
    });
    expect([elsewhere.code, elsewhere.stderr]).toEqual([
      1,
      expect.stringContaining(`this machine belongs to ${world.url}`),
    ]);
  });

  it("goes away with --uninstall, keeps its identity for another time, and forgets it with --purge", async () => {
    expect((await runScript(machine, world, "--uninstall")).code).toBe(0);
    await machine.run(
      "test ! -e /opt/boreas && test ! -e /usr/local/bin/boreas-agent && ! pgrep -f '[b]oreas-agent[.]js'",
    );
    await machine.run("test -s /etc/boreas/agent.yaml && test -s /var/lib/boreas/identity.json");
    expect((await machine.attempt("systemctl cat boreas-agent")).code).not.toBe(0);
    const purged = await runScript(machine, world, "--uninstall --purge");
    expect([purged.code, purged.stdout]).toEqual([0, expect.stringContaining("Revoke this machine")]);
    await machine.run(NOTHING);
  });

  it("prepares an image of a machine with --no-start: whoever starts it first enrols it then", async () => {
    const { token } = await world.line();
    const name = `${machine.name}-image`;
    const prepared = await runScript(machine, world, `--no-start --name ${name}`, { token });
    expect([prepared.stderr, prepared.code]).toEqual(["", 0]);
    expect(await world.agent(name)).toBeUndefined();
    expect(await machine.run("stat -c %a /var/lib/boreas/enroll.token; systemctl is-enabled boreas-agent")).toBe(
      "600\nenabled\n",
    );
    await machine.run("systemctl start boreas-agent");
    await world.connected({ ...machine, name });
    await machine.run("test ! -e /var/lib/boreas/enroll.token");
  });
});
