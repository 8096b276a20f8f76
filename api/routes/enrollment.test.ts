import { expect, it } from "vitest";
import { seedWork } from "../../tests/helpers/seed_work.ts";
import { createTestApi } from "../../tests/helpers/test_api.ts";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";

const db = await createTestDatabase({ max: 20 });
const api = await createTestApi(db);
const seed = seedWork(db);
const key = "A".repeat(43);
const facts = { hostname: "h", os: "linux", arch: "amd64", cpus: 2, memoryBytes: 1 };
const newKey = () => (crypto.randomUUID() + crypto.randomUUID()).slice(0, 43);
const enroll = (token: string, name: string, more: Record<string, unknown> = {}) =>
  api.request("POST", "/enroll", { token, name, publicKey: newKey(), sealingKey: key, facts, ...more }, null);
const newToken = async (more: Record<string, unknown> = {}) =>
  (await api.request("POST", "/enrollment-tokens", more)).body as { id: string; token: string; environments: string[] };
const agentsCalled = async (
  name: string,
) => (await db.sql<{ id: string; labels: unknown }[]>`select id, labels from agent where name = ${name}`);

it("trades a join token for an identity, with the labels and environments of the token", async () => {
  const environmentId = await seed.environment("staging");
  const { id, token, environments } = await newToken({ labels: { role: "order" }, environments: ["staging"] });
  expect(token).toMatch(/^bet_[A-Za-z0-9_-]{43}$/);
  expect(environments).toEqual([environmentId]);
  const made = await enroll(token, "node-1");
  expect(made.status).toBe(201);
  expect(made.body).toEqual({ agentId: expect.any(String), masterId: "test-master", name: "node-1" });
  const { body } = await api.request("GET", `/agents/${made.body.agentId}`);
  expect(body).toMatchObject({
    status: "disconnected",
    labels: { role: "order" },
    environments: [{ name: "staging" }],
  });
  const listed = await api.request("GET", "/enrollment-tokens");
  expect(listed.body.items[0]).toMatchObject({ id, usesLeft: 0 });
  expect(JSON.stringify(listed.body)).not.toContain(token);
});

it("gives one use to one of twenty who come at once", async () => {
  const { token } = await newToken();
  const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => enroll(token, `racer-${i}`)));
  expect(answers.map((a) => a.status).sort()).toEqual([201, ...Array(19).fill(401)]);
  const [row] = await db.sql`select count(*)::int as n from agent where name like 'racer-%'`;
  expect(row!.n).toBe(1);
});

it("refuses a token that is unknown, expired or withdrawn, all with the same words", async () => {
  const expired = await newToken();
  await db.sql`update enrollment_token set expires_at = boreas_now() where id = ${expired.id}`;
  const withdrawn = await newToken();
  expect((await api.request("DELETE", `/enrollment-tokens/${withdrawn.id}`)).status).toBe(204);
  const answers = [
    await enroll(`bet_${key}`, "n"),
    await enroll(expired.token, "n"),
    await enroll(withdrawn.token, "n"),
  ];
  expect(new Set(answers.map((a) => `${a.status} ${a.body.detail}`)).size).toBe(1);
  expect(answers[0]!.status).toBe(401);
  expect(await agentsCalled("n")).toEqual([]);
});

it("refuses a token of another kind than who comes with it", async () => {
  const { token } = await newToken({ kind: "operator" });
  expect((await enroll(token, "machine-of-another-kind")).status).toBe(401);
  expect(await agentsCalled("machine-of-another-kind")).toEqual([]);
  const facts = { hostname: "h", os: "linux", arch: "amd64", cpus: 2, memoryBytes: 1 };
  const operator = { token, name: "cluster-1", kind: "operator", publicKey: key, sealingKey: key, facts };
  expect((await api.request("POST", "/enroll", operator, null)).status).toBe(201);
});

it("refuses a name that is taken, gives the use back, and writes it down", async () => {
  const taken = await seed.agent({ name: "taken" });
  const { id, token } = await newToken();
  const refused = await enroll(token, "taken");
  expect([refused.status, refused.body.code]).toEqual([409, "agent.name_taken"]);
  expect((await agentsCalled("taken")).map((a) => a.id)).toEqual([taken]);
  const [audit] = await db.sql`select actor, action, detail from audit where target = ${`enrollment-token:${id}`}
    and action = 'agent.enroll_refused'`;
  expect(audit).toMatchObject({ actor: `enrollment token ${id}`, detail: { name: "taken" } });
  expect((await enroll(token, "free")).status).toBe(201);
  const bad = await enroll((await newToken()).token, "../etc");
  expect([bad.status, bad.body.code]).toEqual([400, "agent.name"]);
});

it("makes an agent of a token that asks for a person's yes wait for it", async () => {
  const made = await enroll((await newToken({ approveFirst: true })).token, "patient");
  const { body } = await api.request("GET", `/agents/${made.body.agentId}`);
  expect(body.awaitsApproval).toBe(true);
});

it("refuses whoever asks for an id, or brings the key of an agent that is there, and writes it down", async () => {
  const publicKey = newKey();
  const there = await enroll((await newToken()).token, "first-of-the-key", { publicKey });
  const { id, token } = await newToken();
  const asks = await enroll(token, "asks-for-an-id", { agentId: there.body.agentId });
  expect([asks.status, asks.body.code]).toEqual([409, "agent.id_taken"]);
  const brings = await enroll(token, "brings-a-key", { publicKey });
  expect([brings.status, brings.body.code]).toEqual([409, "agent.key_taken"]);
  const audits = await db.sql<
    { action: string }[]
  >`select action from audit where target = ${`enrollment-token:${id}`}`;
  expect(audits.filter((a) => a.action === "agent.enroll_refused").length).toBe(2);
  expect((await enroll(token, "honest")).status).toBe(201); // the use was given back
});

it("lets a new machine take the name of a revoked one, with an identity of its own", async () => {
  const first = (await enroll((await newToken()).token, "node-7")).body.agentId;
  await api.request("DELETE", `/agents/${first}`);
  const second = await enroll((await newToken()).token, "node-7");
  expect(second.status).toBe(201);
  expect(second.body.agentId).not.toBe(first);
  const { body } = await api.request("GET", `/agents/${first}`);
  expect(body).toMatchObject({ name: `node-7~${first.slice(-8)}`, status: "revoked" });
});

it("keeps no token in the database that could be used", async () => {
  const { token } = await newToken();
  const tables = await db.sql<{ name: string }[]>`
    select table_name as name from information_schema.tables where table_schema = 'public'`;
  for (const { name } of tables) {
    const [row] = await db.sql`select coalesce(string_agg(t::text, ''), '') as text from ${db.sql(name)} t`;
    expect(row!.text, name).not.toContain(token.slice(4));
  }
});

it("is for admins to prepare, names an environment that is not there, and limits who tries often", async () => {
  expect((await api.request("POST", "/enrollment-tokens", {}, "deployer")).status).toBe(403);
  const wrong = await api.request("POST", "/enrollment-tokens", { environments: ["nowhere"] });
  expect([wrong.status, wrong.body.detail]).toEqual([
    400,
    "There is no environment nowhere; create it first, or check its name.",
  ]);
  let last = await enroll(`bet_${key}`, "n");
  for (let i = 0; i < 60 && last.status !== 429; i++) last = await enroll(`bet_${key}`, "n");
  expect(last.status).toBe(429);
  expect(last.headers.get("retry-after")).toMatch(/^\d+$/);
});
