import { expect, it } from "vitest";
import { moveUpgrades } from "../../db/upgrades/move_upgrades.ts";
import { noteUpgrade, readAskedUpgrades } from "../../db/upgrades/note_upgrade.ts";
import { seedWork } from "../../tests/helpers/seed_work.ts";
import { createTestApi } from "../../tests/helpers/test_api.ts";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";

const db = await createTestDatabase();
const api = await createTestApi(db, { productVersion: "1.1.0" });
const seed = seedWork(db);

async function machine(name: string, runs = "1.0.0", facts = { installed: true }): Promise<string> {
  const id = await seed.agent({ name });
  await db.sql`update agent set versions = ${db.sql.json({ boreas: runs })}, facts = ${db.sql.json(facts)},
    labels = ${db.sql.json({ rack: name.split("-")[0]! })} where id = ${id}`;
  return id;
}
const comesBack = (id: string) => db.sql`update agent set versions = '{"boreas": "1.1.0"}' where id = ${id}`;
const read = async (id: string) => {
  const { body } = await api.request("GET", `/agent-upgrades/${id}`, undefined, "viewer");
  return { status: body.status, states: body.agents.map((a: { state: string }) => a.state).join(" "), body };
};

it("asks one machine first, then the batch, and is completed when all came back", async () => {
  const [a, b, c] = [await machine("blue-1"), await machine("blue-2"), await machine("blue-3")];
  const { status, body } = await api.request("POST", "/agents/upgrade", { labels: { rack: "blue" }, batch: 2 });
  expect([status, body.status, body.version]).toEqual([201, "running", "1.1.0"]);
  await moveUpgrades(db);
  expect((await read(body.id)).states).toBe("asked waiting waiting");
  expect(await readAskedUpgrades(db, [a, b, c])).toEqual([
    { upgradeId: body.id, agentId: a, version: "1.1.0", downgrade: false, cancel: false },
  ]);
  await comesBack(a);
  await moveUpgrades(db);
  expect((await read(body.id)).states).toBe("succeeded asked asked");
  await Promise.all([comesBack(b), comesBack(c)]);
  await moveUpgrades(db);
  expect(await read(body.id)).toMatchObject({ status: "completed", states: "succeeded succeeded succeeded" });
  expect(await moveUpgrades(db)).toBe(false);
});

it("stops at the first failure, with the agent's own word, and counts one that went back later as failed", async () => {
  const [a, b] = [await machine("red-1"), await machine("red-2")];
  const { body: { id } } = await api.request("POST", "/agents/upgrade", { ids: [a, b] });
  await moveUpgrades(db);
  await noteUpgrade(db, a, { id, state: "working", message: "Fetching." });
  expect((await read(id)).body.agents[0]).toMatchObject({ state: "asked", reason: { text: "Fetching." } });
  await comesBack(a);
  await moveUpgrades(db);
  expect((await read(id)).states).toBe("succeeded asked");
  await noteUpgrade(db, a, { id, state: "failed", message: "It went back to 1.0.0." });
  await noteUpgrade(db, b, { id, state: "failed", message: "No room on the disk." });
  await moveUpgrades(db);
  const ended = await read(id);
  expect([ended.status, ended.states]).toEqual(["failed", "failed failed"]);
  expect(ended.body.reason.text).toBe("Stopped at red-1: It went back to 1.0.0.");
});

it("cancels: who waits is not told, who was told is told to leave it", async () => {
  const [a, b] = [await machine("green-1"), await machine("green-2")];
  const { body: { id } } = await api.request("POST", "/agents/upgrade", { ids: [a, b] });
  await moveUpgrades(db);
  const again = await api.request("POST", "/agents/upgrade", { ids: [b] });
  expect([again.status, again.body.code]).toEqual([409, "upgrade.under_way"]);
  expect((await api.request("POST", `/agent-upgrades/${id}/cancel`, {}, "deployer")).status).toBe(403);
  expect((await api.request("POST", `/agent-upgrades/${id}/cancel`, {})).status).toBe(200);
  expect(await readAskedUpgrades(db, [a, b])).toMatchObject([{ agentId: a, cancel: true }]);
  await noteUpgrade(db, a, { id, state: "cancelled", message: "Left it." });
  expect(await read(id)).toMatchObject({ status: "cancelled", states: "cancelled cancelled" });
  expect((await api.request("POST", `/agent-upgrades/${id}/cancel`, {})).body.code).toBe("upgrade.wrong_state");
});

it("refuses one agent by name: newer, away, not installed by the line, inside the master, another version", async () => {
  const code = async (id: string, body = {}) => (await api.request("POST", `/agents/${id}/upgrade`, body)).body.code;
  const newer = await machine("one-1", "2.0.0");
  expect(await code(newer)).toBe("upgrade.newer");
  expect(await code(await machine("one-2", "1.1.0"))).toBe("upgrade.already");
  expect(await code(await machine("one-3", "1.0.0", { installed: false }))).toBe("upgrade.not_installed");
  const away = await machine("one-4");
  await db.sql`update agent set status = 'disconnected' where id = ${away}`;
  expect(await code(away)).toBe("upgrade.offline");
  expect(await code(await seed.agent({ embedded: true }))).toBe("agent.embedded");
  expect(await code(newer, { version: "3.0.0" })).toBe("upgrade.version");
  const down = await api.request("POST", `/agents/${newer}/upgrade`, { downgrade: true });
  expect([down.status, down.body.id]).toEqual([200, newer]);
  const audits = await db.sql`select action, detail from audit where action = 'agent.upgrade' order by id desc limit 1`;
  expect(audits[0]).toMatchObject({ detail: { version: "1.1.0", downgrade: true, agents: ["one-1"] } });
});
