import { beforeAll, expect, it } from "vitest";
import { registerEmbedded } from "../db/agents/register_embedded.ts";
import { createTestDatabase } from "../tests/helpers/test_database.ts";
import type { TestDatabase } from "../tests/helpers/test_database.ts";
import { startScheduler, until } from "../tests/helpers/start_scheduler.ts";
import { createVirtualClock } from "../tests/helpers/virtual_clock.ts";
import { containerModes, watchEngine } from "./container_modes.ts";

let db: TestDatabase;
beforeAll(async () => void (db = await createTestDatabase()));
const quiet = { log() {} };

it("a machine runs containers while an engine answers: looked at every 30 s, until told to stop", async () => {
  let answers = false;
  const engine = { version: () => (answers ? Promise.resolve("20.10") : Promise.reject(new Error("away"))) };
  const clock = createVirtualClock();
  const modes = [...await containerModes(engine), "binary"];
  let told = 0;
  const end = watchEngine(engine, modes, { clock, logger: quiet }, () => void told++);
  await clock.advance(31_000);
  expect([modes, told]).toEqual([["binary"], 0]);
  answers = true;
  await clock.advance(30_000);
  expect([modes, told]).toEqual([["docker", "binary"], 1]);
  await clock.advance(60_000);
  answers = false;
  await clock.advance(30_000);
  expect([modes, told]).toEqual([["binary"], 2]);
  end();
  expect(clock.waiting).toBe(0);
});

it("the master knows at once what a connected machine can run from now on", async () => {
  const started = await startScheduler(db);
  const id = await registerEmbedded(db, "modes", "mock");
  const facts = { hostname: "h", os: "linux", arch: "amd64", cpus: 1, memoryBytes: 1, bootId: "", modes: ["binary"] };
  const { agent } = await started.agent(id, { facts });
  const modes = async () => (await db.sql`select facts -> 'modes' as modes from agent where id = ${id}`)[0]!.modes;
  await until(started.hints, async () => (await modes())?.[0] === "binary", "the hello");
  facts.modes.unshift("docker");
  agent.tellModes();
  await until(started.hints, async () => (await modes()).join() === "docker,binary", "the news");
  const events = await db.sql`select data from event where kind = 'agent.modes' and subject_id = ${id}`;
  expect(events.map(({ data }) => data)).toEqual([{ name: "modes", modes: ["docker", "binary"] }]);
  await started.stop();
});
