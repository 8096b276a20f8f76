/**
 * What somebody's text makes the master call: gates, artifacts, registries, repositories. S33: it never calls its own
 * machine, its network or a cloud's metadata, however the address is written or redirected. S34: it calls the address
 * that was checked, whatever the name has become since.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { parseNetworks } from "../../domain/outgoing_address.ts";
import { createOutgoingCheck } from "../../domain/outgoing_check.ts";
import { planStages } from "../../domain/strategy.ts";
import { createGit } from "../../host/git.ts";
import { createClock } from "../../host/clock.ts";
import { createPinnedFetch } from "../../host/pinned_fetch.ts";
import { measureGate } from "../../scheduler/gates/measure_gate.ts";
import { createNamespace } from "../helpers/network_namespace.ts";
import { component } from "../helpers/require_component.ts";
import { createTestApi } from "../helpers/test_api.ts";
import type { TestApi } from "../helpers/test_api.ts";
import { createTestDatabase } from "../helpers/test_database.ts";

const INSIDE = [
  "http://127.0.0.1:PORT/",
  "http://127.0.0.2:PORT/",
  "http://localhost:PORT/",
  "http://[::1]:PORT/",
  "http://[::ffff:127.0.0.1]:PORT/",
  "http://0.0.0.0:PORT/",
  "http://2130706433:PORT/",
  "http://0x7f000001:PORT/",
  "http://0177.0.0.1:PORT/",
  "http://127.1:PORT/",
  "http://user@127.0.0.1:PORT/",
  "http://169.254.169.254/latest/meta-data/",
  "http://10.0.0.1:PORT/",
  "http://172.16.0.1:PORT/",
  "http://192.168.0.1:PORT/",
  "http://[fd00::1]:PORT/",
  "http://[fe80::1]:PORT/",
  "http://inside.example.com:PORT/",
];

describe("S33: an address that leads inside", () => {
  let connections = 0;
  /** Where a redirect of the one server that may be called leads. */
  let location = "";
  const inside = Deno.serve({ hostname: "0.0.0.0", port: 0, onListen: () => {} }, () => {
    connections++;
    return new Response("secret");
  });
  const open = Deno.serve(
    { hostname: "127.0.0.9", port: 0, onListen: () => {} },
    () => new Response(null, { status: 302, headers: { location } }),
  );
  afterAll(() => Promise.all([inside.shutdown(), open.shutdown()]));
  beforeEach(() => void (connections = 0));

  const resolve = (host: string) =>
    host === "inside.example.com" ? Promise.resolve(["127.0.0.1"]) : Promise.reject(new Error("no such host"));
  const checkOutgoing = createOutgoingCheck({ resolve, allow: parseNetworks("127.0.0.9/32") });
  const deps = { checkOutgoing, clock: createClock(), fetch: createPinnedFetch(() => undefined) };
  const values = { version: "v1", commit: "c", environment: "prod", application: "shop" };
  const at = (address: string) => address.replace("PORT", String(inside.addr.port));

  it.each(INSIDE)("S33: %s is no gate's to ask, plainly or by a redirect", async (address) => {
    location = at(address);
    const prometheus = { prometheus: "up", max: 1, noData: "pass" as const };
    const measured = [
      await measureGate(deps, { gate: { http: at(address), noData: "pass" }, values, server: null }),
      await measureGate(deps, { gate: prometheus, values, server: at(address) }),
      await measureGate(deps, { gate: { http: `http://127.0.0.9:${open.addr.port}/` }, values, server: null }),
      await measureGate(deps, { gate: prometheus, values, server: `http://127.0.0.9:${open.addr.port}` }),
    ];
    for (const one of measured) {
      expect(one).toMatchObject({ verdict: "error", value: null });
      expect(one.note).toMatch(/which Boreas does not call|is not a host name|cannot be found/);
    }
    expect(connections).toBe(0);
  });

  it("S33: a redirect to something that is no http leads nowhere", async () => {
    for (const target of ["file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1/"]) {
      location = target;
      const gate = { http: `http://127.0.0.9:${open.addr.port}/` };
      const { verdict, note } = await measureGate(deps, { gate, values, server: null });
      expect([verdict, note]).toEqual(["error", "the address: it leads to something that is not http"]);
    }
  });

  describe("as a repository", () => {
    let api: TestApi;
    beforeAll(async () => {
      api = await createTestApi(await createTestDatabase(), {
        checkOutgoing,
        planners: { mock: planStages },
        allowFileRepositories: false,
      });
    });
    // A private network may hold the company's own Git: an admin registers it. This machine and its link may not.
    const never = INSIDE.filter((address) => !/10\.0|172\.16|192\.168|fd00/.test(address));
    it.each(never)("S33: %s is not registered", async (address) => {
      const url = at(address).replace("http:", "https:") + "team/shop.git";
      const answer = await api.request("POST", "/repositories", {
        url,
        provider: "generic",
        webhookSecret: "a".repeat(40),
      });
      expect(answer.status).toBe(400);
      expect(connections).toBe(0);
    });
  });
});

describe("S34: a repository whose name changes after it was checked", () => {
  const remote = (url: string) => ({ repositoryId: "r1", url, credential: null, tokenUser: "git" });

  it("S34: is called where it was checked, over https and over ssh, or not at all", async () => {
    const cacheDir = await Deno.makeTempDir({ prefix: "boreas-pin-" });
    // Stands for ssh, and says whom it was told to call.
    const ssh = `${cacheDir}/ssh`;
    await Deno.writeTextFile(ssh, `#!/bin/sh\necho "$@" > ${cacheDir}/called\nexit 1\n`, { mode: 0o755 });
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const arrived = listener.accept();
    const { port } = listener.addr as Deno.NetAddr;
    const options = { gitPath: "/usr/bin/git", sshPath: ssh, cacheDir, allowFile: false };
    try {
      // No name server knows it: only the address that was checked can lead anywhere.
      const git = createGit({ ...options, check: () => Promise.resolve(["127.0.0.1"]) });
      const told = git.lsRemote(remote(`https://rebind.invalid:${port}/x.git`)).catch((error) => error.message);
      (await arrived).close();
      expect(await told).toEqual(expect.any(String)); // nobody speaks TLS here, and that is not what this is about
      await expect(git.lsRemote(remote("ssh://git@rebind.invalid:2222/x.git"))).rejects.toThrow();
      const called = await Deno.readTextFile(`${cacheDir}/called`);
      expect(called).toContain("-o HostName=127.0.0.1 -o HostKeyAlias=[rebind.invalid]:2222");
      const refusing = createGit({
        ...options,
        check: createOutgoingCheck({ resolve: () => Promise.resolve(["127.0.0.1"]), allow: [] }),
      });
      await expect(refusing.lsRemote(remote(`https://rebind.invalid:${port}/x.git`))).rejects.toMatchObject({
        kind: "refused",
        message: expect.stringContaining("this machine itself"),
      });
    } finally {
      listener.close();
      await Deno.remove(cacheDir, { recursive: true });
    }
  });
});

const netns = component("netns");
describe.skipIf(!netns.available)(`S34: a name that changes after it was checked${netns.reason}`, () => {
  it("S34: leads to the address that was checked, and not to this machine", async () => {
    const space = await createNamespace();
    const folder = `/etc/netns/${space.name}`;
    try {
      await Deno.mkdir(folder, { recursive: true });
      await Deno.writeTextFile(`${folder}/resolv.conf`, "nameserver 127.0.0.1\noptions timeout:5 attempts:2\n");
      await run("ip", "-n", space.name, "addr", "add", "8.8.4.4/32", "dev", "lo");
      const script = new URL("./support/rebind.ts", import.meta.url).pathname;
      const said = await run("ip", "netns", "exec", space.name, Deno.execPath(), "run", "-A", "--quiet", script);
      const { pinned, plain } = JSON.parse(said.trim().split("\n").at(-1)!);
      expect(plain).toBe("inside"); // what the attack gets where a name is asked for twice
      expect(pinned).toBe("public");
    } finally {
      await Deno.remove(folder, { recursive: true });
      await space.remove();
    }
  });
});

async function run(command: string, ...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args, signal: AbortSignal.timeout(120_000) })
    .output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  if (!success) throw new Error(`${command} ${args.join(" ")}: ${text(stderr)}${text(stdout)}`);
  return text(stdout);
}
