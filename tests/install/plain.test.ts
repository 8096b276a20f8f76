/** Machines with less: no systemd, no tools but busybox's, no way out but a proxy's, no way to download at all. */
import http from "node:http";
import net, { type AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../helpers/start_product.ts";
import { startSystemdMachine } from "../helpers/systemd_machine.ts";
import {
  HOST,
  type InstallWorld,
  machines,
  paste,
  runScript,
  says,
  startInstallWorld,
} from "./support/install_world.ts";

const cleanups: (() => void)[] = [];
afterAll(() => cleanups.forEach((clean) => clean()));

/** A proxy that only knows CONNECT, and where the master is. */
async function startProxy(): Promise<{ port: number; asked: string[] }> {
  const asked: string[] = [];
  const open = new Set<net.Socket>();
  const server = http.createServer((_, answer) => answer.writeHead(405).end());
  server.on("connect", (request, socket: net.Socket) => {
    asked.push(request.url!);
    const upstream = net.connect(Number(request.url!.split(":")[1]), "127.0.0.1", () => {
      socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
      upstream.pipe(socket).pipe(upstream);
    });
    for (const one of [socket, upstream]) open.add(one.on("error", () => one.destroy()));
  });
  await new Promise<void>((resolve) => server.listen(0, "0.0.0.0", resolve));
  cleanups.push(() => {
    server.close();
    for (const socket of open) socket.destroy();
  });
  return { port: (server.address() as AddressInfo).port, asked };
}

describe.skipIf(!machines.available)(`the enrolment of a machine that has less${machines.reason}`, () => {
  let world: InstallWorld;
  beforeAll(async () => {
    world = await startInstallWorld();
  });
  const hosts = { [HOST]: "host" };

  it("works with busybox alone and without systemd, under a supervisor that starts the agent again", async () => {
    const machine = await startSystemdMachine({
      network: "own",
      name: "tiny",
      init: "none",
      only: [{ port: world.port }],
      hosts,
    });
    // Only its own tools from here on; the shell of the script is its ash.
    await machine.run(
      "mkdir /bb && busybox --install -s /bb && rm -f /bb/wget /bb/flock && ln -s /usr/bin/curl /bb/curl",
    );
    const { token } = await world.line();
    const installed = await runScript(machine, world, "--slots 3", { token, shell: "env PATH=/bb /bb/ash" });
    expect([installed.code, installed.stderr]).toEqual([0, ""]);
    expect(installed.stdout).toContain("run by a supervisor of its own");
    await world.connected(machine);
    expect(await machine.strayPackets()).toBe(0);
    const agentPid = async () =>
      (await machine.attempt("pgrep -f '[b]oreas-agent.js' | head -n 1")).stdout.trim() || undefined;
    const first = await agentPid();
    await machine.run(`kill -KILL ${first}`);
    await eventually(async () => await agentPid() !== undefined && await agentPid() !== first, "another agent runs");
    await says(machine, "grep -c 'Connected to the master' /var/lib/boreas/agent.log", "2\n");
    expect(await machine.run("stat -c %a /var/lib/boreas/agent.log")).toBe("600\n");
    expect((await machine.attempt("/opt/boreas/boreas-supervise")).stderr).toContain("The agent runs already");
    const removed = await runScript(machine, world, "--uninstall --purge");
    expect([removed.stderr, removed.code]).toEqual(["", 0]);
    await machine.run("test ! -e /opt/boreas && test ! -e /var/lib/boreas && ! pgrep -f '[b]oreas-(agent|supervise)'");
  });

  it("goes through HTTPS_PROXY where that is the only way out, and so does the agent afterwards", async () => {
    const proxy = await startProxy();
    const machine = await startSystemdMachine({
      network: "own",
      name: "walled",
      init: "none",
      only: [{ port: proxy.port }],
      hosts,
    });
    const { line } = await world.line();
    const way = `http://${machine.hostAddress}:${proxy.port}`;
    const pasted = await paste(machine, `export HTTPS_PROXY=${way}; ${line}`);
    expect([pasted.code, pasted.stderr]).toEqual([0, ""]);
    await world.connected(machine);
    expect(await machine.run("grep httpsProxy /etc/boreas/agent.yaml")).toBe(`httpsProxy: "${way}"\n`);
    expect(new Set(proxy.asked)).toEqual(new Set([`${HOST}:${world.port}`]));
    // Names are asked for by nobody: the proxy knows them.
    expect(await machine.strayPackets()).toBe(0);
  });

  it("downloads nothing beside the files of the offline archive", async () => {
    const machine = await startSystemdMachine({
      network: "own",
      name: "quiet",
      init: "none",
      only: [{ port: world.port }],
      hosts,
    });
    const answer = await fetch(`${world.master.url}/api/v1/install/offline/linux-amd64.tar`, {
      client: Deno.createHttpClient({ caCerts: [(await world.master.raw("GET", "/api/v1/ca.pem")).text] }),
    } as RequestInit);
    const archive = new Uint8Array(await answer.arrayBuffer());
    expect([answer.status, answer.headers.get("content-length")]).toEqual([200, String(archive.length)]);
    await machine.copyIn(archive, "/root/offline/agent.tar");
    await machine.run("rm /usr/bin/curl; ! command -v wget; cd /root/offline && tar xf agent.tar");
    const { token } = await world.line();
    await machine.run("cd /root/offline && cp boreas-agent.js.gz kept && printf x | gzip >boreas-agent.js.gz");
    const damaged = await machine.attempt("cd / && sh /root/offline/install.sh", { env: { BOREAS_TOKEN: token } });
    expect([damaged.code, damaged.stderr]).toEqual([1, expect.stringContaining("is not what the master vouched for")]);
    await machine.run("cd /root/offline && mv kept boreas-agent.js.gz");
    const installed = await machine.attempt("cd / && sh /root/offline/install.sh", { env: { BOREAS_TOKEN: token } });
    expect([installed.stderr, installed.code]).toEqual(["", 0]);
    expect(installed.stdout).toContain("from /root/offline");
    await world.connected(machine);
  });
});
