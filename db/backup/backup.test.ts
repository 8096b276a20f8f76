import { Buffer } from "node:buffer";
import { expect, it } from "vitest";
import { PRODUCT_VERSION } from "../../compose/product_version.ts";
import { newId } from "../../host/new_id.ts";
import { withDatabase } from "../../tests/helpers/global_setup.ts";
import { seedWorld } from "../../tests/helpers/seed_release.ts";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";
import type { TestDatabase } from "../../tests/helpers/test_database.ts";
import { openClient } from "../client.ts";
import { createDeployment } from "../deployments/create_deployment.ts";
import { startDeployment } from "../deployments/start_deployment.ts";
import { migrateDatabase } from "../migrate.ts";
import { readMigrations } from "../read_migrations.ts";
import { moveUpgrades } from "../upgrades/move_upgrades.ts";
import { createBackupReader, createSeal } from "./backup_format.ts";
import { dumpTables } from "./dump_tables.ts";
import { loadTables } from "./load_tables.ts";
import { readHeader } from "./read_header.ts";
import { isAhead, readUse } from "./restoring.ts";
import { settleRestored } from "./settle_restored.ts";
import { readStoredTables } from "./stored_tables.ts";

const KEY = crypto.getRandomValues(new Uint8Array(32));

async function dump(db: TestDatabase): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  const put = (bytes: Uint8Array) => Promise.resolve(void parts.push(bytes));
  const facts = { product: PRODUCT_VERSION, keyCheck: "", authority: null, secretKey: null };
  await dumpTables(db.sql, { ...facts, sealKey: KEY, onTable: () => {} }, put);
  return Buffer.concat(parts);
}

/** In pieces of few bytes, so that every border falls into the middle of something. */
async function* inPieces(bytes: Buffer, size = 61) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function load(db: TestDatabase, bytes: Buffer, key = KEY): Promise<string> {
  const reader = createBackupReader(inPieces(bytes));
  const header = await readHeader(reader, PRODUCT_VERSION);
  const seal = await createSeal(key);
  reader.sealWith(seal);
  await db.sql.begin((tx) => loadTables(tx, { header, reader, digest: () => seal.digest("hex") }));
  return header.takenAt;
}

async function allRows(db: TestDatabase): Promise<Record<string, unknown[]>> {
  const all: Record<string, unknown[]> = {};
  for (const { table } of await readStoredTables(db.sql)) {
    const rows = await db.sql.unsafe(`select t::text as row from "${table}" t order by 1`);
    all[table] = rows.map((r) => r.row).filter((row) => !row.startsWith("(restoring,"));
  }
  return all;
}

/** Texts that a format of lines must not trip over, bytes, and a deployment whose tasks wait. */
async function seed(db: TestDatabase) {
  const world = await seedWorld(db, { applications: { order: {}, user: {} } });
  const versionId = await world.version("v1");
  const id = await createDeployment(world.deps, {
    versionId,
    environmentId: world.environmentId,
    applications: ["order", "user"],
    mustInOrder: [],
  }, world.actor);
  await startDeployment(world.deps, id, world.actor);
  await db.sql`update deployment set error_message = ${"a\\.\n\\.\nb\tc\\N\r\u2028"} where id = ${id}`;
  const sha256 = "00".repeat(32);
  await db.sql`insert into blob (sha256, size) values (${sha256}, 4)`;
  await db.sql`insert into blob_chunk (sha256, index, data) values (${sha256}, 0, ${Buffer.from([0, 10, 92, 255])})`;
  return { world, deploymentId: id };
}

it("brings every row back as it was, and counts on behind them", async () => {
  const [from, to] = [await createTestDatabase(), await createTestDatabase()];
  await seed(from);
  await load(to, await dump(from));
  expect(await allRows(to)).toEqual(await allRows(from));
  const [next] = await to
    .sql`insert into event (project_id, topic, kind) select id, 'agent', 'x' from project returning id`;
  const [last] = await from.sql`select max(id) as id from event`;
  expect(next!.id).toBeGreaterThan(last!.id);
  expect((await readUse(to.sql)).used).toContain("deployment");
});

it("keeps nothing of a backup that was cut, changed, or written with another key", async () => {
  const [from, to] = [await createTestDatabase(), await createTestDatabase()];
  await seed(from);
  const bytes = await dump(from);
  const changed = Buffer.from(bytes.toString("latin1").replace("\torder\t", "\torden\t"), "latin1");
  const refused = Buffer.from(bytes.toString("latin1").replace(/\t20\d\d-/, "\t20xx-"), "latin1");
  for (const other of [changed, refused]) expect(other.equals(bytes)).toBe(false);
  const lastTable = bytes.lastIndexOf('{"table"');
  for (
    const [what, key, said] of [
      [bytes.subarray(0, -20), KEY, /damaged|cut short/],
      [bytes.subarray(0, lastTable), KEY, /cut short/],
      [
        Buffer.concat([bytes.subarray(0, lastTable), bytes.subarray(bytes.lastIndexOf('{"end"'))]),
        KEY,
        /not what was written/,
      ],
      [changed, KEY, /not what was written/],
      [refused, KEY, /refused the rows of/],
      [bytes, new Uint8Array(32).fill(7), /not what was written/],
      [Buffer.from("hello\n"), KEY, /no backup of Boreas/],
    ] as const
  ) {
    await expect(load(to, what, key)).rejects.toThrow(said);
    expect(await readUse(to.sql)).toEqual({ restoring: undefined, used: [] });
  }
  await load(to, bytes);
});

it("takes an older schema and brings it up to date, and refuses a newer one", async () => {
  const from = await createTestDatabase();
  await seed(from);
  const bytes = await dump(from);
  const header = JSON.parse(bytes.subarray(0, bytes.indexOf("\n")).toString());
  const newer = Buffer.from(
    `${JSON.stringify({ ...header, product: "9.0.0", migrations: [...header.migrations, 9e12] })}\n`,
  );
  await expect(readHeader(createBackupReader(inPieces(newer)), "0.1.0")).rejects.toThrow(
    "This is Boreas 0.1.0, and the backup is of a newer one (9.0.0)",
  );

  const admin = await createTestDatabase();
  const old = readMigrations().slice(0, 12);
  const [a, b] = await Promise.all(["a", "b"].map(async (name) => {
    const database = `boreas_old_${name}_${newId().slice(-12)}`;
    await admin.sql.unsafe(`create database ${database}`);
    const target = withDatabase(admin.target, database);
    await migrateDatabase(target, PRODUCT_VERSION, old);
    return { sql: openClient(target, { max: 2 }), target, newId, database };
  }));
  try {
    await a!.sql`insert into app_user (id, username, password_hash) values (${newId()}, 'ada', 'none')`;
    await a!.sql`insert into agent (id, project_id, name, kind, embedded, status, reason, created_by)
      select ${newId()}, id, 'm1', 'pm', true, 'connected', '{}', 'test' from project`;
    const backup = await dump(a!);
    const older = JSON.parse(backup.subarray(0, backup.indexOf("\n")).toString());
    expect([await isAhead(b!.sql, older), await isAhead(admin.sql, older)]).toEqual([false, true]);
    const takenAt = await load(b!, backup);
    await migrateDatabase(b!.target, PRODUCT_VERSION);
    const restored = { takenAt, product: "0.0.9", goOn: false, leaseSeconds: 30 };
    await b!.sql.begin((tx) => settleRestored(b!, tx, restored));
    expect(await b!.sql`select username, status from app_user, agent`).toEqual([{
      username: "ada",
      status: "disconnected",
    }]);
  } finally {
    for (const one of [a!, b!]) {
      await one.sql.end();
      await admin.sql.unsafe(`drop database ${one.database} with (force)`);
    }
  }
});

it("makes an older state safe: no lease, no fence and no generation of the time since can win", async () => {
  const [from, to] = [await createTestDatabase(), await createTestDatabase()];
  const { deploymentId, world } = await seed(from);
  const agentId = await world.agent("m1");
  await from
    .sql`update task set state = 'running', agent_id = ${agentId}, fence = 7, attempt = 1, started_at = boreas_now(),
    lease_expires_at = boreas_now() where id = (select id from task where is_leaf and state = 'pending' order by id limit 1)`;
  await from.sql`update agent set ticket = '\\x00', session_id = id, status = 'connected' where id = ${agentId}`;
  const upgradeId = from.newId();
  await from.sql`insert into upgrade (id, project_id, version, batch, status, reason, created_by)
    select ${upgradeId}, project_id, '0.2.0', 1, 'running', '{}', 'ann' from agent where id = ${agentId}`;
  await from.sql`insert into upgrade_agent (upgrade_id, agent_id, position, state, reason)
    values (${upgradeId}, ${agentId}, 0, 'waiting', '{}')`;
  const askedId = from.newId();
  await from.sql`insert into upgrade (id, project_id, version, batch, status, reason, created_by)
    select ${askedId}, project_id, '0.2.0', 1, 'cancelled', '{}', 'ann' from agent where id = ${agentId}`;
  await from.sql`insert into upgrade_agent (upgrade_id, agent_id, position, state, reason, updated_at)
    values (${askedId}, ${agentId}, 0, 'asked', '{}', boreas_now() - interval '1 day')`;
  await from.sql`update event set xid = '9000000000'::xid8`;
  await from.sql`insert into setting (key, value) select key, '{"xid": "9000000000", "id": 1}'
    from unnest(array['notifications.cursor', 'statuses.cursor', 'sweep', 'rollouts']) key`;
  const takenAt = await load(to, await dump(from));
  const before = Date.now() - 60_000;
  const settled = await to.sql.begin((tx) =>
    settleRestored(to, tx, { takenAt, product: "0.1.0", goOn: false, leaseSeconds: 30 })
  );
  expect(settled).toMatchObject({ paused: 1, handedOutAgain: 1, frozen: [expect.stringContaining("env-")] });
  const [lowest] = await to.sql`select min(fence) as fence, count(*) filter (where agent_id is not null)::int as held,
    bool_or(open and completed_at is null) as open, min(run_after) > boreas_now() as waits from task where is_leaf`;
  expect(lowest!.fence).toBeGreaterThan(before);
  expect(lowest).toMatchObject({ held: 0, open: false, waits: true });
  expect(await to.sql`select status, reason ->> 'code' as code from deployment where id = ${deploymentId}`).toEqual([
    { status: "paused", code: "deployment.restored" },
  ]);
  const [place] = await to.sql`select min(generation) as generation from application_environment`;
  expect(place!.generation).toBeGreaterThan(before);
  expect(await to.sql`select status, ticket, session_id from agent where id = ${agentId}`).toEqual([
    { status: "disconnected", ticket: null, sessionId: null },
  ]);
  expect(await to.sql`select 1 from event where xid >= pg_snapshot_xmin(pg_current_snapshot())`).toHaveLength(0);
  const ofThePast = await to.sql`select key from setting where key like '%.cursor' or key in ('sweep', 'rollouts')`;
  expect(ofThePast).toEqual([]); // where readers were, and graces by the clock of another server
  expect(
    await to
      .sql`select u.status, p.state, u.reason ->> 'code' as code from upgrade u join upgrade_agent p on p.upgrade_id = u.id where u.id = ${upgradeId}`,
  ).toEqual([{ status: "cancelled", state: "cancelled", code: "upgrade.cancelled" }]);
  // Whom the lost master asked has its ten minutes to come back from now on.
  await moveUpgrades(to);
  expect(await to.sql`select state from upgrade_agent where upgrade_id = ${askedId}`).toEqual([{ state: "asked" }]);
  expect(await readUse(to.sql)).toMatchObject({ restoring: undefined });
  expect(await to.sql`select action from audit where action = 'database.restore'`).toHaveLength(1);
});
