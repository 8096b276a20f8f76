import { beforeAll, expect, it } from "vitest";
import { seedWork } from "../../tests/helpers/seed_work.ts";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";
import type { TestDatabase } from "../../tests/helpers/test_database.ts";
import { noteSilentAgents } from "./note_silent.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});

it("notes that an agent is gone whose master ended without a word, and leaves alone whoever was heard of", async () => {
  const seed = seedWork(db);
  const [silent, heard, away] = [await seed.agent(), await seed.agent(), await seed.agent({ status: "disconnected" })];
  const seen = (id: string, ago: number) =>
    db.sql`update agent set last_seen_at = boreas_now() - make_interval(secs => ${ago}), session_id = ${db.newId()} where id = ${id}`;
  await seen(silent, 301);
  await seen(heard, 200);
  await seen(away, 9000);
  expect(await noteSilentAgents(db, 300)).toBe(1);
  const rows = await db.sql<{ id: string; status: string; code: string; sessionId: string | null }[]>`
    select id, status, reason ->> 'code' as code, session_id from agent`;
  const of = (id: string) => rows.find((row) => row.id === id)!;
  expect([of(silent).status, of(silent).code, of(silent).sessionId]).toEqual(["disconnected", "agent.silent", null]);
  expect([of(heard).status, of(away).code]).toEqual(["connected", "agent.connected"]);
  const [event] = await db.sql`select kind from event where subject_id = ${silent}`;
  expect(event!.kind).toBe("agent.disconnected");
  expect(await noteSilentAgents(db, 300)).toBe(0);
});
