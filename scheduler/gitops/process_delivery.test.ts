import { beforeAll, describe, expect, it } from "vitest";
import { readBlobChunks } from "../../db/blobs/read_blob.ts";
import { revertVersion } from "../../db/versions/mark_version.ts";
import { createGitRemote } from "../../tests/helpers/git_remote.ts";
import { createGitopsWorld } from "../../tests/helpers/gitops_world.ts";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";
import type { TestDatabase } from "../../tests/helpers/test_database.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});

const app = (name: string, rest = "") =>
  `---
apiVersion: boreas/v1
kind: Application
name: ${name}
source: { paths: [services/${name}/**] }
environments: { staging: {} }
${rest}
`;
const plan = (rest: string) => `---\napiVersion: boreas/v1\nkind: Plan\n${rest}\n`;
async function start(files: Record<string, string>) {
  const world = await createGitopsWorld(db);
  const remote = await createGitRemote();
  const staging = await world.environment("staging");
  const repositoryId = await world.repository(remote);
  const commit = await remote.push(files);
  const deliver = (to: string | null, ref?: string) => world.deliver(repositoryId, to, ref);
  return {
    ...world,
    deliverTo: world.deliver,
    remote,
    repositoryId,
    staging,
    commit,
    deliver,
    sha: (c: string) => `main-${c.slice(0, 12)}`,
  };
}
const TWO = {
  "boreas.yaml": app("user") + app("order", "needs: [user]"),
  "services/user/a": "1",
  "services/order/a": "1",
};

describe("a push", () => {
  it("becomes a version named by branch and commit, its applications, and one pending deployment per bound environment", async () => {
    const w = await start(TWO);
    await w.environment("unbound");
    const delivery = await w.deliver(w.commit);
    expect(delivery).toMatchObject({ status: "processed", reason: { text: `Recorded version ${w.sha(w.commit)}.` } });
    expect(await w.versions()).toMatchObject([{ version: w.sha(w.commit), builds: "ready", gitCommit: w.commit }]);
    expect(await w.deployments()).toEqual([
      {
        version: w.sha(w.commit),
        environment: "staging",
        status: "pending",
        applications: ["order", "user"],
        autoStart: false,
      },
    ]);
  });

  it("of the same commit again is the same version and no second deployment", async () => {
    const w = await start(TWO);
    await w.deliver(w.commit);
    expect((await w.deliver(w.commit)).reason.code).toBe("delivery.known_version");
    expect((await w.versions()).length).toBe(1);
    expect((await w.deployments()).length).toBe(1);
  });

  it("marks only what its paths changed; what did not keeps its bytes, and a newer version replaces the pending one", async () => {
    const w = await start({
      "boreas.yaml": app("user", "artifacts: { code: { path: services/user } }") +
        app("order", "artifacts: { code: { path: services/order } }"),
      "services/user/a": "1",
      "services/order/a": "1",
    });
    await w.deliver(w.commit);
    const second = await w.remote.push({ "services/order/a": "2" });
    await w.deliver(second);
    const [before, after] = [await w.apps(w.sha(w.commit)), await w.apps(w.sha(second))];
    expect([after.user!.changed, after.order!.changed]).toEqual([false, true]);
    expect(after.user!.artifacts).toEqual(before.user!.artifacts);
    expect(after.order!.artifacts.code!.sha256).not.toBe(before.order!.artifacts.code!.sha256);
    // The first deployment never ran, so its changes are still to come: both applications go.
    expect(await w.deployments()).toMatchObject([
      { version: w.sha(w.commit), status: "superseded" },
      { version: w.sha(second), status: "pending", applications: ["order", "user"] },
    ]);
  });

  it("plans only what differs from what runs in the environment", async () => {
    const w = await start(TWO);
    await w.deliver(w.commit);
    await pretendRunning(w.staging, w.sha(w.commit), w.projectId);
    const second = await w.remote.push({ "services/order/a": "2" });
    await w.deliver(second);
    expect((await w.deployments()).at(-1)).toMatchObject({ version: w.sha(second), applications: ["order"] });
    const third = await w.remote.push({ "README.md": "x" });
    const delivery = await w.deliver(third);
    // Order's change is not there yet: the third version contains the second.
    expect((await w.deployments()).at(-1)).toMatchObject({ version: w.sha(third), applications: ["order"] });
    expect(delivery.status).toBe("processed");
    await pretendRunning(w.staging, w.sha(third), w.projectId);
    const fourth = await w.remote.push({ "README.md": "y" });
    expect((await w.deliver(fourth)).reason.text).toContain("staging: no application that is bound to it changed.");
  });

  it("of an older commit that arrives late is recorded and not planned over the newer one", async () => {
    const w = await start(TWO);
    const newer = await w.remote.push({ "services/order/a": "2" });
    await w.deliver(newer);
    const late = await w.deliver(w.commit);
    expect(late.reason.text).toContain(`${w.sha(w.commit)} is older than ${w.sha(newer)}, which it has`);
    expect((await w.deployments()).map((d) => [d.version, d.status])).toEqual([[w.sha(newer), "pending"]]);
  });

  it("that diverged from what runs is recorded and not planned", async () => {
    const w = await start(TWO);
    await w.deliver(w.commit);
    const gone = await w.remote.push({ "services/user/a": "2" });
    await w.deliver(gone);
    await pretendRunning(w.staging, w.sha(gone), w.projectId);
    await w.remote.git("reset", "--quiet", "--hard", w.commit);
    const other = await w.remote.push({ "services/user/a": "3" });
    expect((await w.deliver(other)).reason.text).toContain(`has diverged from ${w.sha(gone)}`);
    expect((await w.deployments()).some((d) => d.version === w.sha(other))).toBe(false);
  });

  it("of a commit that its branch no longer has is ignored, as an old hook sent again would be", async () => {
    const w = await start(TWO);
    const gone = await w.remote.push({ "services/user/a": "2" });
    await w.remote.git("reset", "--quiet", "--hard", w.commit);
    await w.remote.push({ "services/user/a": "3" });
    expect(await w.deliver(gone)).toMatchObject({
      status: "ignored",
      reason: { text: expect.stringContaining("pushed over") },
    });
    expect(await w.deliver("f".repeat(40))).toMatchObject({ status: "ignored" });
    expect(await w.deliver(null, "refs/heads/nope")).toMatchObject({
      status: "ignored",
      reason: { text: "The remote no longer has the branch nope." },
    });
  });

  it("of a commit whose version is marked revert deploys nothing and says why, under any name", async () => {
    const w = await start(TWO);
    await w.deliver(w.commit);
    await db.sql`delete from deployment where project_id = ${w.projectId}`;
    await revertVersion(w.deps, (await w.versions())[0]!.id, "it loses orders", w.actor);
    for (const ref of ["refs/heads/main", "refs/tags/v1"]) {
      if (ref === "refs/tags/v1") await w.remote.tag("v1");
      const { reason, status } = await w.deliver(w.commit, ref);
      expect([status, reason.code]).toEqual(["processed", "delivery.reverted_version"]);
      expect(reason.text).toContain("it loses orders");
    }
    expect(await w.deployments()).toEqual([]);
  });

  it("of a tag is a version of the tag's name; a tag that moved keeps its version and says so", async () => {
    const w = await start(TWO);
    await w.remote.tag("v1", { annotated: true });
    const tagObject = await w.remote.git("rev-parse", "refs/tags/v1");
    await w.deliver(tagObject, "refs/tags/v1");
    expect((await w.versions()).map((v) => [v.version, v.gitCommit])).toEqual([["v1", w.commit]]);
    const second = await w.remote.push({ x: "2" });
    await w.remote.git("tag", "--force", "v1");
    await w.remote.git("push", "--quiet", "--force", "origin", "refs/tags/v1");
    const moved = await w.deliver(second, "refs/tags/v1");
    expect(moved).toMatchObject({
      status: "failed",
      reason: { text: expect.stringContaining("a version never moves") },
    });
    expect((await w.versions()).length).toBe(1);
  });
});

describe("triggers of the default branch's Plan", () => {
  const triggers = "triggers:\n  - { on: push, branch: main, environment: staging, start: auto }\n" +
    "  - { on: tag, match: 'v*', environment: prod, start: approve }\n  - { on: push, environment: nowhere }";

  it("decide by ref which environment gets a deployment and how it starts", async () => {
    const w = await start({
      ...TWO,
      "boreas.yaml": plan(triggers) + TWO["boreas.yaml"].replaceAll("staging: {}", "staging: {}, prod: {}"),
    });
    await w.environment("prod");
    const pushed = await w.deliver(w.commit);
    expect(pushed.reason.text).toContain("nowhere: there is no such environment.");
    expect(await w.deployments()).toMatchObject([{ environment: "staging", status: "running" }]);
    await w.remote.tag("v1");
    await w.deliver(w.commit, "refs/tags/v1");
    expect((await w.deployments()).at(-1)).toMatchObject({
      environment: "prod",
      status: "awaiting_approval",
      autoStart: true,
    });
  });

  it("are read there and not on the branch that was pushed", async () => {
    const w = await start({
      ...TWO,
      "boreas.yaml": plan("triggers: [{ on: push, environment: staging, start: auto }]") + TWO["boreas.yaml"],
    });
    await w.deliver(w.commit);
    await w.remote.git("checkout", "--quiet", "-b", "mine");
    const mine = plan("triggers: [{ on: push, branch: mine, environment: staging, start: auto }]");
    const commit = await w.remote.push({ "boreas.yaml": mine + TWO["boreas.yaml"] }, { branch: "mine" });
    expect((await w.deliver(commit, "refs/heads/mine")).reason.text).toContain(
      "No trigger of the Plan matches branch mine.",
    );
    expect((await w.deployments()).length).toBe(1);
  });

  it("may be refused by the environment's policy, which is said", async () => {
    const w = await start(TWO);
    await db.sql`update environment set policy = ${db.sql.json({ branches: ["release"] })} where id = ${w.staging}`;
    expect((await w.deliver(w.commit)).reason.text).toContain("staging: staging does not take version");
    expect(await w.deployments()).toEqual([]);
  });
});

describe("a mistake in boreas.yaml", () => {
  it("fails the delivery with file, line and what was expected; the last good state stays", async () => {
    const w = await start(TWO);
    await w.deliver(w.commit);
    const bad = await w.remote.push({
      "boreas.yaml": TWO["boreas.yaml"] + "colour: red\nhealth: [{ http: { port: 80 }, every: soon }]\n",
    });
    const delivery = await w.deliver(bad);
    expect(delivery.status).toBe("failed");
    expect(delivery.reason.text).toMatch(/^boreas\.yaml:\d+: /);
    expect(delivery.problems).toEqual(expect.arrayContaining([
      { file: "boreas.yaml", line: 15, path: "colour", message: expect.stringContaining("not a known key") },
    ]));
    expect((await w.versions()).length).toBe(1);
    expect((await w.deployments()).map((d) => d.status)).toEqual(["pending"]);
  });

  it.each<[string, string, RegExp]>([
    ["a cycle", app("a", "needs: [b]") + app("b", "needs: [a]"), /circle: a -> b -> a|circle: b -> a -> b/],
    [
      "a cycle with the Plan",
      plan("mustInOrder: [b, a]") + app("b", "needs: [a]") + app("a"),
      /boreas\.yaml:4: mustInOrder: .*circle/,
    ],
    ["an unknown need", app("a", "needs: [ghost]"), /needs\.0: ghost is not an application/],
    ["an unknown name in mustInOrder", plan("mustInOrder: [ghost]") + app("a"), /mustInOrder\.0: ghost/],
    ["a name declared twice", app("a") + app("a"), /a is declared twice/],
    ["a second Plan", plan("") + plan("") + app("a"), /second Plan/],
    [
      "a hook that its strategy excludes",
      app("a", "strategy: { type: rolling, maxFailures: 1 }\nhooks: { preSwitch: { run: x.sh } }"),
      /hooks\.preSwitch: a preSwitch hook and maxFailures exclude each other/,
    ],
    [
      "a strategy that the hooks of an overlay exclude",
      app("a", "hooks: { postDeploy: { run: x.sh, on: each } }").replace(
        "{}",
        "{ strategy: { type: all, maxFailures: 1 } }",
      ),
      /environments\.staging\.hooks\.postDeploy: .*say `on: once`/,
    ],
    [
      "a cron time that never comes",
      plan('triggers: [{ on: cron, at: "0 3 31 2 *", environment: e }]') + app("a"),
      /triggers\.0\.at: .*never comes/,
    ],
    [
      "a promotion from an environment to itself",
      plan("triggers: [{ on: deployment, of: e, environment: e }]") + app("a"),
      /triggers\.0\.of: is e itself/,
    ],
    [
      "an artifact that is not there",
      app("a", "artifacts: { x: { path: nowhere } }"),
      /artifacts\.x\.path: no file of the repository is nowhere/,
    ],
    ["no application at all", plan(""), /declares no application/],
  ])("such as %s is named", async (_what, text, expected) => {
    const w = await start({ "boreas.yaml": text });
    expect(await w.deliver(w.commit)).toMatchObject({
      status: "failed",
      reason: { text: expect.stringMatching(expected) },
    });
    expect(await w.versions()).toEqual([]);
  });

  it("such as its absence is named", async () => {
    const w = await start({ "README.md": "x" });
    expect((await w.deliver(w.commit)).reason.text).toBe("boreas.yaml:1: is not in the repository at this commit.");
  });

  it("such as a symbolic link, as file or among the files to freeze, is named without showing where it leads", async () => {
    const w = await start({ "boreas.yaml": app("a", "artifacts: { x: { path: dist } }"), "dist/a": "1" });
    await Deno.symlink("/etc/passwd", `${w.remote.work}/dist/link`);
    const linked = await w.deliver(await w.remote.push({}));
    expect(linked.reason.text).toContain("dist/link is a symbolic link");
    await Deno.remove(`${w.remote.work}/boreas.yaml`);
    await Deno.symlink("/etc/passwd", `${w.remote.work}/boreas.yaml`);
    const config = await w.deliver(await w.remote.push({}));
    expect(config.reason.text).toContain("boreas.yaml:1: is a symbolic link");
    expect(JSON.stringify([linked, config])).not.toContain("root:");
  });
});

describe("an application", () => {
  it("belongs to the repository that declared it first; another's declaration is refused by name", async () => {
    const w = await start(TWO);
    await w.deliver(w.commit);
    const other = await createGitRemote();
    const otherId = await w.repository(other);
    const commit = await other.push({ "boreas.yaml": app("user") });
    const refused = await w.deliverTo(otherId, commit);
    expect(refused.reason.text).toContain(`user belongs to ${w.remote.url}, which declared it first`);
    // Needing it is another matter.
    const needing = await other.push({ "boreas.yaml": app("billing", "needs: [user]") });
    expect((await w.deliverTo(otherId, needing)).status).toBe("processed");
  });

  it("takes its bundle and local artifacts along as they are at the commit, named from their folder on", async () => {
    const w = await start({
      "boreas.yaml": app(
        "user",
        "bundle: [ops/**]\nartifacts: { code: { path: services/user }, one: { path: ops/run.sh } }",
      ),
      "services/user/main.ts": "main",
      "services/user/lib/x.ts": "x",
      "ops/run.sh": "#!/bin/sh\n",
    });
    await w.deliver(w.commit);
    const { user } = await w.apps(w.sha(w.commit));
    expect(await namesIn(user!.artifacts.code!.sha256!)).toEqual(["lib/x.ts", "main.ts"]);
    expect(await namesIn(user!.artifacts.one!.sha256!)).toEqual(["run.sh"]);
    expect(await namesIn(user!.bundle!.sha256)).toEqual(["ops/run.sh"]);
  });

  it("is bound by its file, and the file takes back only its own bindings", async () => {
    const w = await start(TWO);
    const prod = await w.environment("prod");
    await w.deliver(w.commit);
    await db.sql`insert into application_environment (application_id, environment_id, project_id, source)
      select id, ${prod}, project_id, 'api' from application where project_id = ${w.projectId}`;
    const next = await w.remote.push({
      "boreas.yaml": TWO["boreas.yaml"].replaceAll("environments: { staging: {} }", ""),
    });
    await w.deliver(next);
    const rows = await db
      .sql`select distinct e.name from application_environment b join environment e on e.id = b.environment_id
      where b.project_id = ${w.projectId}`;
    expect(rows.map((r) => r.name)).toEqual(["prod"]);
  });
});

async function pretendRunning(environmentId: string, version: string, projectId: string) {
  await db.sql`update deployment set status = 'completed', completed_at = boreas_now()
    where project_id = ${projectId} and status in ('pending', 'awaiting_approval')`;
  await db.sql`
    insert into app_state (environment_id, application_id, target, project_id, version_id, health, sync)
    select ${environmentId}, va.application_id, '-', va.project_id, v.id, 'healthy', 'synced'
    from version v join version_app va on va.version_id = v.id where v.version = ${version} and v.project_id = ${projectId}
    on conflict (environment_id, application_id, target) do update set version_id = excluded.version_id`;
}

async function namesIn(sha256: string): Promise<string[]> {
  const folder = await Deno.makeTempDir();
  try {
    for await (const chunk of readBlobChunks(db, sha256)) {
      await Deno.writeFile(`${folder}/x.tar`, chunk, { append: true });
    }
    const { stdout } = await new Deno.Command("tar", { args: ["-tf", `${folder}/x.tar`] }).output();
    return new TextDecoder().decode(stdout).trim().split("\n");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
