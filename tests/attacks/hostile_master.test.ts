/** S28 and S29: what an agent refuses whoever its master is, and whom it does not believe to be the master. */
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createAuthority, issueCertificate } from "../../host/certificate_authority.ts";
import { createClock } from "../../host/clock.ts";
import { createDialer } from "../../host/dial.ts";
import { createMachine } from "../../host/machine.ts";
import { resolveMaster } from "../../host/master_address.ts";
import type { Engine } from "../../operators/pm/docker/engine.ts";
import type { LocalPolicy } from "../../compose/agent_config.ts";
import { createPmOperator } from "../../operators/pm/pm_operator.ts";
import { MAX_FRAME_BYTES, SUBPROTOCOL } from "../../protocol/agent_messages.ts";
import { RenderedSpec } from "../../protocol/operation.ts";
import { createFakeMaster, dispatchOf, memoryDialer } from "../helpers/fake_master.ts";
import { eventually, startAgent } from "../helpers/start_product.ts";
import { startRack } from "../faults/support/rack.ts";
import { createTestAgent } from "../helpers/test_agent.ts";
import { temporaryFolder } from "../helpers/temporary_folder.ts";

const DIGEST = `sha256:${"a".repeat(64)}`;
const specOf = (runtime: Record<string, unknown>, more: Record<string, unknown> = {}) =>
  RenderedSpec.parse({
    application: "order",
    runtime,
    artifacts: {},
    bundle: null,
    env: {},
    secrets: [],
    files: [],
    health: [],
    minTimeSeconds: 0,
    deadlineSeconds: 10,
    keepReleases: 2,
    ...more,
  });
const binary = (more: Record<string, unknown> = {}) =>
  specOf({ mode: "binary", artifact: "bin", exec: ["bin/order"], ...more });
const docker = (ref: string, volumes: string[] = []) =>
  specOf({ mode: "docker", image: "image", volumes }, { artifacts: { image: { kind: "image", ref, digest: DIGEST } } });
const hooks = { mode: "hooks", drain: "ops/drain.sh", undrain: "ops/undrain.sh" } as const;
const script = specOf({ mode: "script", deploy: "ops/deploy.sh" });

describe("S28: a hostile master", () => {
  /** Sends this to an agent with that policy. @returns why it was not done, and whether anything was done for it */
  async function send(policy: LocalPolicy, spec: RenderedSpec, user = "boreas") {
    const asked: string[] = [];
    const engine = new Proxy({}, {
      get: (_, name) => (...args: unknown[]) => {
        asked.push(`${String(name)} ${args.join()}`);
        return Promise.reject(new Error("the engine was asked"));
      },
    }) as Engine;
    const clock = createClock();
    const root = await temporaryFolder("hostile");
    const logger = { log() {} };
    const operator = createPmOperator({
      machine: createMachine(),
      clock,
      logger,
      root,
      node: { name: "n1" },
      policy,
      engine,
      user,
    });
    const master = createFakeMaster();
    const { agent } = createTestAgent({ clock, dialer: memoryDialer(master), operators: [operator] });
    await agent.start();
    await master.until(() => master.ofType("agent.hello").length > 0);
    const plain = dispatchOf("t1");
    master.send({ ...plain, operation: { ...plain.operation, kind: "pm", spec } });
    await master.until(() => master.ofType("task.refuse").length + master.results.length > 0);
    const [refused] = master.ofType("task.refuse");
    await agent.stop({ drain: true });
    const said = refused?.reason ?? master.results[0]!.outcome.message;
    const releases = [];
    for await (const entry of Deno.readDir(root)) releases.push(entry.name);
    return { said, isRefused: refused !== undefined, isFinal: refused?.retryable !== true, asked, releases };
  }

  const ALL: LocalPolicy = { modes: ["docker", "binary", "script"] };
  it.each<[string, LocalPolicy, RenderedSpec, RegExp]>([
    ["a script where only containers are allowed", { modes: ["docker"] }, script, /does not run script.*allows docker/],
    ["a container where only binaries are allowed", { modes: ["binary"] }, docker("reg.example.com/order"), /docker/],
    ["anything where nothing is allowed", { modes: [] }, script, /allows none/],
    ["a program as root", { ...ALL, users: ["order"] }, binary({ user: "root" }), /as root.*users order/],
    ["a program as the agent itself", { ...ALL, users: ["order"] }, binary(), /as boreas.*users order/],
    ["a script as the agent itself", { ...ALL, users: [] }, script, /as boreas.*users none/],
    [
      "a program of the machine",
      { ...ALL, paths: ["/srv"] },
      binary({ exec: ["/bin/sh", "-c", "id"] }),
      /start \/bin\/sh/,
    ],
    [
      "a program of the machine by its bare name",
      { ...ALL, paths: ["/srv"] },
      binary({ exec: ["sh", "-c", "id"] }),
      /start sh for/,
    ],
    [
      "a program that a variable names",
      { ...ALL, paths: ["/srv"] },
      { ...binary({ exec: ["${env.PROGRAM}"] }), env: { PROGRAM: "/bin/sh" } },
      /start \$\{env\.PROGRAM\}/,
    ],
    [
      "a script of a container's route where only containers are allowed",
      { modes: ["docker"] },
      { ...docker("reg.example.com/order"), route: hooks },
      /route's scripts of .*allows docker/,
    ],
    [
      "a script of a binary's route as the agent itself",
      { ...ALL, users: ["order"] },
      { ...binary({ user: "order" }), route: hooks },
      /route's scripts of .* as boreas.*users order/,
    ],
    [
      "a program that only seems to be below",
      { ...ALL, paths: ["/srv"] },
      binary({ exec: ["/srv/../bin/sh"] }),
      /start \/srv\/\.\.\/bin\/sh/,
    ],
    [
      "a check by a program of the machine",
      { ...ALL, paths: ["/srv"] },
      { ...binary(), health: [{ exec: ["/bin/touch", "/tmp/pwn"] }] },
      /start \/bin\/touch/,
    ],
  ])("does not get %s: refused before anything is taken on, with the reason", async (_, policy, spec, sentence) => {
    const { said, isRefused, isFinal, asked, releases } = await send(policy, spec);
    expect(said).toMatch(sentence);
    expect([isRefused, isFinal]).toEqual([true, true]);
    expect([asked, releases]).toEqual([[], []]);
  });

  it.each<[string, LocalPolicy, RenderedSpec, RegExp]>([
    [
      "an image of another registry",
      { ...ALL, registries: ["reg.example.com"] },
      docker("evil.example/x"),
      /evil\.example/,
    ],
    ["an image of another name", { ...ALL, images: ["team/*"] }, docker("reg.example.com/other/x"), /other\/x/],
    ["a folder that is not named", { ...ALL, paths: ["/srv"] }, docker("reg.example.com/x", ["/tmp:/t"]), /\/tmp/],
  ])("does not get %s: the engine is asked for nothing", async (_, policy, spec, sentence) => {
    const { said, asked } = await send(policy, spec);
    expect(said).toMatch(sentence);
    expect(asked).toEqual([]);
  });

  it("gets what is allowed, so that it was the policy which refused", async () => {
    const allowed = await send({ ...ALL, users: ["boreas"], paths: ["/bin"] }, binary({ exec: ["/bin/true"] }));
    expect(allowed.said).not.toMatch(/policy/);
    const image = await send({ ...ALL, registries: ["reg.example.com"] }, docker("reg.example.com/order"));
    expect(image.asked.length).toBeGreaterThan(0);
  });

  it("hears the reason as the task's, and sees the policy of the machine, which it cannot widen", async () => {
    const rack = await startRack({ type: "pm" });
    const config = join(await temporaryFolder("policy"), "agent.yaml");
    await Deno.writeTextFile(config, "policy: { modes: [binary], maxSlots: 2 }\n", { mode: 0o600 });
    const { token } = await rack.master.api("POST", "/enrollment-tokens", { environments: [rack.environmentId] });
    const agent = await startAgent({
      url: rack.master.url,
      token,
      name: "strict",
      slots: 5,
      more: { BOREAS_AGENT_CONFIG: config },
    });
    const shown = await eventually(async () => {
      const [one] = (await rack.master.api("GET", "/agents?status=connected")).items
        .filter((a: { name: string }) => a.name === "strict");
      return one;
    }, "it is connected");
    expect(shown).toMatchObject({ slots: 2, facts: { modes: ["binary"], policy: { modes: ["binary"], maxSlots: 2 } } });
    const release = await rack.push({ names: ["order"], lines: 1, secondsBetween: 0.01 });
    const { leaves } = await rack.deploy(release);
    const task = await rack.taskIs(leaves[0]!.id, "failed");
    expect(task.reason.text).toMatch(/does not run script applications: its policy allows binary/);
    expect(await rack.ledger(release, () => true, "the ledger")).toEqual([]);
    await agent.kill("SIGTERM");
  }, 180_000);
});

describe("S29", () => {
  const NOW = new Date();
  let asked = 0;
  let authority: { cert: string; key: string };
  const open: { close(): void }[] = [];
  beforeAll(async () => {
    authority = await createAuthority("test", new Date(NOW.getTime() - 3 * 365 * 86_400_000));
  });
  afterAll(() => {
    for (const server of open) server.close();
  });

  /** A server with this certificate; nothing may be asked of it. */
  async function serve(hosts: string[], issuedAt: Date): Promise<number> {
    const { cert, key } = await issueCertificate(authority, hosts, issuedAt);
    const server = createServer({ cert, key }, () => asked++);
    server.on("upgrade", (_request, socket) => (asked++, socket.destroy()));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    open.push(server);
    return (server.address() as AddressInfo).port;
  }
  const dial = (port: number, ca: string | undefined) =>
    createDialer({ url: new URL(`https://127.0.0.1:${port}`), ca, proxy: undefined }, {
      subprotocol: SUBPROTOCOL,
      maxFrameBytes: MAX_FRAME_BYTES,
    }).dial();

  it("an address without TLS is refused beyond this machine, and so is any other scheme", async () => {
    for (const url of ["http://boreas.example.com", "http://10.0.0.7:8080", "http://127.0.0.1.evil.example"]) {
      await expect(resolveMaster({ url })).rejects.toThrow(/must be https/);
    }
    for (const url of ["ws://boreas.example.com", "wss://boreas.example.com", "file:///etc/passwd"]) {
      await expect(resolveMaster({ url })).rejects.toThrow(/must begin with https/);
    }
    expect((await resolveMaster({ url: "http://127.0.0.1:8080" })).url.port).toBe("8080");
  });

  it.each<[string, string[], number, boolean]>([
    ["has expired", ["127.0.0.1"], -500, true],
    ["is for another host", ["boreas.example.com"], 0, true],
    ["is for another address", ["127.0.0.2"], 0, true],
    ["comes from an authority that is not trusted", ["127.0.0.1"], 0, false],
  ])("a master whose certificate %s is told nothing", async (_, hosts, days, isTrusted) => {
    const port = await serve(hosts, new Date(NOW.getTime() + days * 86_400_000));
    await expect(dial(port, isTrusted ? authority.cert : undefined)).rejects.toThrow(
      /certificate|altname|issuer|host/i,
    );
    expect(asked).toBe(0);
  });

  it("a master with a right certificate is dialled, so that it was the certificate which was refused", async () => {
    const port = await serve(["127.0.0.1"], NOW);
    await expect(dial(port, authority.cert)).rejects.toThrow(/hang up|closed|reset|ended/i); // it is no master
    expect(asked).toBe(1);
  });
});
