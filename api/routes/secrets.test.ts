import { describe, expect, it } from "vitest";
import { DEFAULT_PROJECT } from "../../db/database.ts";
import { openSecrets } from "../../db/secrets/read_secrets.ts";
import { createTestApi } from "../../tests/helpers/test_api.ts";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";

const db = await createTestDatabase();
const api = await createTestApi(db);
const CANARY = "canary-value-8d1f";
const environmentId = (await api.request("POST", "/environments", { name: "prod", type: "mock" })).body.id;
const applicationId = (await api.request("POST", "/applications", { name: "order" })).body.id;
const put = async (input: Record<string, unknown>) => await api.request("PUT", "/secrets", input);
const open = async (...names: string[]) =>
  await openSecrets(db, api.deps.vault, { projectId: DEFAULT_PROJECT, environmentId, applicationId, names });

describe("secrets", () => {
  it("go in and never come out, neither from the API nor from the tables", async () => {
    const made = await put({ name: "DB_PASSWORD", value: CANARY });
    expect(made.status).toBe(201);
    const answers = [
      made,
      await api.request("GET", "/secrets"),
      await api.request("GET", `/secrets/${made.body.id}`),
      await api.request("GET", "/audit"),
    ];
    expect(JSON.stringify(answers.map((a) => a.body))).not.toContain(CANARY);
    expect(made.body).toMatchObject({ name: "DB_PASSWORD", environmentId: null, applicationId: null });
    const [row] = await db.sql<{ sealed: Uint8Array }[]>`select sealed from secret where id = ${made.body.id}`;
    expect(new TextDecoder().decode(row!.sealed)).not.toContain(CANARY);
    expect(await open("DB_PASSWORD", "UNKNOWN")).toEqual({ DB_PASSWORD: CANARY });
  });

  it("take a new value in place", async () => {
    const first = await put({ name: "ROTATED", value: "one-value" });
    const second = await put({ name: "ROTATED", value: "two-value" });
    expect([first.status, second.status]).toEqual([201, 200]);
    expect(second.body.id).toBe(first.body.id);
    expect(await open("ROTATED")).toEqual({ ROTATED: "two-value" });
  });

  it("are one even when two set the same one at once, and its value opens", async () => {
    await Promise.all(["left-value", "right-value"].map((value) => put({ name: "RACED", value, environmentId })));
    expect((await db.sql`select 1 from secret where name = 'RACED'`).length).toBe(1);
    expect((await open("RACED")).RACED).toMatch(/^(left|right)-value$/);
  });

  it("of a narrower scope count before those of a wider one", async () => {
    const scopes: [Record<string, string>, string][] = [
      [{}, "of-project"],
      [{ environmentId }, "of-environment"],
      [{ applicationId }, "of-application"],
      [{ applicationId, environmentId }, "of-both"],
    ];
    for (const [scope, value] of scopes) {
      await put({ name: "SCOPED", value, ...scope });
      expect(await open("SCOPED")).toEqual({ SCOPED: value });
    }
    const other = await openSecrets(db, api.deps.vault, {
      projectId: DEFAULT_PROJECT,
      environmentId: db.newId(),
      applicationId: db.newId(),
      names: ["SCOPED"],
    });
    expect(other).toEqual({ SCOPED: "of-project" });
  });

  it("do not open when their bytes are moved to another row", async () => {
    const one = await put({ name: "ONE", value: "value-one" });
    const two = await put({ name: "TWO", value: "value-two" });
    await db.sql`update secret set sealed = (select sealed from secret where id = ${one.body.id})
      where id = ${two.body.id}`;
    await expect(open("TWO")).rejects.toThrow();
  });

  it("are refused for a scope that does not exist, and when too short to be masked", async () => {
    expect((await put({ name: "X", value: "value", environmentId: db.newId() })).body.code).toBe("environment.unknown");
    expect((await put({ name: "X", value: "value", applicationId: db.newId() })).body.code).toBe("application.unknown");
    expect((await put({ name: "X", value: "abc" })).body.errors[0].path).toBe("value");
  });

  it("are deleted by name in the record", async () => {
    const { body } = await put({ name: "GONE", value: "value" });
    expect((await api.request("DELETE", `/secrets/${body.id}`)).status).toBe(204);
    expect((await api.request("DELETE", `/secrets/${body.id}`)).status).toBe(404);
    const audit = await api.request("GET", `/audit?target=secret:${body.id}&action=secret.`);
    expect(audit.body.items.map((a: { action: string }) => a.action)).toEqual(["secret.delete", "secret.create"]);
  });

  it("are for admins alone, names included", async () => {
    expect((await api.request("GET", "/secrets", undefined, "deployer")).status).toBe(403);
  });
});
