import { expect, it } from "vitest";
import { noteDrained } from "../../db/agents/drain_agent.ts";
import { Agent } from "../../protocol/http_api.ts";
import { seedWork } from "../../tests/helpers/seed_work.ts";
import { createTestApi } from "../../tests/helpers/test_api.ts";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";

const db = await createTestDatabase();
const api = await createTestApi(db);
const seed = seedWork(db);
const audits = async (target: string) =>
  (await db.sql<
    { action: string; actor: string }[]
  >`select action, actor from audit where target = ${target} order by id`)
    .map((a) => `${a.actor} ${a.action}`);

it("shows agents with their environments and the slots that are in use", async () => {
  const { id: deploymentId, environmentId } = await seed.deployment();
  const id = await seed.agent({ name: "node-1", environments: [environmentId], slots: 3 });
  const idle = await seed.agent({ name: "node-2", status: "disconnected" });
  await seed.task({ deploymentId, environmentId, state: "running", agentId: id });
  await seed.task({ deploymentId, environmentId, state: "cancelling", agentId: id });
  const { body } = await api.request("GET", `/agents/${id}`, undefined, "viewer");
  expect(Agent.parse(body)).toEqual(body);
  expect(body).toMatchObject({ name: "node-1", slots: 3, busySlots: 2, environments: [{ id: environmentId }] });
  const list = await api.request("GET", "/agents?limit=1");
  expect(list.body.items.map((a: Agent) => a.id)).toEqual([idle]);
  const rest = await api.request("GET", `/agents?limit=1&cursor=${list.body.nextCursor}`);
  expect([rest.body.items[0].id, rest.body.nextCursor]).toEqual([id, null]);
  expect((await api.request("GET", "/agents?status=disconnected")).body.items).toHaveLength(1);
  expect((await api.request("GET", `/agents?environmentId=${environmentId}`)).body.items[0].id).toBe(id);
});

it("changes labels and environments, which agents never do themselves", async () => {
  const [one, two] = [await seed.environment(), await seed.environment()];
  const id = await seed.agent({ environments: [one] });
  const changed = await api.request("PATCH", `/agents/${id}`, { labels: { role: "order" }, environments: [two] });
  expect(changed.status).toBe(200);
  expect(changed.body).toMatchObject({ labels: { role: "order" }, environments: [{ id: two }] });
  const foreign = await seedWork(db, await seed.project()).environment();
  const wrong = await api.request("PATCH", `/agents/${id}`, { environments: [foreign] });
  expect([wrong.status, wrong.body.code]).toEqual([400, "agent.environments"]);
  expect((await api.request("PATCH", `/agents/${id}`, { labels: {} }, "deployer")).status).toBe(403);
  expect((await api.request("GET", `/agents/${id}`)).body.environments[0].id).toBe(two);
  expect(await audits(`agent:${id}`)).toEqual(["token:admin agent.update"]);
});

it("cordons and uncordons", async () => {
  const id = await seed.agent();
  expect((await api.request("POST", `/agents/${id}/cordon`)).body.cordoned).toBe(true);
  expect((await api.request("POST", `/agents/${id}/uncordon`)).body.cordoned).toBe(false);
  expect(await audits(`agent:${id}`)).toEqual(["token:admin agent.cordon", "token:admin agent.uncordon"]);
});

it("drains: held back until what runs has ended, once however often it is asked for, and uncordon takes it back", async () => {
  const { id: deploymentId, environmentId } = await seed.deployment();
  const id = await seed.agent({ environments: [environmentId] });
  const task = await seed.task({ deploymentId, environmentId, state: "running", agentId: id });
  const first = await api.request("POST", `/agents/${id}/drain`);
  expect(first.body).toMatchObject({ cordoned: true, busySlots: 1, drain: { drainedAt: null } });
  expect((await api.request("POST", `/agents/${id}/drain`)).body.drain).toEqual(first.body.drain);
  expect(await noteDrained(db)).toBe(0);
  await db
    .sql`update task set state = 'success', agent_id = null, lease_expires_at = null, completed_at = boreas_now() where id = ${task}`;
  expect([await noteDrained(db), await noteDrained(db)]).toEqual([1, 0]);
  expect((await api.request("GET", `/agents/${id}`)).body.drain.drainedAt).not.toBeNull();
  expect((await api.request("POST", `/agents/${id}/uncordon`)).body).toMatchObject({ cordoned: false, drain: null });
});

it("approves once a machine that waits for it, and asks for new keys of one that has some", async () => {
  const id = await seed.agent();
  await db.sql`update agent set awaits_approval = true where id = ${id}`;
  expect((await api.request("POST", `/agents/${id}/approve`, undefined, "deployer")).status).toBe(403);
  expect((await api.request("POST", `/agents/${id}/approve`)).body.awaitsApproval).toBe(false);
  expect((await api.request("POST", `/agents/${id}/approve`)).body.code).toBe("agent.approved");
  expect((await api.request("POST", `/agents/${id}/rotate`)).body.keys.isRenewalWanted).toBe(true);
  const embedded = await seed.agent({ embedded: true });
  expect((await api.request("POST", `/agents/${embedded}/rotate`)).body.code).toBe("agent.embedded");
});

it("revokes: the row stays, the gateway is told, and nothing more can be done with it", async () => {
  const id = await seed.agent({ name: "gone" });
  const told: (string | undefined)[] = [];
  const end = api.deps.hints.on("agents", (agentId) => told.push(agentId));
  expect((await api.request("DELETE", `/agents/${id}`)).status).toBe(204);
  end();
  expect(told).toEqual([id]);
  const { body } = await api.request("GET", `/agents/${id}`);
  expect(body).toMatchObject({
    status: "revoked",
    reason: { code: "agent.revoked", params: { actor: "token:admin" } },
  });
  expect((await api.request("DELETE", `/agents/${id}`)).status).toBe(409);
  const embedded = await seed.agent({ embedded: true });
  expect((await api.request("DELETE", `/agents/${embedded}`)).body.code).toBe("agent.embedded");
  expect((await api.request("DELETE", `/agents/${db.newId()}`)).status).toBe(404);
  const [event] = await db.sql`select kind, data from event where subject_id = ${id}`;
  expect(event).toMatchObject({ kind: "agent.revoke", data: { name: "gone" } });
});
