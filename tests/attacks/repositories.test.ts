/**
 * S32 and S36: a repository that means harm, from its address to its files. Pushed for real, fetched by the real git,
 * worked off by the real loop: nothing of it runs, and nothing outside of it is read or shown.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DEFAULT_PROJECT } from "../../db/database.ts";
import { planStages } from "../../domain/strategy.ts";
import { createGit } from "../../host/git.ts";
import { createGitRemote } from "../helpers/git_remote.ts";
import type { GitRemoteFixture } from "../helpers/git_remote.ts";
import { createGitopsWorld } from "../helpers/gitops_world.ts";
import { createTestApi } from "../helpers/test_api.ts";
import type { TestApi } from "../helpers/test_api.ts";
import { createTestDatabase } from "../helpers/test_database.ts";
import { SECRET } from "../helpers/webhook_samples.ts";

const db = await createTestDatabase();
const folder = await Deno.makeTempDir({ prefix: "boreas-s32-" });
const canary = `${folder}/pwn`;
const TELLTALE = "what nobody may read";
const outside = `${folder}/outside`;
const isPwned = () => Deno.stat(canary).then(() => true, () => false);
let api: TestApi;
beforeAll(async () => {
  await Deno.writeTextFile(outside, TELLTALE);
  api = await createTestApi(db, { planners: { mock: planStages }, allowFileRepositories: false });
});
afterAll(() => Deno.remove(folder, { recursive: true }));

const application = (more = "") => `apiVersion: boreas/v1\nkind: Application\nname: app\n${more}`;
const ADDRESSES = [
  `ext::sh -c "touch ${canary}"`,
  `ext::sh -c touch% ${canary}`,
  "fd::7",
  "file:///etc",
  "/etc",
  "git://git.example.com/x.git",
  "http://git.example.com/x.git",
  "ftp://git.example.com/x.git",
  "https:///git.example.com/x.git",
  "transport::https://git.example.com/x.git",
];

async function deliver(remote: GitRemoteFixture, commit: string) {
  const world = await createGitopsWorld(db);
  const repositoryId = await world.repository(remote);
  const delivery = await world.deliver(repositoryId, commit);
  return { delivery, versions: await world.versions(), world };
}

describe("S32: a remote", () => {
  it.each(ADDRESSES)("S32: %s is neither registered nor spoken to", async (url) => {
    const body = { url, provider: "generic", webhookSecret: SECRET };
    const made = await api.request("POST", "/repositories", body);
    expect([made.status, made.body.code]).toEqual([400, "repository.url"]);
    const good = { ...body, url: `https://git.example.com/${crypto.randomUUID()}.git` };
    const { id } = (await api.request("POST", "/repositories", good)).body;
    expect((await api.request("PATCH", `/repositories/${id}`, { url, credential: null })).status).toBe(400);
    // Past the API, as if somebody had written it into the row.
    const git = createGit({ gitPath: "/usr/bin/git", cacheDir: `${folder}/mirrors`, allowFile: false });
    const remote = { repositoryId: "r1", url, credential: null, tokenUser: "token" };
    await expect(git.lsRemote(remote)).rejects.toMatchObject({ kind: "refused" });
    await expect(git.fetch(remote, ["refs/heads/main"])).rejects.toMatchObject({ kind: "refused" });
    expect(await isPwned()).toBe(false);
  });

  it("S32: git itself may speak https and ssh and nothing else", async () => {
    const program = `${folder}/git`;
    await Deno.writeTextFile(program, `#!/bin/sh\nenv > ${folder}/env\nexit 1\n`, { mode: 0o755 });
    const git = createGit({ gitPath: program, cacheDir: `${folder}/mirrors`, allowFile: false });
    const url = "https://git.example.com/x.git";
    await expect(git.lsRemote({ repositoryId: "r1", url, credential: null, tokenUser: "token" })).rejects.toThrow();
    expect(await Deno.readTextFile(`${folder}/env`)).toContain("GIT_ALLOW_PROTOCOL=https:ssh\n");
  });
});

describe("S32: what a repository holds", () => {
  it("S32: submodules, filters, hooks and configuration of it run nothing, and its files are read as they stand", async () => {
    const evil = `touch ${canary}`;
    const remote = await createGitRemote();
    const modules = ADDRESSES.map((url, at) =>
      `[submodule "m${at}"]\n\tpath = m${at}\n\turl = ${url}\n\tupdate = !${evil}\n`
    );
    const commit = await remote.push({
      "boreas.yaml": application("bundle: [ops/**]\n"),
      "ops/run.sh": "echo\r\n",
      ".gitattributes": "* filter=evil diff=evil text eol=crlf\n",
      ".gitmodules": modules.join(""),
      ".gitconfig": `[core]\n\tfsmonitor = ${evil}\n[filter "evil"]\n\tsmudge = ${evil}\n`,
      "hooks/post-checkout": `#!/bin/sh\n${evil}\n`,
      ".githooks/reference-transaction": `#!/bin/sh\n${evil}\n`,
    }, { executable: ["hooks/post-checkout", ".githooks/reference-transaction"] });
    // The remote's own hooks and configuration are the remote's; they must not come along either.
    await Deno.writeTextFile(`${remote.url}/hooks/post-update`, `#!/bin/sh\n${evil}\n`, { mode: 0o755 });
    const { delivery, versions } = await deliver(remote, commit);
    expect([delivery.status, versions.length]).toEqual(["processed", 1]);
    expect(await isPwned()).toBe(false);
  });

  it("S32: a submodule is not fetched, wherever a file of it is wanted", async () => {
    const remote = await createGitRemote();
    await remote.push({ "boreas.yaml": application("bundle: [vendor]\n") });
    const object = await remote.git("rev-parse", "HEAD");
    await remote.git("update-index", "--add", "--cacheinfo", `160000,${object},vendor`);
    await remote.git("commit", "--quiet", "--message", "Submodule");
    await remote.git("push", "--quiet", "origin", "main");
    const { delivery, versions } = await deliver(remote, await remote.git("rev-parse", "HEAD"));
    expect([delivery.status, versions]).toEqual(["failed", []]);
    expect(delivery.reason.text).toContain("submodule");
  });
});

describe("S36: a path", () => {
  const PATHS = ["../..", "../../etc/passwd", "/etc/passwd", "a/../../b", "%2e%2e/%2e%2e/outside", '"x\\0/etc/passwd"'];

  it.each(PATHS)("S36: %s leads nowhere as artifact, bundle, file or script", async (path) => {
    const yaml = path.startsWith('"') ? path : JSON.stringify(path);
    const documents = [
      `artifacts: { local: { path: ${yaml} } }\n`,
      `bundle: [${yaml}]\n`,
      `config: { files: [{ from: ${yaml}, to: x }] }\nbundle: [${yaml}]\n`,
      `runtime: { script: { deploy: ${yaml} } }\nbundle: [${yaml}]\n`,
    ];
    const remote = await createGitRemote();
    for (const document of documents) {
      const commit = await remote.push({ "boreas.yaml": application(document) });
      const { delivery, versions } = await deliver(remote, commit);
      expect([delivery.status, versions], document).toEqual(["failed", []]);
      expect(JSON.stringify(delivery)).not.toContain("root:");
    }
  });

  it("S36: a symbolic link is followed nowhere: to /etc, to another checkout, through a chain, or as the file itself", async () => {
    const other = await createGitRemote();
    await other.push({ "secret.txt": TELLTALE });
    const links: [string, string, string][] = [
      ["conf", "/etc", "bundle: [conf, conf/**]\n"],
      ["conf", other.work, "bundle: [conf]\n"],
      ["conf", outside, "artifacts: { local: { path: conf } }\n"],
      ["conf", "../../outside", "bundle: [conf]\n"],
    ];
    for (const [name, target, document] of links) {
      const remote = await createGitRemote();
      await remote.push({ "boreas.yaml": application(document) });
      await Deno.symlink(target, `${remote.work}/${name}`);
      const { delivery, versions } = await deliver(remote, await remote.push({}));
      expect([delivery.status, versions], target).toEqual(["failed", []]);
      expect(delivery.reason.text).toContain("symbolic link");
      expect(JSON.stringify(delivery)).not.toMatch(new RegExp(`${TELLTALE}|root:`));
    }
    const chained = await createGitRemote();
    await chained.push({ "boreas.yaml": application("bundle: [a]\n") });
    await Deno.symlink("b", `${chained.work}/a`);
    await Deno.symlink("c", `${chained.work}/b`);
    await Deno.symlink(outside, `${chained.work}/c`);
    expect((await deliver(chained, await chained.push({}))).delivery.status).toBe("failed");

    const itself = await createGitRemote();
    await itself.push({ "README": "x" });
    await Deno.symlink(outside, `${itself.work}/boreas.yaml`);
    const { delivery } = await deliver(itself, await itself.push({}));
    expect([delivery.status, delivery.problems[0]!.message]).toEqual([
      "failed",
      expect.stringContaining("symbolic link, which is not followed"),
    ]);
    expect(JSON.stringify(delivery)).not.toContain(TELLTALE);
  });

  it("S36: through the API it is refused before anything is stored", async () => {
    for (const path of ["../..", "/etc/passwd", "a/../../b", "a\0b", "a\\..\\b"]) {
      const config = { artifacts: { local: { path } } };
      const made = await api.request("POST", "/applications", { name: "s36", config });
      expect(made.status, path).toBe(400);
    }
    const names = await db.sql`select 1 from application where name = 's36' and project_id = ${DEFAULT_PROJECT}`;
    expect(names).toHaveLength(0);
  });
});
