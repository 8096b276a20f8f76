/** From an event to a deployment, or to the sentence that says why there is none: real Git, real PostgreSQL. */
import { beforeAll, describe, expect, it } from "vitest";
import { revertVersion, unrevertVersion } from "../../db/versions/mark_version.ts";
import { fireTrigger } from "../../db/triggers/fire_trigger.ts";
import { createTrigger, updateTrigger } from "../../db/triggers/write_trigger.ts";
import { seedWork } from "../helpers/seed_work.ts";
import { findTriggerProblems } from "../../domain/check_trigger.ts";
import { parseConfigFile } from "../../protocol/config_file.ts";
import type { PlanDocument } from "../../protocol/config_file.ts";
import { createTestDatabase } from "../helpers/test_database.ts";
import type { TestDatabase } from "../helpers/test_database.ts";
import { createTriggerWorld } from "../helpers/trigger_world.ts";
import type { TriggerWorld } from "../helpers/trigger_world.ts";
import { deployments, last, PROMOTE, said, STAGE } from "./support/trigger_runs.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});

const fire = async (w: TriggerWorld, name: string, ask: { version?: string; dryRun?: boolean } = {}) => {
  const id = await fireTrigger(w.deps, await w.triggerId(name), { dryRun: false, ...ask }, w.actor);
  await w.look();
  return (await w.runs(name)).find((run) => run.id === id)!;
};

describe("a file's triggers", () => {
  it("are rows that follow the Plan of the default branch, and stay switched off by a person", async () => {
    const w = await createTriggerWorld(db, [STAGE]);
    const rows = () =>
      db.sql`select name, kind, environment, enabled, rule from trigger where project_id = ${w.projectId} order by position`;
    await w.push("1");
    expect(await rows()).toEqual([
      { name: "stage", kind: "push", environment: "staging", enabled: true, rule: { branch: "main" } },
    ]);
    await updateTrigger(w.deps, await w.triggerId("stage"), { enabled: false }, w.actor);
    await w.push("2", {}, [STAGE.replace("branch: main", "branch: ma*"), "on: tag, match: v*, environment: prod"]);
    expect(await rows()).toEqual([
      { name: "stage", kind: "push", environment: "staging", enabled: false, rule: { branch: "ma*" } },
      { name: "tag-prod", kind: "tag", environment: "prod", enabled: true, rule: { match: "v*" } },
    ]);
    expect((await last(w, "stage")).text).toBe("It is switched off.");
    await w.push("3", {}, []);
    expect(await rows()).toEqual([]);
  });

  it("are not brought back by a commit that is older than the one they were taken from", async () => {
    const w = await createTriggerWorld(db, [STAGE]);
    await w.push("1");
    const commit = await w.remote.git("rev-parse", "HEAD");
    await w.push("2", {}, [STAGE, PROMOTE]);
    await w.deliver(w.repositoryId, commit);
    expect((await db.sql`select from trigger where project_id = ${w.projectId}`).length).toBe(2);
  });

  it("can be changed over REST in nothing but whether they are on", async () => {
    const w = await createTriggerWorld(db, [STAGE]);
    await w.push("1");
    await expect(updateTrigger(w.deps, await w.triggerId("stage"), { start: "manual" }, w.actor)).rejects.toThrow(
      "stage stands in the repository's boreas.yaml: change it there.",
    );
  });
});

describe("a push", () => {
  it("is told by each trigger why it does not fire", async () => {
    const w = await createTriggerWorld(db, [
      "on: push, name: dev, branch: dev, environment: staging",
      "on: push, name: docs, paths: [docs/**], environment: staging",
      STAGE,
      "on: push, name: second, environment: staging",
      "on: push, name: nowhere, environment: lab",
    ]);
    await w.push("1");
    const first = await w.runs();
    expect(first.map((r) => [r.trigger, r.outcome])).toEqual([
      ["dev", "not_fired"],
      ["docs", "fired"], // everything is new to a repository's first version
      ["stage", "not_fired"],
      ["second", "not_fired"],
      ["nowhere", "not_fired"],
    ]);
    await w.push("2");
    const version = (await w.versions()).at(-1)!.version;
    expect((await said(w)).slice(5)).toEqual([
      ["dev", "not_fired", "Branch main does not match dev."],
      ["docs", "not_fired", "Nothing under docs/** changed."],
      ["stage", "fired", `Made a deployment of ${version} to staging.`],
      ["second", "not_fired", "stage, which stands above it, is the one for staging."],
      ["nowhere", "not_fired", "There is no such environment."],
    ]);
  });

  it("of a commit that is marked revert fires nothing, and each trigger says so", async () => {
    const w = await createTriggerWorld(db, [STAGE, "on: tag, name: release, match: v*, environment: prod"]);
    const version = await w.push("1");
    await revertVersion(w.deps, await w.idOf(version), "It loses orders.", w.actor);
    await w.remote.tag("v1");
    await w.deliver(w.repositoryId, null, "refs/tags/v1");
    expect((await last(w, "release")).text).toMatch(/is version main-.* marked as reverted.*It loses orders/);
    expect(await deployments(w)).toEqual([`${version} staging running`]);
  });

  it("without triggers plans one pending deployment per bound environment, as it always did", async () => {
    const w = await createTriggerWorld(db, []);
    const version = await w.push("1");
    expect(await deployments(w)).toEqual([`${version} prod pending`, `${version} staging pending`]);
    expect(await w.runs()).toEqual([]);
  });

  it("fires a person's trigger too, which stands behind those of the file", async () => {
    const w = await createTriggerWorld(db, [STAGE]);
    const own = {
      repositoryId: w.repositoryId,
      start: "manual" as const,
      enabled: true,
      on: "push" as const,
      rule: {},
    };
    await createTrigger(w.deps, { ...own, name: "mine", environmentId: w.prod }, w.actor);
    await createTrigger(w.deps, { ...own, name: "late", environmentId: w.staging }, w.actor);
    const version = await w.push("1");
    expect(await deployments(w)).toEqual([`${version} staging running`, `${version} prod pending`]);
    expect((await last(w, "late")).text).toBe("stage, which stands above it, is the one for staging.");
  });
});

describe("a call", () => {
  const HAND = "on: api, name: hand, environment: prod, start: auto";

  it("deploys the latest version, or the one that is named, and nothing else fires it", async () => {
    const w = await createTriggerWorld(db, [STAGE, HAND]);
    const first = await w.push("1");
    const second = await w.push("2");
    await w.look();
    expect(await w.runs("hand")).toEqual([]);
    expect(await fire(w, "hand", { version: first })).toMatchObject({ outcome: "fired", version: first });
    await w.carryOut("prod");
    expect(await fire(w, "hand")).toMatchObject({ outcome: "fired", version: second });
    expect((await fire(w, "hand")).text).toBe(`A deployment of ${second} is running there already.`);
    await w.carryOut("prod");
    expect((await fire(w, "hand", { version: first })).text).toBe(
      `${first} is older than ${second}, which it has.`,
    );
    expect((await fire(w, "hand", { version: "v9" })).text).toBe("There is no version v9.");
  });

  it("finds the latest version of its branch behind many that are of others", async () => {
    const w = await createTriggerWorld(db, [`${HAND}, branch: main`]);
    const version = await w.push("1");
    const others = Array.from(
      { length: 250 },
      (_, at) => ({ id: db.newId(), name: `work-${String(at).padStart(12, "0")}` }),
    );
    await db.sql`
      insert into version (id, project_id, repository_id, repository, version, git_commit, description, status, reason,
        builds, builds_reason, plan, created_by)
      select r.id, v.project_id, v.repository_id, v.repository, r.name, v.git_commit, '', v.status, v.reason, v.builds,
        v.builds_reason, v.plan, v.created_by
      from version v, jsonb_to_recordset(${db.sql.json(others)}) as r(id uuid, name text)
      where v.project_id = ${w.projectId} and v.version = ${version}`;
    expect(await fire(w, "hand")).toMatchObject({ outcome: "fired", version });
  });

  it("never picks a version that is marked revert, until the mark is cleared", async () => {
    const w = await createTriggerWorld(db, [HAND]);
    const first = await w.push("1");
    const second = await w.push("2");
    await revertVersion(w.deps, await w.idOf(second), "It loses orders.", w.actor);
    expect((await fire(w, "hand", { version: second })).text).toMatch(
      /^Version .* is marked revert: .*It loses orders/,
    );
    expect(await fire(w, "hand")).toMatchObject({ outcome: "fired", version: first });
    await w.carryOut("prod");
    await unrevertVersion(w.deps, await w.idOf(second), "It was the network.", w.actor);
    expect(await fire(w, "hand")).toMatchObject({ outcome: "fired", version: second });
  });

  it("is the work of whoever fired it, who may therefore not approve it alone", async () => {
    const w = await createTriggerWorld(db, [HAND], { policy: { approvals: { count: 1, notAuthor: true } } });
    await w.push("1");
    const ada = await seedWork(db, w.projectId).user("ada-by-token");
    const token = { ...w.actor, userId: ada, name: "token:ci" };
    await fireTrigger(w.deps, await w.triggerId("hand"), { dryRun: false }, token);
    await w.look();
    const [made] = await db.sql`
      select status, created_by, author_id from deployment where project_id = ${w.projectId}`;
    expect(made).toEqual({ status: "awaiting_approval", createdBy: "token:ci", authorId: ada });
  });

  it("in a dry run says what would happen, and nothing happens", async () => {
    const w = await createTriggerWorld(db, [HAND]);
    const version = await w.push("1");
    expect(await fire(w, "hand", { dryRun: true })).toMatchObject({
      outcome: "fired",
      deploymentId: null,
      text: expect.stringMatching(`^Would deploy ${version} to prod: order\\. It would start by itself`),
    });
    expect(await deployments(w)).toEqual([]);
  });
});

describe("the policy of an environment is the floor for every kind of trigger", () => {
  const every = (start: string) => [
    `on: push, name: p, branch: main, environment: prod, start: ${start}`,
    `on: tag, name: t, match: v*, environment: prod, start: ${start}`,
    `on: cron, name: c, at: "0 3 * * *", environment: prod, start: ${start}`,
    `on: deployment, name: d, of: staging, environment: prod, start: ${start}`,
    `on: api, name: a, environment: prod, start: ${start}`,
  ];
  const event: Record<string, (w: TriggerWorld) => Promise<unknown>> = {
    push: (w) => w.push("2"),
    tag: async (w) => {
      await w.remote.tag("v1");
      await w.deliver(w.repositoryId, null, "refs/tags/v1");
    },
    cron: async (w) => {
      await w.due("c");
      await w.look();
    },
    deployment: async (w) => {
      await w.carryOut("staging");
      await w.look();
    },
    api: (w) => fire(w, "a"),
  };
  const only = (kind: string, start: string) => [STAGE, every(start).find((t) => t.startsWith(`on: ${kind},`))!];

  it.each(Object.keys(event))("%s with start: auto waits for the approvals that the policy asks for", async (kind) => {
    const w = await createTriggerWorld(db, only(kind, "auto"), { policy: { approvals: { count: 1 } } });
    if (kind !== "push") await w.push("1");
    await event[kind]!(w);
    const there = (await w.deployments()).filter((d) => d.environment === "prod");
    expect(there.map((d) => d.status)).toEqual(["awaiting_approval"]);
  });

  it.each(Object.keys(event))("%s is refused by name where the policy takes other versions", async (kind) => {
    const w = await createTriggerWorld(db, only(kind, "auto"), { policy: { tags: ["release-*"] } });
    if (kind !== "push") await w.push("1");
    await event[kind]!(w);
    expect((await w.deployments()).filter((d) => d.environment === "prod")).toEqual([]);
    expect((await w.runs()).at(-1)!.text).toMatch(
      /^prod does not take version .*: its policy allows the tags release-\* only, and this one is of (branch|tag) \S+\.$/,
    );
  });
});

it("the page about triggers shows a Plan that is one", async () => {
  const page = await Deno.readTextFile(new URL("../../docs/triggers.md", import.meta.url));
  const [, yaml] = /```yaml\n([\s\S]*?)```/.exec(page)!;
  const { documents, problems } = parseConfigFile("boreas.yaml", yaml!);
  expect([documents.length, problems]).toEqual([1, []]);
  const { triggers = [] } = documents[0] as PlanDocument;
  const found = triggers.flatMap(({ on, environment, name: _, start: __, ...rule }) =>
    findTriggerProblems(on, environment, rule)
  );
  expect([triggers.length, found]).toEqual([5, []]);
});
