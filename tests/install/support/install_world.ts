/** A started master with an authority of its own, and the machines on which its script is run as a person would run it. */
import { buildAgent } from "../../../scripts/build_agent.ts";
import { buildRuntime } from "../../../scripts/build_runtime.ts";
import { component } from "../../helpers/require_component.ts";
import { eventually, startMaster } from "../../helpers/start_product.ts";
import type { Master } from "../../helpers/start_product.ts";
import type { Attempt, SystemdMachine } from "../../helpers/systemd_machine.ts";

const parts = [component("docker"), component("netns")];
export const machines = {
  available: parts.every((part) => part.available),
  reason: parts.map((part) => part.reason).join(""),
};
/** What machines call the master. */
export const HOST = "boreas.test";

export interface InstallWorld {
  master: Master;
  port: number;
  url: string;
  /** The line to paste, for a new token. */
  line(more?: Record<string, unknown>): Promise<{ line: string; token: string }>;
  agent(name: string): Promise<{ id: string; status: string; labels: Record<string, string> } | undefined>;
  connected(machine: SystemdMachine): Promise<void>;
}

export async function startInstallWorld(): Promise<InstallWorld> {
  await buildAgent(() => {});
  await buildRuntime(() => {});
  const master = await startMaster({ BOREAS_PUBLIC_URL: `https://${HOST}:PORT`, BOREAS_LISTEN: "0.0.0.0" });
  const port = Number(new URL(master.url).port);
  const agent: InstallWorld["agent"] = async (name) =>
    (await master.api("GET", "/agents?limit=200")).items.find((one: { name: string }) => one.name === name);
  return {
    master,
    port,
    url: `https://${HOST}:${port}`,
    line: (more = {}) => master.api("POST", "/enrollment-tokens", more),
    agent,
    async connected(machine) {
      await eventually(async () => (await agent(machine.name))?.status === "connected", `${machine.name} is connected`);
    },
  };
}

/** Until a command on the machine says so. */
export const says = (machine: SystemdMachine, command: string, word: string) =>
  eventually(async () => (await machine.attempt(command)).stdout.includes(word), `${command} says ${word}`);

/** Typed into the machine's shell: nothing of it stands in an argument vector of ours. */
export const paste = (machine: SystemdMachine, line: string, shell = "sh"): Promise<Attempt> =>
  machine.attempt(shell, { input: `${line}\n` });

/** The script as it was handed out, with options; the token, if there is one, in the environment. */
export async function runScript(
  machine: SystemdMachine,
  world: InstallWorld,
  options: string,
  { token, shell = "sh", edit = (script: string) => script }: {
    token?: string;
    shell?: string;
    edit?: (script: string) => string;
  } = {},
): Promise<Attempt> {
  const { text } = await world.master.raw("GET", "/api/v1/install.sh", undefined, { host: `${HOST}:${world.port}` });
  return await machine.attempt(`${shell} -s -- ${options}`, {
    input: edit(text),
    env: token ? { BOREAS_TOKEN: token } : {},
  });
}

/** Every argument vector that is seen on the machine from now on; ended by the returned function. */
export async function watchArguments(machine: SystemdMachine): Promise<() => Promise<string>> {
  await machine.run(
    "rm -f /tmp/watched /tmp/watched.end; (while [ ! -e /tmp/watched.end ]; do cat /proc/[0-9]*/cmdline; done) " +
      ">/tmp/watched 2>/dev/null </dev/null &",
  );
  return async () => await machine.run(`touch /tmp/watched.end; tr '\\0' ' ' </tmp/watched | tr -s '\\n'`);
}
