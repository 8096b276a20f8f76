/** Documents that come and go: what a push makes of the applications that it declares, or declares no more. */
import { beforeAll, describe, expect, it } from "vitest";
import { DEFAULT_PROJECT } from "../../db/database.ts";
import { planStages } from "../../domain/strategy.ts";
import { createGitRemote } from "../helpers/git_remote.ts";
import { createGitopsWorld } from "../helpers/gitops_world.ts";
import { createTestApi } from "../helpers/test_api.ts";
import type { TestApi } from "../helpers/test_api.ts";
import { createTestDatabase } from "../helpers/test_database.ts";

const db = await createTestDatabase();
let api: TestApi;
beforeAll(async () => {
  api = await createTestApi(db, { planners: { mock: planStages } });
});
const names = (body: { items: { name: string }[] }) => body.items.map((item) => item.name);

async function begin(prefix: string, discovery: "create" | "propose") {
  const world = await createGitopsWorld(db, { hints: api.deps.hints, vault: api.deps.vault }, {
    loop: true,
    projectId: DEFAULT_PROJECT,
  });
  const environment = `${prefix}-env`;
  const environmentId = await world.environment(environment);
  const remote = await createGitRemote();
  const repositoryId = await world.repository(remote, { discovery });
  const file = (...apps: string[]) =>
    apps.map((app) =>
      `apiVersion: boreas/v1\nkind: Application\nname: ${prefix}-${app}\nenvironments: { ${environment}: {} }\n`
    )
      .join("---\n");
  const list = async (state?: string) =>
    names(
      (await api.request("GET", `/applications?repositoryId=${repositoryId}${state ? `&state=${state}` : ""}`)).body,
    );
  return {
    ...{ world, repositoryId, environment },
    environmentId,
    remote,
    list,
    push: async (apps: string[], branch = "main") => {
      const commit = await remote.push({ "boreas.yaml": file(...apps) }, { branch });
      return await world.deliver(repositoryId, commit, `refs/heads/${branch}`);
    },
    deployments: async () => (await world.deployments()).filter((d) => d.environment === environment),
    find: async (app: string) =>
      (await db.sql<{ id: string }[]>`select id from application where name = ${`${prefix}-${app}`}`)[0]!.id,
    newest: async () =>
      (await db.sql<
        { id: string }[]
      >`select id from version where repository_id = ${repositoryId} order by id desc limit 1`)[0]!.id,
  };
}

describe("a repository that proposes", () => {
  it("makes no application that is deployed before a person approves it; then the present version can be", async () => {
    const { push, list, deployments, find, newest, environmentId } = await begin("prop", "propose");
    const first = await push(["a", "b"]);
    expect(first.status).toBe("processed");
    expect([await list(), (await list("proposed")).sort()]).toEqual([[], ["prop-a", "prop-b"]]);
    expect(await deployments()).toEqual([]);
    const overview = (await api.request("GET", "/overview")).body;
    expect(names({ items: overview.applications })).not.toContain("prop-a");
    // Not even by name.
    const wanted = { versionId: await newest(), environmentId, applications: ["prop-a"] };
    expect((await api.request("POST", "/deployments", wanted)).body.code).toBe("deployment.unknown_application");

    expect((await api.request("POST", `/applications/${await find("a")}/approve`, undefined, "viewer")).status).toBe(
      403,
    );
    const approved = await api.request("POST", `/applications/${await find("a")}/approve`, undefined, "deployer");
    expect([approved.status, approved.body.proposal]).toEqual([200, null]);
    expect((await api.request("POST", `/applications/${await find("b")}/dismiss`)).body.proposal).toBe("dismissed");
    expect([await list(), await list("proposed"), await list("dismissed")]).toEqual([["prop-a"], [], ["prop-b"]]);
    expect((await api.request("POST", "/deployments", wanted)).status).toBe(201);
    expect((await api.request("POST", `/applications/${await find("a")}/approve`)).status).toBe(409);
    const audit = (await api.request("GET", "/audit")).body.items.map((row: { action: string }) => row.action);
    expect(audit).toEqual(expect.arrayContaining(["application.approve", "application.dismiss"]));

    // The next push deploys what is approved and leaves out what is not.
    await push(["a", "b", "c"]);
    expect((await deployments()).at(-1)!.applications).toEqual(["prop-a"]);
    expect(await list("proposed")).toEqual(["prop-c"]);
  });
});

describe("a document that is removed", () => {
  it("archives its application and touches nothing that runs; when it comes back, so does the application", async () => {
    const { push, list, deployments, find, newest, environmentId } = await begin("gone", "create");
    await push(["a", "b"]);
    expect((await list()).sort()).toEqual(["gone-a", "gone-b"]);
    const id = await find("b");
    await db.sql`
      insert into app_state (environment_id, application_id, target, project_id, version_id, health, sync, details, updated_at)
      values (${environmentId}, ${id}, 'm1', ${DEFAULT_PROJECT}, ${await newest()}, 'healthy', 'synced', '{}', boreas_now())`;

    // A branch says nothing of what is gone.
    await push(["a"], "feature");
    expect(await list("archived")).toEqual([]);
    const before = (await deployments()).length;
    await push(["a"]);
    expect([await list(), await list("archived")]).toEqual([["gone-a"], ["gone-b"]]);
    const { body } = await api.request("GET", `/applications/${id}`);
    expect(body).toMatchObject({ archivedAt: expect.any(String), running: 1, environments: [{ name: "gone-env" }] });
    expect(await db.sql`select 1 from app_state where application_id = ${id}`).toHaveLength(1);
    expect((await deployments()).slice(before).every((d) => !d.applications.includes("gone-b"))).toBe(true);
    const events = await db.sql`select 1 from event where subject_id = ${id} and kind = 'application.archived'`;
    expect(events).toHaveLength(1);

    await push(["a", "b"]);
    expect([(await list()).sort(), await list("archived")]).toEqual([["gone-a", "gone-b"], []]);
  });

  it("archives nothing that a person created, and nothing when an older commit is looked at again", async () => {
    const { push, list, remote } = await begin("hand", "create");
    await push(["a"]);
    await api.request("POST", "/applications", { name: "hand-made", repository: remote.url });
    await push(["a", "b"]);
    expect((await list()).sort()).toEqual(["hand-a", "hand-b", "hand-made"]);
    await push(["a"]);
    expect(await list("archived")).toEqual(["hand-b"]);
    expect((await list()).sort()).toEqual(["hand-a", "hand-made"]);
  });
});

describe("a name", () => {
  it("that is changed in the file is a new application beside the old one, which is archived and runs on", async () => {
    const { push, list, find, newest, environmentId, deployments } = await begin("name", "create");
    await push(["old"]);
    const id = await find("old");
    await db.sql`
      insert into app_state (environment_id, application_id, target, project_id, version_id, health, sync, details, updated_at)
      values (${environmentId}, ${id}, 'm1', ${DEFAULT_PROJECT}, ${await newest()}, 'healthy', 'synced', '{}', boreas_now())`;
    await push(["new"]);
    expect([await list(), await list("archived")]).toEqual([["name-new"], ["name-old"]]);
    expect((await deployments()).at(-1)!.applications).toEqual(["name-new"]);
    expect((await api.request("GET", `/applications/${id}`)).body).toMatchObject({ running: 1 });
  });

  it("that two repositories declare stays with the first, also when it has archived it, until an admin hands it over", async () => {
    const [first, second] = [await begin("one", "create"), await begin("two", "create")];
    await first.push(["shop", "left"]);
    const id = await first.find("shop");
    const declare = async (names: string[]) => {
      const file = names.map((name) =>
        `apiVersion: boreas/v1\nkind: Application\nname: ${name}\nenvironments: { ${second.environment}: {} }\n`
      ).join("---\n");
      return await second.world.deliver(second.repositoryId, await second.remote.push({ "boreas.yaml": file }));
    };
    const taken = `one-shop belongs to ${first.remote.url}, which declared it first; an admin can hand it over`;
    expect((await declare(["one-shop"])).reason.text).toContain(`boreas.yaml:3: name: ${taken}`);
    await first.push(["left"]);
    expect(await first.list("archived")).toEqual(["one-shop"]);
    expect((await declare(["one-shop", "two-a"])).reason.text).toContain(taken);

    const to = { repositoryId: second.repositoryId };
    expect((await api.request("POST", `/applications/${id}/hand-over`, to, "deployer")).status).toBe(403);
    const given = await api.request("POST", `/applications/${id}/hand-over`, to);
    expect(given.body).toMatchObject({ repository: second.remote.url, archivedAt: expect.any(String) });
    expect((await api.request("POST", `/applications/${id}/hand-over`, to)).status).toBe(409);
    expect((await declare(["one-shop", "two-b"])).status).toBe("processed");
    expect((await second.list()).sort()).toEqual(["one-shop", "two-b"]);
    // Now it is the first that is told.
    expect((await first.push(["shop", "left"])).reason.text).toContain(`belongs to ${second.remote.url}`);
  });
});
