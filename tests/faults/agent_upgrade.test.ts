/**
 * Agents that replace themselves: real bundles under real launchers, a master on real sockets. Whatever the new version
 * does, and wherever the power is cut, the machine has a working agent afterwards.
 */
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { PRODUCT_VERSION } from "../../compose/product_version.ts";
import { temporaryFolder } from "../helpers/temporary_folder.ts";
import { createTestDatabase } from "../helpers/test_database.ts";
import { buildRelease, filesOf, installAgent, startReleasingMaster } from "./support/installed_agent.ts";
import type { InstalledAgent, ReleasingMaster } from "./support/installed_agent.ts";

const OLD = "0.0.8";
const NEW = PRODUCT_VERSION;
let master: ReleasingMaster;
let db: Awaited<ReturnType<typeof createTestDatabase>>;
const machines: InstalledAgent[] = [];
beforeAll(async () => {
  db = await createTestDatabase();
  master = await startReleasingMaster(db);
});
afterAll(async () => {
  await Promise.all(machines.map((machine) => machine.stop()));
  await master.stop();
});

/** Until it holds; what it found at last is the failure. */
const eventually = <T>(look: () => T | Promise<T>) => vi.waitFor(look, { timeout: 60_000, interval: 100 });

async function install(version = OLD, env: Record<string, string> = {}): Promise<InstalledAgent> {
  const machine = await installAgent(master, await temporaryFolder("upgrade"), version, env);
  machines.push(machine);
  await connected(machine, version);
  return machine;
}
const agentOf = async (machine: InstalledAgent) => (await master.api.request("GET", `/agents/${machine.id()}`)).body;
const connected = (machine: InstalledAgent, version: string) =>
  eventually(async () => {
    const agent = await agentOf(machine);
    expect([agent.status, agent.versions.boreas], machine.output()).toEqual(["connected", version]);
    return agent;
  });
const ended = (id: string) =>
  eventually(async () => {
    const { body } = await master.api.request("GET", `/agent-upgrades/${id}`);
    expect(body.status).not.toBe("running");
    expect(body.agents.map((a: { state: string }) => a.state)).not.toContain("asked");
    return body;
  });
const planOf = (machine: InstalledAgent) =>
  Deno.readTextFile(`${machine.stateDir}/upgrade/plan.json`).catch(() => undefined);

describe("an agent that is asked for another version", () => {
  it("takes it, is confirmed by the master's welcome, and keeps the one before beside it; and goes back when asked", async () => {
    master.handOut(await filesOf(NEW, await buildRelease(NEW)));
    const machine = await install();
    const up = await ended(await master.upgrade(machine.id()));
    expect([up.status, up.agents[0].fromVersion]).toEqual(["completed", OLD]);
    await connected(machine, NEW);
    expect(await machine.current()).toBe(NEW);
    await eventually(async () => expect(await planOf(machine)).toBeUndefined());
    expect([...Deno.readDirSync(machine.root)].map((e) => e.name).sort()).toEqual([OLD, NEW, "current"].sort());

    const lower = "0.0.7";
    master.handOut(await filesOf(lower, await buildRelease(lower)));
    const passed = await ended(await master.upgrade(machine.id()));
    expect(passed.agents[0].reason.code).toBe("upgrade.newer");
    const down = await ended(await master.upgrade(machine.id(), { downgrade: true }));
    expect(down.status).toBe("completed");
    await connected(machine, lower);
    await eventually(() => {
      const there = [...Deno.readDirSync(machine.root)].map((e) => e.name).sort();
      expect(there).toEqual([lower, NEW, "current"].sort());
    });
  });

  it.each([
    ["hangs", "if (Deno.args.length === 0) await new Promise(() => setInterval(() => {}, 1000));"],
    ["ends at once", "if (Deno.args.length === 0) Deno.exit(3);"],
  ])("has the one before again when the new one %s, and says so", async (_, flaw) => {
    master.handOut(await filesOf(NEW, await buildRelease(NEW, flaw)));
    const machine = await install(OLD, { BOREAS_WATCH_SECONDS: "4" });
    const over = await ended(await master.upgrade(machine.id()));
    expect([over.status, over.agents[0].state]).toEqual(["failed", "failed"]);
    expect(over.reason.text).toContain(`${NEW} was not welcomed by the master within 4 s, so ${OLD} runs again.`);
    await connected(machine, OLD);
    expect(await machine.current()).toBe(OLD);
    expect(await planOf(machine)).toBeUndefined();
  });

  it("changes nothing when its self-test fails, a byte is another one, or the signature is not the master's", async () => {
    const machine = await install();
    const starts = machine.starts();
    const good = await buildRelease(NEW);
    const fails = async () => {
      const over = await ended(await master.upgrade(machine.id()));
      expect([over.status, await machine.current(), machine.starts()]).toEqual(["failed", OLD, starts]);
      return over.agents[0].reason.text as string;
    };
    const sick = 'if (Deno.args[0] === "doctor") { console.error("no shared library"); Deno.exit(1); }';
    master.handOut(await filesOf(NEW, await buildRelease(NEW, sick)));
    expect(await fails()).toMatch(/would not work on this machine: its self-test failed: no shared library/);
    master.handOut(await filesOf(NEW, good, (name, bytes) => name === "boreas-agent.js" ? bytes.with(9, 33) : bytes));
    expect(await fails()).toMatch(/boreas-agent.js does not have the SHA-256 of the manifest/);
    master.handOut(await filesOf(NEW, good));
    const { release } = master.api.deps;
    const forged = await crypto.subtle.generateKey({ name: "Ed25519" }, true, ["sign"]) as CryptoKeyPair;
    master.api.deps.release = {
      ...release!,
      async sign(manifest) {
        const bytes = await crypto.subtle.sign("Ed25519", forged.privateKey, new TextEncoder().encode("another"));
        const signature = btoa(String.fromCharCode(...new Uint8Array(bytes)));
        return { ...manifest, signature: signature.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "") };
      },
    };
    expect(await fails()).toMatch(/not signed with the key that this agent pinned/);
    master.api.deps.release = release!;
  });

  it.each([
    ["with everything fetched", "upgrade_fetched", OLD],
    ["with the plan on the disk", "upgrade_planned", OLD],
    ["with the watcher started", "upgrade_watched", OLD],
    ["right after the switch", "upgrade_switched", NEW],
    ["at the start of the new one", "upgrade_begun", NEW],
    ["right after it was confirmed", "upgrade_confirmed", NEW],
  ])("works after the power was cut %s", async (_, place, boots) => {
    master.handOut(await filesOf(NEW, await buildRelease(NEW)));
    const machine = await install(OLD, { BOREAS_TEST: "1", BOREAS_CRASH_AT: place });
    const id = await master.upgrade(machine.id());
    await machine.lostPower;
    expect(await machine.current()).toBe(boots);
    machine.boot();
    const over = await ended(id);
    // Told once more it would take it; but who found a plan that came to nothing says so, and a person decides.
    const runs = over.status === "completed" ? NEW : OLD;
    if (boots === NEW || place === "upgrade_fetched") expect(over.status).toBe("completed");
    else expect(over.reason.text).toContain("The agent ended before it had switched");
    await connected(machine, runs);
    expect(await machine.current()).toBe(runs);
    await eventually(async () => expect(await planOf(machine)).toBeUndefined());
  });
});
