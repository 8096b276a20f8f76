import { describe, expect, it } from "vitest";
import { createDeployment } from "../deployments/create_deployment.ts";
import { startDeployment } from "../deployments/start_deployment.ts";
import { listAppStates } from "../environments/read_app_states.ts";
import { seedWorld } from "../../tests/helpers/seed_release.ts";
import { startScheduler, until } from "../../tests/helpers/start_scheduler.ts";
import { createTestApi } from "../../tests/helpers/test_api.ts";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";
import { listSecrets } from "./list_secrets.ts";
import { putSecret } from "./put_secret.ts";
import { openSecrets } from "./read_secrets.ts";
import { resealAll } from "./reseal.ts";
import { createVault, deriveKey } from "./vault.ts";

const db = await createTestDatabase();
const key = (fill: number) => new Uint8Array(32).fill(fill);

describe("a new value", () => {
  it("makes what runs with the old one out of sync, by name, until it is deployed again", async () => {
    const run = await startScheduler(db);
    try {
      const config = { config: { secrets: ["DB_PASSWORD"] } };
      const world = await seedWorld(db, { applications: { order: config, user: {} } });
      world.deps.hints = run.hints;
      const { environmentId, actor } = world;
      const put = (value: string, applicationId: string | null = null) =>
        putSecret(run.deps, { name: "DB_PASSWORD", value, environmentId, applicationId }, actor);
      await put("first-value");
      await run.agent(await world.agent("machine"));
      const deploy = async () => {
        const version = `v${db.newId().slice(-8)}`;
        const id = await createDeployment(
          world.deps,
          { versionId: await world.version(version), environmentId },
          actor,
        );
        await startDeployment(world.deps, id, actor);
        const done = async () =>
          (await db.sql`select 1 from deployment where id = ${id} and status = 'completed'`).length;
        await until(run.hints, async () => await done() > 0, "the deployment");
      };
      const seen = async () =>
        (await listAppStates(db, actor.projectId, { environmentId })).map((
          s,
        ) => [s.application, s.sync, s.drift.map((d) => `${d.path}: ${d.actual}`)]);
      await deploy();
      expect(await seen()).toEqual([["order", "synced", []], ["user", "synced", []]]);

      await put("second-value");
      expect(await seen()).toEqual([
        ["order", "out_of_sync", ["secrets.DB_PASSWORD: an older value"]],
        ["user", "synced", []],
      ]);
      const events = await db.sql<{ text: string }[]>`
        select data -> 'reason' ->> 'text' as text from event where kind = 'application.out_of_sync'`;
      expect(events.map((e) => e.text)).toEqual([
        "order on - uses an older value of DB_PASSWORD; deploy it again, and it gets the new one.",
      ]);
      const [secret] = await listSecrets(db, actor.projectId, { limit: 1 });
      expect(secret).toMatchObject({ rotatedBy: "tester", rotatedAt: expect.any(String), createdBy: "tester" });

      await deploy();
      expect((await seen())[0]).toEqual(["order", "synced", []]);
      // A value of a narrower scope is another value, too; and one that does not count for it changes nothing.
      await put("for somebody else", world.applications.user);
      expect((await seen())[0]).toEqual(["order", "synced", []]);
      await put("for order alone", world.applications.order);
      expect((await seen())[0]![1]).toBe("out_of_sync");
    } finally {
      await run.stop();
    }
  });
});

describe("a value that is kept elsewhere", () => {
  it("is found there at each dispatch, and one that is missing says which and where", async () => {
    const api = await createTestApi(db);
    const put = async (body: unknown) => await api.request("PUT", "/secrets", body);
    expect((await put({ name: "FROM_ENV", from: { env: "BOREAS_SECRET_VALUE_A" } })).body).toMatchObject({
      provider: "env",
      reference: "BOREAS_SECRET_VALUE_A",
    });
    expect((await put({ name: "FROM_FILE", from: { file: "db/password" } })).status).toBe(201);
    for (const from of [{ env: "BOREAS_SECRET_KEY" }, { env: "PATH" }, { file: "../x" }, { file: "/etc/shadow" }]) {
      expect((await put({ name: "X", from })).status, JSON.stringify(from)).toBe(400);
    }
    expect((await put({ name: "X" })).status).toBe(400);
    const { projectId } = api.actors.admin;
    const query = { projectId, environmentId: db.newId(), applicationId: db.newId() };
    const open = (values: Record<string, string>, names: string[]) =>
      openSecrets(db, api.deps.vault, { ...query, names }, {
        env: (name) => values[name],
        file: (path) => Promise.resolve(values[path]),
      });
    const all = { BOREAS_SECRET_VALUE_A: "of the variable", "db/password": "of the file" };
    expect(await open(all, ["FROM_ENV", "FROM_FILE"])).toEqual({
      FROM_ENV: "of the variable",
      FROM_FILE: "of the file",
    });
    await expect(open({}, ["FROM_ENV"])).rejects.toThrow(
      "The secret FROM_ENV is kept in the master's variable BOREAS_SECRET_VALUE_A, which has no value; set it there.",
    );
    await expect(open({ "db/password": "abc" }, ["FROM_FILE"])).rejects.toThrow("shorter than 4");
  });
});

describe("a new key", () => {
  it("opens what the previous one sealed, and after sealing it anew nothing of the old one is left anywhere", async () => {
    const own = await createTestDatabase();
    const before = await createVault(key(1));
    const api = await createTestApi(own, { vault: before });
    await api.request("PUT", "/secrets", { name: "TOKEN", value: "kept over the change" });
    await api.request("PUT", "/secrets", { name: "ELSEWHERE", from: { file: "x" } });
    const webhookSecret = "a secret of this test";
    await api.request("POST", "/repositories", {
      ...{ url: "https://git.example.com/a.git", provider: "generic", webhookSecret, credential: "user:password" },
    });
    const target = { kind: "slack", url: "https://hooks.example.com/x" };
    await api.request("POST", "/notifications", { name: "ops", target });
    for (const name of ["keyCheck", "releaseKey"]) {
      const sealed = Array.from(await before.seal(`setting:${name}:value`, "{}"));
      await own.sql`insert into setting (key, value) values (${name}, ${own.sql.json(sealed)})`;
    }
    const both = await createVault(key(2), key(1));
    expect(await resealAll(own, both)).toBe(6);
    expect(await resealAll(own, both)).toBe(0);
    const query = { projectId: api.actors.admin.projectId, environmentId: own.newId(), applicationId: own.newId() };
    expect(await openSecrets(own, await createVault(key(2)), { ...query, names: ["TOKEN"] })).toEqual({
      TOKEN: "kept over the change",
    });
    // Wherever a sealed value may be: in every column of bytes, and in every setting.
    const oldId = new Uint8Array(await crypto.subtle.digest("SHA-256", await deriveKey(key(1), "boreas.vault.v1", 32)))
      .slice(0, 8);
    const columns = await own.sql<{ tableName: string; columnName: string }[]>`
      select table_name, column_name from information_schema.columns
      where table_schema = 'public' and data_type = 'bytea'`;
    expect(columns.length).toBeGreaterThan(5);
    for (const { tableName, columnName } of columns) {
      const left = await own.sql`select 1 from ${own.sql(tableName)}
        where substring(${own.sql(columnName)} from 2 for 8) = ${oldId}`;
      expect(left.length, `${tableName}.${columnName}`).toBe(0);
    }
    const settings = await own.sql<{ key: string; value: unknown }[]>`select key, value from setting`;
    for (const { key: name, value } of settings) {
      expect(Array.isArray(value) && value.slice(1, 9).join() === oldId.join(), name).toBe(false);
    }
  });
});
