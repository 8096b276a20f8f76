import { describe, expect, it } from "vitest";
import { openClient } from "../db/client.ts";
import { createTestApi } from "../tests/helpers/test_api.ts";
import { createTestDatabase } from "../tests/helpers/test_database.ts";
import { fromPostgresError } from "./postgres_error.ts";

const db = await createTestDatabase();
const api = await createTestApi(db);

describe("what the database refuses", () => {
  it("says 409 in a sentence for a name that is taken", async () => {
    await api.request("POST", "/environments", { name: "prod", type: "mock" });
    const { status, body } = await api.request("POST", "/environments", { name: "prod", type: "mock" });
    expect([status, body.code]).toEqual([409, "exists"]);
    expect(body.detail).toBe(
      "There is an environment of this name already; choose another name or change that one.",
    );
  });

  it("says 503 when the database is away, and 200 for the process itself", async () => {
    const { sql } = api.deps.db;
    const away = openClient({ host: "/nowhere", port: 1, user: "x", database: "x" }, { max: 1 });
    api.deps.db.sql = away;
    const { status, headers, body } = await api.request("GET", "/auth/me");
    expect([status, body.code, headers.get("retry-after")]).toEqual([503, "database.away", "1"]);
    expect((await api.request("GET", "http://localhost/v1/health", undefined, null)).status).toBe(200);
    api.deps.db.sql = sql;
    await away.end({ timeout: 0 });
  });

  it("says 503 when the database takes no writes", async () => {
    const refused = await db.sql.begin(async (tx) => {
      await tx`set transaction read only`;
      await tx`delete from audit`;
    }).catch((error: unknown) => error);
    expect(fromPostgresError(refused)).toMatchObject({ kind: "unavailable", code: "database.read_only" });
  });

  it("leaves what is our own mistake alone", async () => {
    const mistake = await db.sql`select nothing from nowhere`.catch((error: unknown) => error);
    expect(fromPostgresError(mistake)).toBeUndefined();
    expect(fromPostgresError(Object.assign(new Error(), { code: "ENOENT", syscall: "open" }))).toBeUndefined();
  });
});
