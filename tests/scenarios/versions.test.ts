/** Versions as context, from real pushes through the real mirrors to the API. */
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { DEFAULT_PROJECT } from "../../db/database.ts";
import { planStages } from "../../domain/strategy.ts";
import { createSourceLoop } from "../../scheduler/source_loop.ts";
import { createGitRemote } from "../helpers/git_remote.ts";
import type { GitRemoteFixture } from "../helpers/git_remote.ts";
import { createGitopsWorld } from "../helpers/gitops_world.ts";
import type { GitopsWorld } from "../helpers/gitops_world.ts";
import { createTestApi } from "../helpers/test_api.ts";
import type { TestApi } from "../helpers/test_api.ts";
import { createTestDatabase } from "../helpers/test_database.ts";

const db = await createTestDatabase();
const names = { count: 0 };
const application = (name: string, level: string, more = "") =>
  `apiVersion: boreas/v1
kind: Application
name: ${name}
source: { paths: ["${name}/**"] }
config: { env: { LOG_LEVEL: ${level} }, secrets: [DB_PASSWORD] }
${more}environments: { ENV: {} }
`;

interface Story {
  api: TestApi;
  world: GitopsWorld;
  remote: GitRemoteFixture;
  repositoryId: string;
  environmentId: string;
  environment: string;
  file(...documents: string[]): string;
  versionOf(commit: string): Promise<string>;
  /** As if a deployment of it had put it there. */
  run(commit: string, app: string): Promise<void>;
}

let api: TestApi;
beforeAll(async () => {
  api = await createTestApi(db, { planners: { mock: planStages, pm: planStages } });
});

async function begin(): Promise<Story> {
  const world = await createGitopsWorld(db, { hints: api.deps.hints, vault: api.deps.vault }, {
    loop: true,
    projectId: DEFAULT_PROJECT,
  });
  const loop = createSourceLoop(world.deps);
  loop.start();
  onTestFinished(() => loop.stop());
  const environment = `env-${++names.count}`;
  const environmentId = await world.environment(environment);
  const remote = await createGitRemote();
  const repositoryId = await world.repository(remote);
  const versionOf = async (commit: string) =>
    (await db.sql<
      { id: string }[]
    >`select id from version where git_commit = ${commit} and repository_id = ${repositoryId}`)[0]!.id;
  return {
    api,
    world,
    remote,
    repositoryId,
    environmentId,
    environment,
    file: (...documents) => documents.join("---\n").replaceAll("ENV", environment),
    versionOf,
    async run(commit, app) {
      await db.sql`
        insert into app_state (environment_id, application_id, target, project_id, version_id, health, sync, details, updated_at)
        select ${environmentId}, a.id, '-', ${DEFAULT_PROJECT}, ${await versionOf(
        commit,
      )}, 'healthy', 'unknown', '{}', boreas_now()
        from application a where a.name = ${app} and a.repository_id = ${repositoryId}
        on conflict (environment_id, application_id, target) do update set version_id = excluded.version_id`;
    },
  };
}

describe("which deployments carry a commit", () => {
  it("are all whose version contains it, also by the beginning of its name", async () => {
    const { api, world, remote, repositoryId, run, file, environment } = await begin();
    const first = await remote.push({ "boreas.yaml": file(application("one", "info")), "one/a": "1" });
    await world.deliver(repositoryId, first);
    const second = await remote.push({ "one/a": "2" });
    await world.deliver(repositoryId, second);
    await run(second, "one");

    const found = await api.request("GET", `/commits/${first.slice(0, 9)}/deployments`, undefined, "viewer");
    expect(found.body.commits).toMatchObject([{ commit: first, author: "Ada" }]);
    expect(found.body.versions.map((v: { gitCommit: string }) => v.gitCommit)).toEqual([second, first]);
    expect(found.body.running).toMatchObject([{
      application: "one",
      environment,
      version: `main-${second.slice(0, 12)}`,
    }]);
    expect(found.body.deployments).toMatchObject([{ environment }, { environment }]);
    // The newer commit is in the newer version alone.
    const newer = await api.request("GET", `/commits/${second}/deployments`, undefined, "viewer");
    expect(newer.body.versions).toHaveLength(1);
  });

  it("an unknown commit is said to be unknown, and what is no commit is refused", async () => {
    const { api, world, remote, repositoryId, file } = await begin();
    await world.deliver(repositoryId, await remote.push({ "boreas.yaml": file(application("two", "info")) }));
    const unknown = await api.request("GET", `/commits/${"f".repeat(40)}/deployments`);
    expect([unknown.status, unknown.body.code]).toEqual([404, "commit.unknown"]);
    expect((await api.request("GET", "/commits/--all/deployments")).status).toBe(400);
  });

  it("is answered from the remote when the mirror was lost", async () => {
    const story = await begin();
    const { world, remote, repositoryId, file } = story;
    const commit = await remote.push({ "boreas.yaml": file(application("three", "info")) });
    await world.deliver(repositoryId, commit);
    const lost = await createGitopsWorld(db, { hints: api.deps.hints, vault: api.deps.vault }, {
      loop: false,
      projectId: DEFAULT_PROJECT,
    });
    const { answerContains } = await import("../../scheduler/gitops/answer_history.ts");
    expect((await answerContains(lost.deps, DEFAULT_PROJECT, { sha: commit })).versionIds).toEqual([
      await story.versionOf(commit),
    ]);
  });
});

describe("what changed between two versions", () => {
  it("is commits, page by page, and what would run differently, secrets by name alone", async () => {
    const { api, world, remote, repositoryId, file, versionOf, environment } = await begin();
    const first = await remote.push({ "boreas.yaml": file(application("four", "info"), application("five", "info")) });
    await world.deliver(repositoryId, first);
    await remote.push({ "four/a": "1" }, { message: "Middle" });
    const changed = application("four", "debug").replace("[DB_PASSWORD]", "[API_KEY, DB_PASSWORD]");
    const last = await remote.push({ "boreas.yaml": file(changed, application("six", "warn")) }, { message: "Last" });
    await world.deliver(repositoryId, last);

    const path = `/versions/${await versionOf(last)}/changes?since=${await versionOf(first)}`;
    const { status, body } = await api.request("GET", `${path}&limit=1`, undefined, "viewer");
    expect([status, body.relation, body.nextCommitsFrom]).toEqual([200, "newer", 1]);
    expect(body.commits.map((c: { subject: string }) => c.subject)).toEqual(["Last"]);
    expect(body.applications).toMatchObject([
      { application: "five", environment, action: "removed" },
      {
        application: "four",
        environment,
        action: "changed",
        values: [
          { path: "env.LOG_LEVEL", before: "info", after: "debug" },
          { path: "secrets.API_KEY", before: null, after: "by name" },
        ],
      },
      { application: "six", environment, action: "added" },
    ]);
    const next = await api.request("GET", `${path}&limit=1&commitsFrom=1`);
    expect(next.body.commits.map((c: { subject: string }) => c.subject)).toEqual(["Middle"]);
    expect(next.body.nextCommitsFrom).toBeNull();
    const back = await api.request("GET", `/versions/${await versionOf(first)}/changes?since=${await versionOf(last)}`);
    expect([back.body.relation, back.body.commits]).toEqual(["older", []]);
  });
});

describe("a plan before it is merged", () => {
  it("of a branch is what its commit would do, and stores nothing", async () => {
    const { api, world, remote, repositoryId, environmentId, environment, file, run } = await begin();
    const both = file(application("seven", "info"), application("eight", "info"));
    const first = await remote.push({ "boreas.yaml": both, "eight/x": "1" });
    await world.deliver(repositoryId, first);
    await run(first, "seven");
    await run(first, "eight");
    const hook = `strategy: { type: all, onFailure: { action: stop } }\n`;
    const branch = await remote.push(
      { "boreas.yaml": file(application("seven", "debug", hook), application("nine", "info")) },
      { branch: "feature/x" },
    );
    const count = async () =>
      (await db.sql<{ n: number }[]>`select (select count(*) from version) + (select count(*) from deployment)
        + (select count(*) from frozen_document) + (select count(*) from blob) as n`)[0]!.n;
    const before = await count();
    for (const body of [{ ref: "feature/x" }, { commit: branch }]) {
      const plan = await api.request(
        "POST",
        "/deployments/preview",
        { repositoryId, environmentId, ...body },
        "deployer",
      );
      expect(plan.body.summary).toMatchObject([
        { application: "nine", environment, action: "create" },
        { application: "seven", environment, action: "update", strategy: "all" },
        { application: "eight", action: "delete", note: "it runs on and is not removed by a deployment" },
      ]);
      expect(plan.body.tasks).toMatchObject([{ name: "nine", action: "create" }, { name: "seven", action: "update" }]);
    }
    expect(await count()).toBe(before);
  });

  it("names every mistake of the commit, and a ref that is not there", async () => {
    const { api, world, remote, repositoryId, environmentId, file } = await begin();
    await world.deliver(repositoryId, await remote.push({ "boreas.yaml": file(application("ten", "info")) }));
    await remote.push({ "boreas.yaml": file(application("ten", "info", "colour: blue\n")) }, { branch: "broken" });
    const ask = (ref: string) => api.request("POST", "/deployments/preview", { repositoryId, environmentId, ref });
    const broken = await ask("broken");
    expect([broken.status, broken.body.detail]).toEqual([400, expect.stringContaining("boreas.yaml:6: colour")]);
    expect([(await ask("nowhere")).status, (await ask("--upload-pack=x")).status]).toEqual([404, 400]);
  });
});
