/** S26, and whoever has a copy of an agent's state folder: against a started master, with real agents. */
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { loadIdentity } from "../../agents/identity.ts";
import { createMemoryDisk } from "../../agents/memory_disk.ts";
import { CLOSE } from "../../protocol/agent_messages.ts";
import { openGate } from "../faults/support/ledger_apps.ts";
import { startRack, starts } from "../faults/support/rack.ts";
import type { Rack } from "../faults/support/rack.ts";
import { boundMs } from "../faults/support/races.ts";
import { comeIn, dialMaster, enrollAt, helloOf, turnedAway } from "../helpers/agent_socket.ts";
import { numberedLines } from "../helpers/ledger_app.ts";
import { eventually } from "../helpers/start_product.ts";
import { temporaryFolder } from "../helpers/temporary_folder.ts";

const LINES = 10;
let rack: Rack;
beforeAll(async () => {
  rack = await startRack({ type: "mock", env: { BOREAS_LEASE_SECONDS: "5" } });
}, 120_000);

const agentOf = (id: string) => rack.master.api("GET", `/agents/${id}`);
const auditsOf = async (id: string): Promise<string[]> =>
  (await rack.master.api("GET", "/audit?limit=200")).items
    .filter((row: { target: string }) => row.target === `agent:${id}`).map((row: { action: string }) => row.action);
/** What a thief has who has read the folder. */
async function stolen(stateDir: string) {
  const disk = createMemoryDisk();
  await disk.writeAtomic("identity.json", await Deno.readFile(join(stateDir, "identity.json")));
  return (await loadIdentity(disk))!;
}
/** Runs until its gate is opened. */
async function begin() {
  const release = await rack.push({ names: ["ledger"], lines: LINES, secondsBetween: 0.05, gates: "yes" });
  const { leaves } = await rack.deploy(release);
  await rack.ledger(release, (lines) => starts(lines, 1).length === 1, "the application runs");
  return { release, taskId: leaves[0]!.id };
}

describe("S26", () => {
  it("keys are renewed in mid-task without a pause, and the old ones open nothing afterwards", async () => {
    const agent = await rack.agent({ name: "renews" });
    const id = await rack.agentId("renews");
    const { release, taskId } = await begin();
    const before = await stolen(agent.stateDir);
    const { keys } = await agentOf(id);
    await rack.master.api("POST", `/agents/${id}/rotate`, {});
    await eventually(async () => (await agentOf(id)).keys.since !== keys.since, "new keys are in use");
    expect((await agentOf(id)).keys.isRenewalWanted).toBe(false);
    expect(await turnedAway(rack.master, before)).toBe(CLOSE.unauthenticated);
    await openGate(release.gates, "all");
    expect(await rack.taskIs(taskId, "success")).toMatchObject({ attempt: 1, fence: 1 });
    expect(await rack.storedLog(taskId, 1)).toContain(numberedLines(LINES));
    expect((await rack.ledger(release, () => true, "the ledger")).filter((line) => line.what === "start").length).toBe(
      1,
    );
    expect(agent.output().match(/Connected to the master/g)?.length).toBe(1);
    expect(await auditsOf(id)).toEqual(
      expect.arrayContaining(["agent.rotate", "agent.key_offered", "agent.key_renewed"]),
    );
    // What it has on its disk now is what it comes back with.
    await agent.kill("SIGKILL");
    const again = await rack.agent({ name: "renews", stateDir: agent.stateDir });
    await eventually(() => Promise.resolve(again.output().includes("Connected to the master")), "it is back");
    await again.kill("SIGTERM");
  }, 180_000);

  it("a revoked agent is out within five seconds, comes back by no means, and its task goes to another", async () => {
    const agent = await rack.agent({ name: "revoked" });
    const id = await rack.agentId("revoked");
    const { release, taskId } = await begin();
    const identity = await stolen(agent.stateDir);
    const other = await rack.agent({ name: "takes-over" });
    const began = performance.now();
    await rack.master.api("DELETE", `/agents/${id}`);
    await eventually(() => Promise.resolve(agent.output().includes("has revoked this agent")), "it was told");
    expect(performance.now() - began).toBeLessThan(boundMs(5));
    expect(await turnedAway(rack.master, identity)).toBe(CLOSE.revoked);
    expect(await agent.ended()).not.toBe(0);
    await rack.ledger(release, (lines) => starts(lines, 2).length === 1, "the second attempt runs");
    await openGate(release.gates, "all");
    expect(await rack.taskIs(taskId, "success")).toMatchObject({ agent: "takes-over", attempt: 2 });
    await other.kill("SIGTERM");
  }, 180_000);
});

describe("a crash in the middle of a renewal", () => {
  /** Asks for new keys and hears the request; the agent's end is the test's. */
  async function asked(name: string) {
    const identity = await enrollAt(rack.master, name);
    const there = await comeIn(rack.master, identity);
    await rack.master.api("POST", `/agents/${identity.agentId}/rotate`, {});
    const { requestId } = await there.hear("key.rotate");
    return { identity, there, requestId };
  }

  it("before the new pair is written: the old one lets it in, and a new offer is taken", async () => {
    const { identity, there, requestId } = await asked("crashed-early");
    there.say({ type: "key.offer", ...await identity.renewal!.offer(requestId) });
    await there.hear("key.recorded");
    there.socket.terminate();
    const back = await comeIn(rack.master, identity);
    const again = (await back.hear("key.rotate")).requestId;
    back.say({ type: "key.offer", ...await identity.renewal!.offer(again) });
    await back.hear("key.recorded");
    back.socket.terminate();
  });

  it("after it is written, before it was confirmed: the new one lets it in, and from then on the old one does not", async () => {
    const disk = createMemoryDisk();
    const identity = await enrollAt(rack.master, "crashed-late", {}, disk);
    const old = (await loadIdentity(disk))!;
    const there = await comeIn(rack.master, identity);
    await rack.master.api("POST", `/agents/${identity.agentId}/rotate`, {});
    const { requestId } = await there.hear("key.rotate");
    there.say({ type: "key.offer", ...await identity.renewal!.offer(requestId) });
    await there.hear("key.recorded");
    expect(await identity.renewal!.switchTo(requestId)).toBe(true);
    there.socket.terminate();
    const restarted = (await loadIdentity(disk))!;
    const back = await comeIn(rack.master, restarted);
    expect((await agentOf(identity.agentId)).keys.isRenewalWanted).toBe(false);
    expect(await turnedAway(rack.master, old)).toBe(CLOSE.unauthenticated);
    back.socket.terminate();
  });

  it("an offer that the old key has not signed, or that nobody asked for, is refused", async () => {
    const { identity, there, requestId } = await asked("forged");
    const thief = await enrollAt(rack.master, "forges");
    const forged = await thief.renewal!.offer(requestId);
    there.say({ type: "key.offer", ...forged });
    expect((await there.hear("key.refused")).reason).toMatch(/signature/);
    expect(await auditsOf(identity.agentId)).toContain("agent.key_refused");
    const second = await comeIn(rack.master, thief);
    second.say({ type: "key.offer", ...await thief.renewal!.offer("made-up") });
    expect((await second.hear("key.refused")).reason).toMatch(/nobody asked/);
    for (const { socket } of [there, second]) socket.terminate();
  });
});

describe("a copied state folder", () => {
  it(
    "a second process with one identity is turned away while the first answers, and that is written down",
    async () => {
      const agent = await rack.agent({ name: "original" });
      const id = await rack.agentId("original");
      await eventually(async () => (await agentOf(id)).status === "connected", "the original is connected");
      const folder = await temporaryFolder("copy");
      await Deno.copyFile(join(agent.stateDir, "identity.json"), join(folder, "identity.json"));
      const copy = await rack.agent({ name: "original", stateDir: folder });
      await eventually(() => Promise.resolve(copy.output().includes("Another process has this")), "it was told");
      expect(agent.output()).not.toMatch(/connection ended|Another process/);
      expect((await agentOf(id)).status).toBe("connected");
      await eventually(async () => (await auditsOf(id)).includes("agent.copy_refused"), "the audit row");
      for (const process of [copy, agent]) await process.kill("SIGTERM");
    },
    120_000,
  );

  it("an older copy is turned away though nobody is connected, and the machine itself comes back", async () => {
    const disk = createMemoryDisk();
    const identity = await enrollAt(rack.master, "moves-on", {}, disk);
    (await comeIn(rack.master, identity)).socket.terminate();
    const copy = (await loadIdentity(disk))!;
    for (let n = 0; n < 2; n++) (await comeIn(rack.master, identity)).socket.terminate();
    // The last word that a ticket was kept may still be on its way.
    await eventually(async () => await turnedAway(rack.master, copy) === CLOSE.copied, "the copy is turned away");
    (await comeIn(rack.master, identity)).socket.terminate();
    expect(await auditsOf(identity.agentId)).toContain("agent.copy_refused");
  });

  it("a ticket that never reached the disk locks nobody out, nor does one whose keeping was never heard of", async () => {
    const identity = await enrollAt(rack.master, "unlucky");
    (await comeIn(rack.master, identity)).socket.terminate();
    for (let n = 0; n < 3; n++) (await comeIn(rack.master, identity, { keeps: false })).socket.terminate();
    const { socket, welcome } = await comeIn(rack.master, identity, { keeps: false });
    socket.terminate();
    await identity.renewal!.keepTicket(welcome.ticket!);
    (await comeIn(rack.master, identity)).socket.terminate();
  });

  it("a database that lost the last welcome knows the ticket before", async () => {
    const identity = await enrollAt(rack.master, "restored");
    (await comeIn(rack.master, identity)).socket.terminate();
    await identity.renewal!.keepTicket("a-ticket-of-a-welcome-that-was-lost");
    (await comeIn(rack.master, identity)).socket.terminate();
  });

  it("an agent of the version before, which knows no tickets, is let in, and that is written down once it had one", async () => {
    const identity = await enrollAt(rack.master, "older");
    (await comeIn(rack.master, identity)).socket.terminate();
    const old = await dialMaster(Number(new URL(rack.master.url).port));
    const { nonce, masterId } = old.challenge;
    old.say(helloOf(identity.agentId, await identity.sign(nonce, masterId), { protocol: { min: 1, max: 1 } }));
    expect(await old.hear("agent.welcome")).toMatchObject({ protocol: 1 });
    expect((await old.hear("agent.welcome")).ticket).toBeUndefined();
    expect(await auditsOf(identity.agentId)).toContain("agent.without_ticket");
    old.socket.terminate();
    (await comeIn(rack.master, identity)).socket.terminate();
  });
});
