import { expect, it } from "vitest";
import { seedWork } from "../../tests/helpers/seed_work.ts";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";
import { connectIdle } from "./connect_idle.ts";
import { touchAgents } from "./read_agent_identity.ts";

const db = await createTestDatabase();
const seed = seedWork(db);
const arrivalOf = (agentId: string, slots = 4) => ({
  agentId,
  sessionId: db.newId(),
  slots,
  facts: { os: "linux" },
  versions: { boreas: "1" },
  resumes: [],
});

it("connects all that hold nothing in one statement, each with its event, and leaves the others as they are", async () => {
  const idle = [await seed.agent({ status: "disconnected" }), await seed.agent({ status: "connected" })];
  const revoked = await seed.agent({ status: "revoked" });
  const busy = await seed.agent({ status: "disconnected" });
  const { id: deploymentId, environmentId } = await seed.deployment();
  await seed.task({ deploymentId, environmentId, state: "running", agentId: busy });
  const arrivals = [...idle, revoked, busy, db.newId()].map((id) => arrivalOf(id, 7));
  const connected = await connectIdle(db, arrivals);
  expect(connected.map((c) => c.agentId).sort()).toEqual([...idle].sort());
  const rows = await db.sql`
    select id, status, session_id, slots, facts, versions, reason ->> 'code' as code, last_seen_at is not null as seen from agent
    where id = any(${idle}::uuid[]) order by id`;
  expect(rows).toEqual(
    [...idle].sort().map((id) => ({
      id,
      status: "connected",
      sessionId: arrivals.find((a) => a.agentId === id)!.sessionId,
      slots: 7,
      facts: { os: "linux" },
      versions: { boreas: "1" },
      code: "agent.connected",
      seen: true,
    })),
  );
  const untouched = await db.sql<{ status: string; sessionId: string | null }[]>`
    select status, session_id from agent where id = any(${[revoked, busy]}::uuid[]) order by status`;
  expect(untouched.map((r) => ({ ...r }))).toEqual([
    { status: "disconnected", sessionId: null },
    { status: "revoked", sessionId: null },
  ]);
  const events = await db.sql<{ subjectId: string; data: { name: string; reason: { code: string } } }[]>`
    select subject_id, data from event where kind = 'agent.connected' order by subject_id`;
  expect(events.map((e) => [e.subjectId, e.data.reason.code])).toEqual(
    [...idle].sort().map((id) => [id, "agent.connected"]),
  );
});

it("notes in one statement for many that they were heard, and waits for none that is being connected", async () => {
  const [one, other] = [await seed.agent(), await seed.agent()];
  await db.sql.begin(async (tx) => {
    await tx`select from agent where id = ${other} for update`;
    await touchAgents(db, [one, other]);
  });
  const seen = await db.sql<{ id: string }[]>`
    select id from agent where id = any(${[one, other]}::uuid[]) and last_seen_at is not null`;
  expect(seen.map((r) => r.id)).toEqual([one]);
});
