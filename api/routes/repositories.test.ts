import { beforeAll, describe, expect, it } from "vitest";
import { parseNetworks } from "../../domain/outgoing_address.ts";
import { createOutgoingCheck } from "../../domain/outgoing_check.ts";
import { createTestApi } from "../../tests/helpers/test_api.ts";
import type { TestApi } from "../../tests/helpers/test_api.ts";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";
import type { TestDatabase } from "../../tests/helpers/test_database.ts";

let db: TestDatabase;
let api: TestApi;
beforeAll(async () => {
  db = await createTestDatabase();
  api = await createTestApi(db, {
    allowFileRepositories: false,
    checkOutgoing: createOutgoingCheck({
      resolve: (host) =>
        host.endsWith(".example.com") ? Promise.resolve(["93.184.216.34"]) : Promise.reject(new Error("unknown")),
      allow: parseNetworks(""),
    }),
  });
});
const CANARY = "CANARY-a-webhook-secret";
const KEY_CANARY = "user:CANARY-password";
let count = 0;
const input = (more: Record<string, unknown> = {}) => ({
  url: `https://git.example.com/team/r${++count}.git`,
  provider: "github",
  webhookSecret: CANARY,
  ...more,
});
const create = (more?: Record<string, unknown>, as = "admin") => api.request("POST", "/repositories", input(more), as);

describe("a repository", () => {
  it("is registered with defaults, read, changed and forgotten", async () => {
    const made = await create();
    expect(made.status).toBe(201);
    expect(made.body).toMatchObject({
      branch: "main",
      tagPattern: null,
      configPaths: ["boreas.yaml"],
      pollSeconds: 300,
      hasCredential: false,
      webhookPath: `/webhook/github/${made.body.id}`,
      reason: { code: "repository.new" },
      lastSyncedAt: null,
    });
    const changed = await api.request("PATCH", `/repositories/${made.body.id}`, {
      branch: "release",
      tagPattern: "v*",
      credential: KEY_CANARY,
    });
    expect(changed.body).toMatchObject({
      branch: "release",
      tagPattern: "v*",
      hasCredential: true,
      url: made.body.url,
    });
    const cleared = await api.request("PATCH", `/repositories/${made.body.id}`, { credential: null, tagPattern: null });
    expect(cleared.body).toMatchObject({ hasCredential: false, tagPattern: null, branch: "release" });
    expect((await api.request("GET", "/repositories?limit=1")).body.items.length).toBe(1);
    expect((await api.request("DELETE", `/repositories/${made.body.id}`)).status).toBe(204);
    expect((await api.request("GET", `/repositories/${made.body.id}`)).status).toBe(404);
    expect((await api.request("PATCH", `/repositories/${made.body.id}`, { branch: "x" })).status).toBe(404);
  });

  it("keeps its secrets sealed: in no answer, no audit row, no event and no plain column", async () => {
    const { body } = await create({ credential: KEY_CANARY });
    await api.request("PATCH", `/repositories/${body.id}`, {
      webhookSecret: `${CANARY}-2`,
      credential: `${KEY_CANARY}2`,
    });
    const places = await Promise.all([
      api.request("GET", `/repositories/${body.id}`),
      api.request("GET", "/repositories"),
      db.sql`select * from audit`,
      db.sql`select * from event`,
      db.sql`select encode(webhook_secret, 'escape') as a, encode(credential, 'escape') as b, r.* from repository r`,
    ]);
    expect(JSON.stringify([places, api.logged])).not.toContain("CANARY");
  });

  it("gives its credential to no other host than the one it was stored for", async () => {
    const { body } = await create({ url: "https://git.example.com/trade/moved.git", credential: KEY_CANARY });
    const change = (more: Record<string, unknown>) => api.request("PATCH", `/repositories/${body.id}`, more);
    expect((await change({ url: "https://git.example.com/trade/moved-2.git" })).status).toBe(200);
    const elsewhere = await change({ url: "https://evil.example.com/trade/moved.git" });
    expect([elsewhere.status, elsewhere.body.code]).toEqual([400, "repository.credential"]);
    const bare = await change({ url: "https://evil.example.com/trade/moved.git", credential: null });
    expect([bare.status, bare.body.hasCredential]).toEqual([200, false]);
  });

  it.each([
    ["--upload-pack=touch /tmp/x", /dash/],
    ["-oProxyCommand=x:y", /dash/],
    ["ext::sh -c x", /spaces/],
    ["ext::sh", /not an accepted address/],
    ["git://git.example.com/x", /git:\/\//],
    ["http://git.example.com/x", /http:\/\//],
    ["file:///etc", /BOREAS_ALLOW_FILE_REPOSITORIES/],
    ["https:///git.example.com/x", /host/],
    ["https://u:CANARY@git.example.com/x", /credential/],
    ["https://127.0.0.1/x", /this machine itself/],
    ["https://[::ffff:127.0.0.1]/x", /this machine itself/],
    ["https://2130706433/x", /not a host name/],
    ["git@2130706433:x", /not a host name/],
    ["https://169.254.169.254/x", /metadata/],
    ["https://nowhere.invalid/x", /cannot be found/],
  ])("at %s is refused with a sentence", async (url, sentence) => {
    const { status, body } = await create({ url });
    expect([status, body.detail]).toEqual([400, expect.stringMatching(sentence)]);
    expect(JSON.stringify(body)).not.toContain("CANARY");
  });

  it.each([
    [{ branch: "--output=x" }, "repository.branch"],
    [{ branch: "a..b" }, "repository.branch"],
    [{ tagPattern: "" }, "repository.tagPattern"],
    [{ configPaths: ["../../etc/passwd"] }, "request.invalid"],
    [{ configPaths: ["/etc/passwd"] }, "request.invalid"],
    [{ configPaths: ["-x"] }, "request.invalid"],
    [{ webhookSecret: "" }, "request.invalid"],
    [{ webhookSecret: undefined }, "request.invalid"],
    [{ projectId: "x" }, "request.invalid"],
  ])("with %j is refused", async (more, code) => {
    const { status, body } = await create(more);
    expect([status, body.code]).toEqual([400, code]);
  });

  it("is registered once per address, by an admin", async () => {
    const { body } = await create();
    const again = await create({ url: body.url });
    expect([again.status, again.body.detail]).toEqual([
      409,
      "This repository is registered already; change that one instead.",
    ]);
    expect((await create({}, "deployer")).status).toBe(403);
    expect((await api.request("PATCH", `/repositories/${body.id}`, { url: "https://127.0.0.1/x" })).status).toBe(400);
  });

  it("becomes the owner of an application that was created with its address", async () => {
    const next = input();
    const app = await api.request("POST", "/applications", { name: "early-bird", repository: next.url });
    const { body } = await api.request("POST", "/repositories", next);
    expect((await api.request("GET", `/applications/${app.body.id}`)).body.repositoryId).toBe(body.id);
  });
});

describe("deliveries", () => {
  it("are asked for by a sync, listed, and delivered again as rows of their own", async () => {
    const { body } = await create();
    const path = `/repositories/${body.id}`;
    const synced = await api.request("POST", `${path}/sync`, undefined, "deployer");
    expect([synced.status, synced.body]).toEqual([
      202,
      expect.objectContaining({ source: "sync", ref: "refs/heads/main", status: "received" }),
    ]);
    const again = await api.request("POST", `${path}/deliveries/${synced.body.id}/redeliver`);
    expect([again.status, again.body.source, again.body.ref]).toEqual([202, "redeliver", "refs/heads/main"]);
    const listed = await api.request("GET", `${path}/deliveries?limit=1`, undefined, "viewer");
    expect(listed.body.items.map((d: { id: string }) => d.id)).toEqual([again.body.id]);
    const rest = await api.request("GET", `${path}/deliveries?cursor=${listed.body.nextCursor}&status=received`);
    expect(rest.body.items.map((d: { id: string }) => d.id)).toEqual([synced.body.id]);
  });

  it("of another repository, or without a ref, are not delivered again", async () => {
    const [one, other] = [(await create()).body, (await create()).body];
    const { body } = await api.request("POST", `/repositories/${one.id}/sync`);
    expect((await api.request("POST", `/repositories/${other.id}/deliveries/${body.id}/redeliver`)).status).toBe(404);
    await db.sql`update delivery set ref = null where id = ${body.id}`;
    const refused = await api.request("POST", `/repositories/${one.id}/deliveries/${body.id}/redeliver`);
    expect([refused.status, refused.body.code]).toEqual([409, "delivery.no_ref"]);
    expect((await api.request("POST", `/repositories/${db.newId()}/sync`)).status).toBe(404);
    expect((await api.request("GET", `/repositories/${db.newId()}/deliveries`)).status).toBe(404);
  });
});
