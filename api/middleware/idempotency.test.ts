import { describe, expect, it } from "vitest";
import { createTestApi, TEST_PASSWORD } from "../../tests/helpers/test_api.ts";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";
import { deleteOldRequests } from "../../db/idempotency/finish_request.ts";

const db = await createTestDatabase();
const api = await createTestApi(db);
const key = () => ({ "idempotency-key": crypto.randomUUID() });
const environment = (name: string) => ({ name, type: "mock" });
const count = async (name: string) => (await db.sql`select 1 from environment where name = ${name}`).length;

describe("Idempotency-Key", () => {
  it("does a repeated write once and gives the same answer", async () => {
    const headers = key();
    const first = await api.request("POST", "/environments", environment("once"), "admin", headers);
    const second = await api.request("POST", "/environments", environment("once"), "admin", headers);
    expect(first.status).toBe(201);
    expect([second.status, second.body]).toEqual([201, first.body]);
    expect(second.headers.get("idempotency-replayed")).toBe("true");
    expect(await count("once")).toBe(1);
  });

  it("keeps a refusal too: the same mistake gets the same answer", async () => {
    const headers = key();
    const first = await api.request("POST", "/environments", { name: "Bad Name", type: "mock" }, "admin", headers);
    const second = await api.request("POST", "/environments", { name: "Bad Name", type: "mock" }, "admin", headers);
    expect([first.status, second.status]).toEqual([400, 400]);
    expect(second.body).toEqual(first.body);
    expect(second.headers.get("content-type")).toBe("application/problem+json");
  });

  it("refuses the same key for another request", async () => {
    const headers = key();
    await api.request("POST", "/environments", environment("a"), "admin", headers);
    const other = await api.request("POST", "/environments", environment("b"), "admin", headers);
    expect([other.status, other.body.code]).toEqual([409, "idempotency.mismatch"]);
    expect(await count("b")).toBe(0);
  });

  it("belongs to the one who sent it", async () => {
    const headers = key();
    const mine = await api.request("POST", "/applications", { name: "mine" }, "admin", headers);
    const theirs = await api.request("POST", "/applications", { name: "theirs" }, "deployer", headers);
    expect([mine.status, theirs.status]).toEqual([201, 201]);
  });

  it("lets one of two at the same moment through", async () => {
    const headers = key();
    const both = await Promise.all(
      [1, 2, 3].map(() => api.request("POST", "/environments", environment("race"), "admin", headers)),
    );
    expect(await count("race")).toBe(1);
    for (const { status, body } of both) {
      expect(status === 201 || (status === 409 && body.code === "idempotency.in_progress")).toBe(true);
    }
  });

  it("forgets an attempt that failed on our side, so that a repeat can work", async () => {
    const headers = key();
    const { hints } = api.deps;
    api.deps.hints = {
      ...hints,
      announce: () => {
        throw new Error("boom");
      },
    };
    // The application route announces after its commit: what it did stands, and the repeat says so.
    expect((await api.request("POST", "/applications", { name: "flaky" }, "admin", headers)).status).toBe(500);
    api.deps.hints = hints;
    const again = await api.request("POST", "/applications", { name: "flaky" }, "admin", headers);
    expect([again.status, again.body.code]).toEqual([409, "exists"]);
  });

  it("says so when nobody knows whether the first one was done", async () => {
    const headers = key();
    await api.request("POST", "/environments", environment("lost"), "admin", headers);
    await db.sql`update idempotency set status = null, body = null, created_at = created_at - interval '10 minutes'
      where key = ${headers["idempotency-key"]}`;
    const again = await api.request("POST", "/environments", environment("lost"), "admin", headers);
    expect(again.body.code).toBe("idempotency.abandoned");
  });

  it("is good for a day, and outdated rows can be swept", async () => {
    const headers = key();
    await api.request("DELETE", `/environments/${db.newId()}`, undefined, "admin", headers);
    await db.sql`update idempotency set created_at = created_at - interval '2 days'
      where key = ${headers["idempotency-key"]}`;
    expect((await api.request("POST", "/environments", environment("next-day"), "admin", headers)).status).toBe(201);
    await db.sql`update idempotency set created_at = created_at - interval '2 days'
      where key = ${headers["idempotency-key"]}`;
    expect(await deleteOldRequests(db)).toBe(1);
  });

  it("never keeps a secret that is shown once", async () => {
    const { body: session } = await api.request(
      "POST",
      "/auth/login",
      { username: "admin", password: TEST_PASSWORD },
      null,
    );
    const headers = key();
    const first = await api.request("POST", "/tokens", { name: "ci" }, session.accessToken, headers);
    const second = await api.request("POST", "/tokens", { name: "ci" }, session.accessToken, headers);
    expect(first.status).toBe(201);
    expect([second.status, second.body.code]).toEqual([409, "idempotency.secret"]);
    expect(JSON.stringify(await db.sql`select * from idempotency`)).not.toContain(first.body.token);
  });

  it("must be something that can be a key", async () => {
    const { status, body } = await api.request("POST", "/environments", environment("k"), "admin", {
      "idempotency-key": "with spaces",
    });
    expect([status, body.code]).toEqual([400, "idempotency.key"]);
  });
});
