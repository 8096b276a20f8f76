import { describe, expect, it } from "vitest";
import { reason } from "../../domain/reason.ts";
import { settleRun } from "../../db/triggers/settle_run.ts";
import { syncTriggers } from "../../db/triggers/sync_triggers.ts";
import { DEFAULT_PROJECT } from "../../db/database.ts";
import { seedWork } from "../../tests/helpers/seed_work.ts";
import { createTestApi } from "../../tests/helpers/test_api.ts";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";

const db = await createTestDatabase();
const api = await createTestApi(db);
const seed = seedWork(db);
const environmentId = await seed.environment("prod");
const repositoryId = db.newId();
await db.sql`
  insert into repository (id, project_id, url, provider, branch, config_paths, webhook_secret, poll_seconds, reason, created_by)
  values (${repositoryId}, ${DEFAULT_PROJECT}, 'file:///shop', 'generic', 'main', '{boreas.yaml}', '', 0,
    ${db.sql.json(reason("repository.new") as never)}, 'seed')`;

let count = 0;
const create = (rest: Record<string, unknown>, as = "deployer" as "deployer" | "viewer") =>
  api.request("POST", "/triggers", { name: `t${++count}`, environmentId, ...rest }, as);

describe("a person's trigger", () => {
  it("is added, changed, switched, listed and removed; every act is in the audit", async () => {
    const made = await create({ on: "push", branch: "main", start: "auto" });
    expect(made).toMatchObject({
      status: 201,
      body: { on: "push", environment: "prod", source: "api", start: "auto", rule: { branch: "main" }, lastRun: null },
    });
    const { id } = made.body;
    const changed = await api.request("PATCH", `/triggers/${id}`, { rule: { on: "push", branch: "dev" } }, "deployer");
    expect([changed.body.rule, changed.body.start]).toEqual([{ branch: "dev" }, "auto"]);
    expect((await api.request("PATCH", `/triggers/${id}`, { enabled: false }, "deployer")).body.enabled).toBe(false);
    const { body } = await api.request("GET", "/triggers?on=push", undefined, "viewer");
    expect(body.items.map((t: { id: string }) => t.id)).toContain(id);
    expect((await api.request("DELETE", `/triggers/${id}`, undefined, "deployer")).status).toBe(204);
    expect((await api.request("GET", `/triggers/${id}`)).status).toBe(404);
    const audit = await db.sql<{ action: string }[]>`
      select action from audit where target = ${`trigger:${id}`} order by id`;
    expect(audit.map((a) => a.action)).toEqual([
      "trigger.create",
      "trigger.update",
      "trigger.disable",
      "trigger.delete",
    ]);
  });

  it("on the clock shows its next tick, and none while it is off", async () => {
    const { body } = await create({ on: "cron", at: "0 3 * * 1-5", tz: "Asia/Shanghai", repositoryId });
    expect(new Date(body.nextDueAt).toISOString()).toMatch(/T19:00:00\.000Z$/);
    const off = await api.request("PATCH", `/triggers/${body.id}`, { enabled: false });
    expect(off.body.nextDueAt).toBeNull();
  });

  it.each<[string, Record<string, unknown>, RegExp]>([
    ["a time that is none", { on: "cron", at: "99 3 * * *", repositoryId }, /at .*is no cron time/],
    ["a time zone that is none", { on: "cron", at: "0 3 * * *", tz: "Moon/Base", repositoryId }, /Moon\/Base/],
    ["a clock that does not say whose version", { on: "cron", at: "0 3 * * *" }, /repositoryId is missing/],
    ["a promotion to where it comes from", { on: "deployment", of: "prod" }, /of is prod itself/],
    ["a selector that names nothing", { on: "api", version: "latest-verified" }, /version is latest, latest-verified:/],
    ["an environment that is not there", { on: "api", environmentId: repositoryId }, /no environment of this id/],
    ["what another kind says", { on: "push", at: "0 3 * * *" }, /at/],
  ])("is refused with a sentence for %s", async (_what, rest, sentence) => {
    const { status, body } = await create(rest);
    expect(status).toBe(400);
    expect(body.detail).toMatch(sentence);
  });

  it("has a name of its own, and stays of its kind", async () => {
    const { body } = await create({ on: "push" });
    expect((await create({ on: "tag", name: body.name })).body.code).toBe("trigger.name_taken");
    const changed = await api.request("PATCH", `/triggers/${body.id}`, { rule: { on: "tag", match: "v*" } });
    expect(changed).toMatchObject({ status: 400, body: { code: "trigger.kind" } });
  });

  it("is for deployers to make and to fire, and for viewers to see", async () => {
    expect((await create({ on: "api" }, "viewer")).status).toBe(403);
    const { body } = await create({ on: "api" });
    expect((await api.request("POST", `/triggers/${body.id}/fire`, {}, "viewer")).status).toBe(403);
    expect((await api.request("GET", `/triggers/${body.id}/runs`, undefined, "viewer")).body.items).toEqual([]);
  });
});

describe("a file's trigger", () => {
  it("can be switched off and on, and nothing else", async () => {
    const plan = { on: "push" as const, branch: "main", environment: "prod", name: "of-file" };
    await syncTriggers(api.deps, { repositoryId, projectId: DEFAULT_PROJECT, commit: "c1" }, [plan]);
    const [row] = await db.sql<{ id: string }[]>`select id from trigger where name = 'of-file'`;
    const path = `/triggers/${row!.id}`;
    expect((await api.request("PATCH", path, { start: "auto" })).body).toMatchObject({
      status: 409,
      code: "trigger.of_file",
    });
    expect((await api.request("DELETE", path)).body.code).toBe("trigger.of_file");
    expect((await api.request("PATCH", path, { enabled: false })).body).toMatchObject({
      enabled: false,
      source: "file",
    });
    expect((await api.request("POST", `${path}/fire`, {})).body.code).toBe("trigger.disabled");
    expect((await api.request("PATCH", path, { enabled: true })).body.enabled).toBe(true);
  });
});

describe("firing", () => {
  it("answers with what came of it, as soon as the leader has decided", async () => {
    const { body: { id } } = await create({ on: "api" });
    const asked = api.request("POST", `/triggers/${id}/fire`, { version: "v1", dryRun: true }, "deployer");
    const off = api.deps.hints.on("events", () => void decide());
    const decide = async () => {
      const [run] = await db.sql<{ id: string }[]>`
        select id from trigger_run where trigger_id = ${id} and outcome = 'waiting'`;
      const said = reason("trigger.not_fired", { detail: "There is no version v1." });
      if (run) await settleRun(api.deps, run.id, { fired: false, reason: said });
    };
    const { status, body } = await asked;
    off();
    expect(status).toBe(200);
    expect(body).toMatchObject({
      outcome: "not_fired",
      dryRun: true,
      wanted: "v1",
      event: "api",
      actor: expect.stringContaining("deployer"),
      reason: { text: "There is no version v1." },
    });
    const runs = await api.request("GET", `/triggers/${id}/runs?outcome=not_fired`, undefined, "viewer");
    expect(runs.body.items).toHaveLength(1);
    expect((await api.request("GET", `/trigger-runs/${body.id}`)).body.id).toBe(body.id);
  });
});
