/** What an environment's policy takes, with versions from real pushes and with posted ones. */
import { beforeAll, describe, expect, it } from "vitest";
import { createGitRemote } from "../../tests/helpers/git_remote.ts";
import { createGitopsWorld } from "../../tests/helpers/gitops_world.ts";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";
import type { TestDatabase } from "../../tests/helpers/test_database.ts";
import { createVersion } from "../versions/create_version.ts";
import { createDeployment } from "./create_deployment.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});

const FILE = `apiVersion: boreas/v1
kind: Application
name: NAME
`;

async function start(policy: Record<string, unknown>) {
  const world = await createGitopsWorld(db);
  const remote = await createGitRemote();
  const environmentId = await world.environment("prod", { policy });
  const repositoryId = await world.repository(remote);
  const app = `app-${world.projectId.slice(-8)}`;
  const files = { "boreas.yaml": FILE.replace("NAME", app) };
  const idOf = async (name: string) => (await world.versions()).find((v) => v.version === name)!.id;
  return {
    ...world,
    remote,
    app,
    commit: await remote.push(files),
    push: (commit: string, ref?: string) => world.deliver(repositoryId, commit, ref),
    idOf,
    post: async (version: string, more: { gitTag?: string; gitCommit?: string } = {}) =>
      (await createVersion(world.deps, {
        ...{ version, gitTag: null, gitCommit: null, repository: remote.url, description: "", ...more },
        appBuilds: { [app]: { env: { BUILT_BY: "CI" }, changed: true } },
      }, world.actor)).id,
    deploy: (versionId: string) =>
      createDeployment(world.deps, { versionId, environmentId, applications: [app] }, world.actor)
        .then(() => "planned", (error: Error) => error.message),
  };
}

describe("a policy on branches", () => {
  it("takes what was seen on them, also when CI has added to it what it built", async () => {
    const w = await start({ branches: ["main"] });
    const name = `main-${w.commit.slice(0, 12)}`;
    await w.push(w.commit);
    expect(await w.post(name, { gitCommit: w.commit })).toBe(await w.idOf(name));
    expect(await w.deploy(await w.idOf(name))).toBe("planned");

    // CI may be quicker than the push: as soon as that has been read, it is the same.
    const next = await w.remote.push({ a: "1" });
    const id = await w.post(`main-${next.slice(0, 12)}`, { gitCommit: next });
    expect(await w.deploy(id)).toContain("never seen at the remote");
    await w.push(next);
    expect(await w.deploy(id)).toBe("planned");
  });

  it("takes what a master of the release before has recorded, as soon as its commit is seen again", async () => {
    const w = await start({ branches: ["main"] });
    await w.push(w.commit);
    const id = await w.idOf(`main-${w.commit.slice(0, 12)}`);
    await db.sql`update version set seen_ref = null where id = ${id}`;
    expect(await w.deploy(id)).toContain("never seen at the remote");
    await w.push(w.commit);
    expect(await w.deploy(id)).toBe("planned");
  });

  it("does not take a version that was only posted, whatever it calls itself, also not after a deployment of it and a push of its commit", async () => {
    const w = await start({ branches: ["main"], tags: ["v*"] });
    await w.push(await w.remote.push({ "boreas.yaml": `${FILE.replace("NAME", w.app)}labels: { team: trade }\n` }));
    const name = `main-${w.commit.slice(0, 12)}`;
    const posted = await w.post(name, { gitCommit: w.commit });
    const tagged = await w.post("v1", { gitTag: "v1" });
    for (const id of [posted, tagged]) {
      expect(await w.deploy(id)).toContain("this version was posted and never seen at the remote");
    }
    await db.sql`update version set locked_at = boreas_now() where id = ${posted}`; // as the start of a deployment elsewhere does
    await w.push(w.commit);
    await w.push(w.commit);
    expect(await w.deploy(posted)).toContain("never seen at the remote");
  });

  it("goes by the branch that was pushed, and not by what is left of a name", async () => {
    const w = await start({ branches: ["main"] });
    await w.push(w.commit);
    await w.remote.git("checkout", "--quiet", "-b", "other");
    const commit = await w.remote.push({ a: "1" }, { branch: "other" });
    await db.sql`update repository set branch = 'other' where project_id = ${w.projectId}`;
    await w.push(commit, "refs/heads/other");
    expect(await w.deploy(await w.idOf(`other-${commit.slice(0, 12)}`))).toContain(
      "allows the branches main only, and this one is of branch other",
    );
  });
});
