/**
 * A container engine of one test machine: a process of this host in the network of that machine, so that what it
 * publishes is published there. The machine finds it where every machine does, at /var/run/docker.sock.
 *
 *   const engine = await prepareEngine({ insecureRegistry: "172.17.0.1:5000" });
 *   const machine = await startSystemdMachine({ mounts: [engine.mount], only: [..., engine.only] });
 *   await engine.start(machine);
 */
import { afterAll } from "vitest";
import { docker, run } from "./docker.ts";
import type { SystemdMachine } from "./systemd_machine.ts";

const SUBNET = "10.213.0";
const SECONDS = 60;

const closing: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const close of closing.splice(0)) await close();
});

export async function prepareEngine(options: { insecureRegistry: string; containerPort: number }) {
  const folder = await Deno.makeTempDir({ prefix: "boreas-engine-" });
  await Deno.mkdir(`${folder}/shared`);
  const socket = `unix://${folder}/shared/docker.sock`;
  const inEngine = (...args: string[]) => run("docker", ["--host", socket, ...args]);
  return {
    mount: `${folder}/shared:/run/engine`,
    /** What the machine must be allowed to reach so that its own containers answer it. */
    only: { address: `${SUBNET}.0/24`, port: options.containerPort },
    docker: inEngine,
    async start(machine: SystemdMachine): Promise<void> {
      const pid = (await docker(["inspect", "--format", "{{.State.Pid}}", machine.name])).trim();
      const engine = new Deno.Command("nsenter", {
        args: [
          ...["--target", pid, "--net", "dockerd", "--host", socket, "--bip", `${SUBNET}.1/24`],
          ...["--data-root", `${folder}/data`, "--exec-root", `${folder}/run`, "--pidfile", `${folder}/pid`],
          ...["--insecure-registry", options.insecureRegistry],
        ],
        stdin: "null",
        stdout: "null",
        stderr: "null",
      }).spawn();
      closing.push(async () => {
        const left = (await inEngine("ps", "-aq")).split("\n").filter(Boolean);
        if (left.length > 0) await inEngine("rm", "-f", ...left);
        engine.kill("SIGTERM");
        await engine.status;
        await Deno.remove(folder, { recursive: true });
      });
      const deadline = performance.now() + SECONDS * 1000;
      while (!(await new Deno.Command("docker", { args: ["--host", socket, "info"] }).output()).success) {
        if (performance.now() > deadline) {
          throw new Error(`the engine of ${machine.name} did not come about within ${SECONDS} s`);
        }
        await new Promise((done) => setTimeout(done, 200));
      }
      await machine.run("ln -sf /run/engine/docker.sock /run/docker.sock");
    },
  };
}
