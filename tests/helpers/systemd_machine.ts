/**
 * A machine with systemd, as a container of a debootstrapped Debian: what an agent is installed on in the field. Nothing
 * can be dialled on it from outside, and with `only` nothing but the master from inside; packets that tried are counted.
 *
 *   const machine = await startSystemdMachine({ only: { port: masterPort } });
 *   await machine.run("systemctl is-active boreas-agent", { env: { BOREAS_TOKEN: token } });
 *
 * Needs the components `docker` and `netns`. The image is made once per machine (about a minute) and kept, under a name
 * that changes with what is in it.
 */
import { afterAll } from "vitest";
import { SETTING } from "../../host/proxy/waiting_connections.ts";
import { docker, run } from "./docker.ts";
import { makeSystemdImage } from "./systemd_image.ts";

export interface SystemdMachine {
  /** Of the container; also its host name. */
  name: string;
  /** This host, seen from the machine. */
  hostAddress: string;
  /** Runs a POSIX sh script as root. @returns what it printed @throws Error with all it said, when it failed */
  run(script: string, options?: RunOptions): Promise<string>;
  /** The same for a script that may fail. */
  attempt(script: string, options?: RunOptions): Promise<Attempt>;
  /** A file of this host, or its bytes. */
  copyIn(from: string | Uint8Array, path: string, mode?: string): Promise<void>;
  /** Sockets that listen on it, as `ss` prints them. */
  listening(): Promise<string[]>;
  /** Packets out of it that were for somebody else than `only`; 0 without that. */
  strayPackets(): Promise<number>;
  /** As pulling the plug: no process is told. The next `start` boots it again on the same disk. */
  kill(): Promise<void>;
  start(): Promise<void>;
  close(): Promise<void>;
}

export interface RunOptions {
  /** Never in an argument vector, neither there nor here. */
  env?: Record<string, string>;
  input?: string | Uint8Array;
}
export interface Attempt {
  code: number;
  stdout: string;
  stderr: string;
}

export interface MachineOptions {
  /** Its host name, made unique; `machine` unless told. */
  name?: string;
  /** A network of the engine, `bridge` unless told; `own` for one of this test file's own. */
  network?: string;
  /** All it may reach beside itself: this host at these ports, or another address. Nothing is forbidden without it. */
  only?: { address?: string; port: number }[];
  /** Host names it knows, such as `{ "boreas.test": "host" }`; `host` stands for the address of this host. */
  hosts?: Record<string, string>;
  /** `source:target[:ro]`, as the engine takes them. */
  mounts?: string[];
  /** `none`: a machine whose first process starts nothing, as where there is no systemd. */
  init?: "systemd" | "none";
}

const BOOT_SECONDS = 90;

const open = new Set<SystemdMachine>();
afterAll(async () => {
  for (const machine of [...open]) await machine.close();
  if (made) await docker(["network", "rm", await made]);
  made = undefined;
});

let made: Promise<string> | undefined;
function ownNetwork(): Promise<string> {
  const name = `boreas-machines-${crypto.randomUUID().slice(0, 8)}`;
  return made ??= docker(["network", "create", name]).then(() => name);
}

/** This host in a network of the engine. An engine that has just made its bridge names the subnet only, and is its first address. */
export async function findHostAddress(network: string): Promise<string> {
  const format = "{{range .IPAM.Config}}{{.Gateway}} {{.Subnet}}{{end}}";
  const [gateway, subnet] = (await docker(["network", "inspect", "--format", format, network])).replace("\n", "").split(
    " ",
  );
  if (gateway) return gateway;
  if (!subnet) throw new Error(`The network ${network} of the engine has no subnet.`);
  return subnet.replace(/\.0\/\d+$/, ".1");
}

export async function startSystemdMachine(options: MachineOptions = {}): Promise<SystemdMachine> {
  const image = await makeSystemdImage();
  const network = options.network === "own" ? await ownNetwork() : options.network ?? "bridge";
  const { hosts = {}, mounts = [], only, init = "systemd" } = options;
  const name = `boreas-${options.name ?? "machine"}-${crypto.randomUUID().slice(0, 8)}`;
  const hostAddress = await findHostAddress(network);
  await docker([
    ...["create", "--name", name, "--hostname", name, "--network", network, "--stop-signal", "SIGRTMIN+3"],
    // What systemd needs to be the first process; with the host's groups, both versions of cgroups work.
    ...["--cap-add", "SYS_ADMIN", "--cap-add", "NET_ADMIN", "--security-opt", "seccomp=unconfined"],
    ...["--security-opt", "apparmor=unconfined", "--cgroupns", "host", "--volume", "/sys/fs/cgroup:/sys/fs/cgroup"],
    ...["--tmpfs", "/run", "--tmpfs", "/run/lock", "--env", "container=docker"],
    ...Object.entries(hosts).flatMap(([host, at]) => ["--add-host", `${host}:${at === "host" ? hostAddress : at}`]),
    ...mounts.flatMap((mount) => ["--volume", mount]),
    ...(init === "none" ? ["--init", image, "sleep", "infinity"] : [image, "/sbin/init"]),
  ]);

  const attempt = (script: string, { env = {}, input = "" }: RunOptions = {}) =>
    pipe(["exec", "-i", ...Object.keys(env).flatMap((key) => ["-e", key]), name, "sh", "-c", script], env, input);
  const machine: SystemdMachine = {
    name,
    hostAddress,
    attempt,
    async run(script, more) {
      const { code, stdout, stderr } = await attempt(script, more);
      if (code === 0) return stdout;
      throw new Error(`On ${name} this ended with code ${code}:\n${script}\n${stdout}${stderr}`);
    },
    async copyIn(from, path, mode = "644") {
      const bytes = typeof from === "string" ? await Deno.readFile(from) : from;
      await machine.run(`mkdir -p "\${P%/*}" && cat >"$P" && chmod "$M" "$P"`, {
        env: { P: path, M: mode },
        input: bytes,
      });
    },
    async listening() {
      const lines = (await machine.run("ss -Hltn")).split("\n").map((line) => line.trim()).filter(Boolean);
      // The engine's own name server, in networks that people made.
      return lines.filter((line) => !line.includes(" 127.0.0.11:"));
    },
    async strayPackets() {
      if (!only) return 0;
      const said = await guard(name, "list counter inet guard stray");
      return Number(/packets (\d+)/.exec(said)![1]);
    },
    async kill() {
      await docker(["kill", "--signal", "KILL", name]);
    },
    async start() {
      await docker(["start", name]);
      await guard(name, guardRules(only, hostAddress));
      await passOnWaiting(name);
      if (init === "systemd") await booted(machine);
    },
    async close() {
      open.delete(machine);
      await docker(["rm", "--force", "--volumes", name]);
    },
  };
  open.add(machine);
  await machine.start();
  return machine;
}

/** Only answers come in; out goes everything, or what was named. IPv6 has no way out of the engine's networks. */
function guardRules(only: MachineOptions["only"], hostAddress: string): string {
  const rules = [
    "add table inet guard",
    "add counter inet guard stray",
    "add chain inet guard in { type filter hook input priority 0; policy drop; }",
    "add rule inet guard in iif lo accept",
    "add rule inet guard in ct state established,related accept",
  ];
  if (only) {
    rules.push(
      `add chain inet guard out { type filter hook output priority 0; policy accept; }`,
      "add rule inet guard out oif lo accept",
      "add rule inet guard out ct state established,related accept",
      "add rule inet guard out meta l4proto ipv6-icmp accept",
      "add rule inet guard out meta l4proto igmp accept",
      ...only.map(({ address = hostAddress, port }) =>
        `add rule inet guard out ip daddr ${address} tcp dport ${port} accept`
      ),
      "add rule inet guard out counter name stray drop",
    );
  }
  return rules.join("; ");
}

/** In the machine's network, from outside: it needs no program of its own for it, and cannot undo it by accident. */
async function guard(name: string, rules: string): Promise<string> {
  const pid = (await docker(["inspect", "--format", "{{.State.Pid}}", name])).trim();
  return await run("nsenter", ["--target", pid, "--net", "nft", rules]);
}

/** What an agent that is root sets on a machine, and may not in a container: see `host/proxy/waiting_connections.ts`. */
async function passOnWaiting(name: string): Promise<void> {
  const pid = (await docker(["inspect", "--format", "{{.State.Pid}}", name])).trim();
  await run("nsenter", ["--target", pid, "--net", "sh", "-c", `[ ! -e ${SETTING} ] || echo 1 >${SETTING}`]);
}

async function booted(machine: SystemdMachine): Promise<void> {
  const deadline = performance.now() + BOOT_SECONDS * 1000;
  while (true) {
    const { stdout, stderr } = await machine.attempt("systemctl is-system-running");
    if (/^(running|degraded)/.test(stdout)) return;
    if (performance.now() > deadline) {
      const log = await docker(["logs", "--tail", "50", machine.name]);
      throw new Error(`${machine.name} did not boot within ${BOOT_SECONDS} s: ${stdout}${stderr}\n${log}`);
    }
    await new Promise((done) => setTimeout(done, 200));
  }
}

async function pipe(args: string[], env: Record<string, string>, input: string | Uint8Array): Promise<Attempt> {
  const child = new Deno.Command("docker", { args, env, stdin: "piped", stdout: "piped", stderr: "piped" }).spawn();
  const feed = async () => {
    const writer = child.stdin.getWriter();
    try {
      if (input.length > 0) await writer.write(typeof input === "string" ? new TextEncoder().encode(input) : input);
      await writer.close();
    } catch (error: unknown) {
      if (!(error instanceof Deno.errors.BrokenPipe)) throw error; // it ended without reading
    }
  };
  const [{ code, stdout, stderr }] = await Promise.all([child.output(), feed()]);
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}
