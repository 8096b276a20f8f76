import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { component } from "../../../tests/helpers/require_component.ts";
import { startSystemdMachine } from "../../../tests/helpers/systemd_machine.ts";
import type { SystemdMachine } from "../../../tests/helpers/systemd_machine.ts";
import { temporaryFolder } from "../../../tests/helpers/temporary_folder.ts";
import type { DriverAct } from "../../../tests/helpers/unit_driver.ts";
import type { Observed } from "../../operator.ts";
import type { OutcomeInput } from "../../../protocol/operation.ts";

const parts = [component("docker"), component("netns")];
const reason = parts.map((part) => part.reason).join("");
const deno = Deno.realPathSync(Deno.execPath());
const ROOT = "/var/lib/boreas/apps";
const SLOT = `${ROOT}/prod/order/slots`;

let machine: SystemdMachine;
let generation = 0;

interface Done {
  outcome: OutcomeInput & { details: { pid: number } };
  text: string;
  observed: Observed[];
  logs: { message: string }[];
}
/** An agent that starts, does one thing and ends. */
async function act(what: Omit<DriverAct, "root">): Promise<Done> {
  const given = JSON.stringify({ root: ROOT, generation: ++generation, ...what } satisfies DriverAct);
  const run = `cd / && ${deno} run -A --quiet --no-config /opt/driver.js "$ACT"`;
  return JSON.parse(await machine.run(run, { env: { ACT: given } })) as Done;
}
const deploy = (version: string, program: string, more: Partial<DriverAct> = {}) =>
  act({ do: "deploy", version, program, ...more });
const show = async (unit: string, property: string) =>
  (await machine.run(`systemctl show --value --property=${property} '${unit}'`)).trim();
const units = async () =>
  (await machine.run("cd /etc/systemd/system && ls | grep ^boreas-app- || true")).split("\n").filter(Boolean);
const cgroupOf = (pid: number) => machine.run(`cat /proc/${pid}/cgroup`);
const until = (look: () => Promise<unknown>) => expect.poll(look, { timeout: 60_000, interval: 200 });

describe.skipIf(parts.some((part) => !part.available))(`a binary on a machine with systemd${reason}`, () => {
  beforeAll(async () => {
    machine = await startSystemdMachine({ mounts: [`${dirname(deno)}:${dirname(deno)}:ro`] });
    const bundle = join(await temporaryFolder("driver"), "driver.js");
    const made = await new Deno.Command(deno, {
      args: ["bundle", "--quiet", "--platform", "deno", "--output", bundle, "tests/helpers/unit_driver.ts"],
      cwd: join(import.meta.dirname!, "../../.."),
    }).output();
    if (!made.success) throw new Error(new TextDecoder().decode(made.stderr));
    await machine.copyIn(bundle, "/opt/driver.js");
  });
  afterAll(() => machine?.close());

  it("runs in a unit of its own, with its environment, user and limits", async () => {
    const odd = `a "b" $HOME \\ 'c' %n \`id\` \u00e9\nsecond line`;
    const done = await deploy("v1", `echo "up as $(id -un)"; printf '%s' "$ODD" >/tmp/odd; exec sleep 1000`, {
      runtime: { user: "daemon", limits: { memory: "64m", cpu: 0.5 } },
      spec: { env: { LEVEL: "info" } },
      secrets: { ODD: odd },
    });
    expect(done.outcome).toMatchObject({ status: "success", details: { version: "v1" } });
    expect(done.text).toContain("up as daemon\n");
    expect(await machine.run("cat /tmp/odd")).toBe(odd);
    const unit = "boreas-app-order@a.service";
    expect(await units()).toEqual([unit]);
    expect(await cgroupOf(done.outcome.details.pid)).toContain(`${unit}`);
    expect(await show(unit, "MemoryMax")).toBe(String(64 * 1024 * 1024));
    expect(await show(unit, "CPUQuotaPerSecUSec")).toBe("500ms");
    expect(await show(unit, "UnitFileState")).toBe("enabled");
    expect(await machine.run(`stat -c %a ${SLOT}/a/unit.env ${SLOT}/a/start.json`)).toBe("600\n600\n");
    expect(await machine.run(`cat /etc/systemd/system/${unit}`)).not.toContain("second line");
  });

  it("is started by the next agent when one died right before it, and the end of the run before is not taken for its own", async () => {
    const program = "exec sleep 1000";
    const attempt = "/tmp/attempt";
    for (const version of ["w1", "w2"]) {
      await machine.attempt(`rm -f ${attempt}`);
      const given = { version, program, attempt, diesAfterSave: true };
      await expect(deploy(version, program, given)).rejects.toThrow();
      expect((await deploy(version, program, { attempt })).outcome).toMatchObject({
        status: "success",
        details: { version },
      });
    }
    expect(await units()).toEqual(["boreas-app-order@a.service"]);
  });

  it("changes its version from slot to slot, and leaves one unit", async () => {
    const done = await deploy("v2", "trap 'echo bye; exit 0' TERM; echo two; while :; do sleep 0.1; done");
    expect(done.outcome).toMatchObject({ status: "success", details: { version: "v2" } });
    expect(await units()).toEqual(["boreas-app-order@b.service"]);
    expect(await show("boreas-app-order@b.service", "ActiveState")).toBe("active");
    const back = await deploy("v3", "echo no; exit 7", {
      spec: { health: [{ tcp: { port: 1 } }], deadlineSeconds: 30 },
    });
    expect(back.outcome).toMatchObject({ status: "failed", code: "process.exited", details: { version: "v2" } });
    expect(back.outcome.lastLines).toContain("no");
    expect(await units()).toEqual(["boreas-app-order@b.service"]);
    expect(back.outcome.details.pid).toBe(done.outcome.details.pid);
  });

  it("is named where somebody changed its unit by hand", async () => {
    const unit = "boreas-app-order@b.service";
    const file = `/etc/systemd/system/${unit}`;
    expect((await act({ do: "observe" })).observed[0]).toMatchObject({
      differences: [],
      resources: [{ kind: "unit", name: unit, state: "running", restarts: 0 }],
    });
    await machine.run(
      `cp ${file} /tmp/unit; echo Nice=5 >>${file}; mkdir ${file}.d; printf '[Service]\nNice=3\n' >${file}.d/nice.conf; ` +
        `systemctl disable ${unit}; systemctl daemon-reload`,
    );
    const { differences } = (await act({ do: "observe" })).observed[0]!;
    expect(differences).toEqual([
      { path: "unit", expected: "as written by Boreas", actual: "changed: Nice=5" },
      { path: "unit.enabled", expected: "yes", actual: "no" },
      { path: "unit.overrides", expected: "none", actual: `${file}.d/nice.conf` },
    ]);
    await machine.run(`cp /tmp/unit ${file}; rm -r ${file}.d; systemctl enable ${unit}`);
  });

  it("is started again by systemd without any agent, and the next agent finds it", async () => {
    const [before] = (await act({ do: "observe" })).observed;
    const { pid } = before!.details as { pid: number };
    await machine.run(`kill -9 ${pid}`);
    await until(async () =>
      (await machine.attempt(`pgrep -f '^/bin/sh ./app|/order/releases/v2/app' | head -1`)).stdout.trim()
    )
      .not.toBe("");
    await until(async () => (await act({ do: "observe" })).observed[0]!.details.pid ?? pid).not.toBe(pid);
    expect(await show("boreas-app-order@b.service", "NRestarts")).toBe("1");
  });

  it("comes back when the machine lost its power, with nobody's help", async () => {
    await machine.run("sync");
    await machine.kill();
    await machine.start();
    await until(async () => await show("boreas-app-order@b.service", "SubState")).toBe("running");
    const [seen] = (await act({ do: "observe" })).observed;
    expect(seen).toMatchObject({ version: "v2", health: "healthy" });
  });

  it("waits in a unit that is not started at boot, and is held in one that is, until its finish takes that away", async () => {
    const [a, b] = ["boreas-app-order@a.service", "boreas-app-order@b.service"];
    const part = (what: "prepare" | "switch" | "finish") =>
      act({ do: what, version: "p2", hold: true, ...(what === "prepare" ? {} : { generation }) });
    expect((await part("prepare")).outcome).toMatchObject({ status: "success" });
    expect([await show(a, "ActiveState"), await show(a, "UnitFileState")]).toEqual(["active", "disabled"]);
    const { outcome, observed } = await part("switch");
    expect(outcome).toMatchObject({ status: "success", details: { version: "p2", beside: { role: "held" } } });
    expect(observed[0]).toMatchObject({
      differences: [],
      resources: [{ kind: "unit", name: a }, { kind: "unit", name: b, state: "running (held)" }],
    });
    expect(await show(a, "UnitFileState")).toBe("enabled");
    await machine.run(`kill -9 ${await show(b, "MainPID")}`);
    await until(async () => `${await show(b, "SubState")} ${await show(b, "NRestarts")}`).toMatch(/^running [1-9]/);
    expect((await part("finish")).outcome).toMatchObject({ status: "success" });
    expect(await units()).toEqual([a]);
    expect((await act({ do: "observe" })).observed).toMatchObject([{ version: "p2", health: "healthy" }]);
  });

  it("has its public port held by a unit too, which answers again by itself after the power was lost", async () => {
    const program =
      'mkdir -p www; echo "$BOREAS_VERSION" >www/index.html; exec busybox httpd -f -p 127.0.0.1:$PORT -h www';
    const web = (version: string) =>
      deploy(version, program, {
        runtime: { ports: { http: "auto" } },
        spec: { route: { mode: "proxy", listen: 80, port: "http", host: null, drainSeconds: 5 } },
      });
    expect((await web("v5")).outcome).toMatchObject({ status: "success" });
    expect(await machine.run("curl -sS http://127.0.0.1/")).toBe("v5\n");
    expect((await web("v6")).outcome).toMatchObject({ status: "success" });
    expect(await machine.run("curl -sS http://127.0.0.1/")).toBe("v6\n");
    expect(await show("boreas-proxy@a.service", "UnitFileState")).toBe("enabled");
    await machine.run("sync");
    await machine.kill();
    await machine.start();
    await until(async () => (await machine.attempt("curl -sS http://127.0.0.1/")).stdout).toBe("v6\n");
    expect((await act({ do: "observe" })).observed[0]).toMatchObject({ version: "v6", differences: [] });
  });

  it("ends with everything it started, and takes its unit with it, when the application is removed", async () => {
    await deploy(
      "v4",
      "(setsid sh -c 'trap \"\" TERM; exec sleep 4321' &); trap '' TERM; while :; do sleep 0.1; done",
      {
        runtime: { stop: { grace: "1s" } },
      },
    );
    expect((await machine.run("pgrep -x sleep -a | grep 4321 || true")).trim()).not.toBe("");
    expect((await act({ do: "remove" })).outcome).toMatchObject({ status: "success" });
    expect((await machine.attempt("pgrep -x sleep -a | grep 4321 || true")).stdout).toBe("");
    expect(await units()).toEqual([]);
    expect(await machine.run("systemctl list-units --all --plain --no-legend 'boreas-app-*'")).toBe("");
  });
});
