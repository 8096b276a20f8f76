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

  it("survives kills at random instants", async () => {
    const program = "exec sleep 1000";
    const attempt = "/tmp/attempt";
    const told: string[] = [];
    for (let i = 0; i < 24; i++) {
      const version = `r${i}`;
      await machine.attempt(`rm -f ${attempt}`);
      const given = JSON.stringify({ root: ROOT, generation: ++generation, do: "deploy", version, program, attempt });
      const cuts: string[] = [];
      for (let k = 0; k < 1 + i % 3; k++) {
        const after = (0.25 + Math.random() * 1.3).toFixed(3);
        const cut = await machine.attempt(`cd / && timeout --signal=KILL ${after} ${deno} run -A --quiet --no-config /opt/driver.js "$ACT"`, { env: { ACT: given } });
        cuts.push(`${after}:${cut.code}`);
        if (cut.code === 0) break;
      }
      const done = await act({ do: "deploy", version, program, attempt, generation });
      told.push(`${cuts.join(" ")} -> ${done.outcome.status} ${done.outcome.message}`);
      console.log(told.at(-1));
      expect(done.outcome).toMatchObject({ status: "success", details: { version } });
    }
  }, 300_000);
});
