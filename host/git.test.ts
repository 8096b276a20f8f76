import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { GitError } from "../domain/git.ts";
import type { Git, GitRemote } from "../domain/git.ts";
import { createGitRemote, runGitCommand } from "../tests/helpers/git_remote.ts";
import { createGit } from "./git.ts";
import type { GitOptions } from "./git.ts";

const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
let cacheDir: string;
beforeAll(async () => {
  cacheDir = await Deno.makeTempDir({ prefix: "boreas-mirror-" });
});
afterAll(() => Deno.remove(cacheDir, { recursive: true }));
const open = (options: Partial<GitOptions> = {}): Git =>
  createGit({ gitPath: "/usr/bin/git", cacheDir, allowFile: true, ...options });
const remoteOf = (url: string, over: Partial<GitRemote> = {}): GitRemote => ({
  repositoryId: crypto.randomUUID(),
  url,
  credential: null,
  tokenUser: "token",
  ...over,
});
const errorOf = async (promise: Promise<unknown>): Promise<GitError> => {
  const error = await promise.then(() => undefined, (e: unknown) => e);
  expect(error).toBeInstanceOf(GitError);
  return error as GitError;
};
const exists = (path: string) => Deno.stat(path).then(() => true, () => false);

describe("a mirror", () => {
  it("lists refs with the commit of an annotated tag, fetches them and reads files as they are stored", async () => {
    const source = await createGitRemote();
    const first = await source.push({ "a.txt": "one\n", "bin/run": "#!/bin/sh\n" }, {
      executable: ["bin/run"],
      message: "First",
    });
    await source.tag("v1", { annotated: true });
    const second = await source.push({ "b/c d.txt": "two", ".gitattributes": "* text eol=crlf\n" });
    const git = open();
    const remote = remoteOf(source.url);
    const refs = await git.lsRemote(remote);
    expect(Object.fromEntries(refs)).toEqual({ "refs/heads/main": second, "refs/tags/v1": first });

    await git.fetch(remote, ["refs/heads/main", "refs/tags/v1"]);
    const id = remote.repositoryId;
    expect(await git.resolve(id, "refs/tags/v1")).toBe(first);
    expect(await git.resolve(id, "refs/heads/nope")).toBeUndefined();
    expect(await git.resolve(id, "f".repeat(40))).toBeUndefined();
    expect(await git.commitInfo(id, first)).toMatchObject({
      commit: first,
      subject: "First",
      author: "Ada",
      authorEmail: "ada@example.com",
    });
    expect(await git.isAncestor(id, first, second)).toBe(true);
    expect(await git.isAncestor(id, second, first)).toBe(false);
    expect(await git.diffNames(id, first, second)).toEqual([".gitattributes", "b/c d.txt"]);

    const files = await git.listFiles(id, second);
    expect(files.map((f) => [f.path, f.kind, f.size])).toEqual([
      [".gitattributes", "file", 16],
      ["a.txt", "file", 4],
      ["b/c d.txt", "file", 3],
      ["bin/run", "executable", 10],
    ]);
    const [a, c] = await git.readObjects(id, [files[1]!.object, files[2]!.object], 1000);
    expect([decode(a!), decode(c!)]).toEqual(["one\n", "two"]);
  });

  it("lists what lies between two commits page by page, and which commits contain one", async () => {
    const source = await createGitRemote();
    const commits: string[] = [];
    for (const message of ["One", "Two", "Three"]) commits.push(await source.push({ a: message }, { message }));
    await source.git("checkout", "--quiet", "-b", "side", commits[0]!);
    const side = await source.push({ b: "side" }, { branch: "side", message: "Side" });
    const git = open();
    const remote = remoteOf(source.url);
    await git.fetch(remote, ["refs/heads/main", "refs/heads/side"]);
    const id = remote.repositoryId;
    const page = async (skip: number) =>
      (await git.log(id, commits[0]!, commits[2]!, { skip, limit: 1 })).map((c) => c.subject);
    expect([await page(0), await page(1), await page(2)]).toEqual([["Three"], ["Two"], []]);
    expect(await git.log(id, commits[2]!, commits[0]!, { skip: 0, limit: 9 })).toEqual([]);
    const all = [...commits, side, "f".repeat(40)];
    expect(await git.containing(id, commits[1]!, all)).toEqual(new Set([commits[1], commits[2]]));
    expect(await git.containing(id, commits[0]!, all)).toEqual(new Set([...commits, side]));
    expect(await git.containing(id, side, commits)).toEqual(new Set());
  });

  it("leaves out of a subject what steers a terminal, and the half character at the end of a long one", async () => {
    const source = await createGitRemote();
    const commit = await source.push({ a: "1" }, { message: `\x1b[2J${"x".repeat(495)}\u{1F9CA} and more` });
    const git = open();
    const remote = remoteOf(source.url);
    await git.fetch(remote, ["refs/heads/main"]);
    expect((await git.commitInfo(remote.repositoryId, commit)).subject).toBe(` [2J${"x".repeat(495)}\uFFFD`);
  });

  it("follows a branch that was pushed with force, and one that several ask for at once", async () => {
    const source = await createGitRemote();
    await source.push({ a: "1" });
    const git = open();
    const remote = remoteOf(source.url);
    await git.fetch(remote, ["refs/heads/main"]);
    await source.git("commit", "--quiet", "--amend", "--message", "Other");
    await source.git("push", "--quiet", "--force", "origin", "main");
    await Promise.all(Array.from({ length: 4 }, () => git.fetch(remote, ["refs/heads/main"])));
    expect(await git.resolve(remote.repositoryId, "refs/heads/main")).toBe(await source.git("rev-parse", "HEAD"));
  });

  it("says which output is too large, and ends what takes too long", async () => {
    const source = await createGitRemote();
    await source.push({ big: "x".repeat(300_000) });
    const git = open();
    const remote = remoteOf(source.url);
    await git.fetch(remote, ["refs/heads/main"]);
    const [file] = await git.listFiles(remote.repositoryId, "refs/heads/main");
    expect((await errorOf(git.readObjects(remote.repositoryId, [file!.object], 1000))).kind).toBe("too_large");

    const slow = join(cacheDir, "slow-git");
    await Deno.writeTextFile(slow, "#!/bin/sh\nexec sleep 60\n", { mode: 0o755 });
    const error = await errorOf(open({ gitPath: slow, readSeconds: 0.2 }).lsRemote(remote));
    expect([error.kind, error.isTransient]).toEqual(["timeout", true]);
  });

  it("explains a missing repository, a missing branch, a host that is away and a missing git", async () => {
    const git = open();
    expect((await errorOf(git.lsRemote(remoteOf("/nowhere/at/all.git")))).kind).toBe("not_found");
    const source = await createGitRemote();
    await source.push({ a: "1" });
    expect((await errorOf(git.fetch(remoteOf(source.url), ["refs/heads/nope"]))).kind).toBe("ref_missing");
    const away = await errorOf(git.lsRemote(remoteOf("https://127.0.0.1:1/x.git")));
    expect([away.kind, away.isTransient]).toEqual(["unavailable", true]);
    const missing = await errorOf(open({ gitPath: "/nowhere/git" }).lsRemote(remoteOf(source.url)));
    expect(missing.message).toBe("Boreas cannot run /nowhere/git; install git and start Boreas again.");
  });
});

describe("nothing of a repository runs", () => {
  it.each([
    "ext::sh -c 'touch PWNED'",
    "fd::7",
    "file:///etc",
    "git://127.0.0.1/x",
    "https:///host",
    "--upload-pack=touch PWNED",
    "-oProxyCommand=touch:x",
  ])(
    "%s is refused before git is started",
    async (url) => {
      const error = await errorOf(open({ allowFile: false, gitPath: "/nowhere/git" }).lsRemote(remoteOf(url)));
      expect(error.kind).toBe("refused");
    },
  );

  it("git itself speaks only https and ssh, whatever the address check lets through", async () => {
    const source = await createGitRemote();
    await source.push({ a: "1" });
    // `insteadOf` of a poisoned mirror is the way around an address check.
    const git = open({ allowFile: false });
    const remote = remoteOf("https://git.invalid/x.git");
    const mirror = join(cacheDir, `${remote.repositoryId}.git`);
    await runGitCommand(cacheDir, "init", "--quiet", "--bare", mirror);
    await runGitCommand(mirror, "config", `url.${source.url}.insteadOf`, "https://git.invalid/x.git");
    expect((await errorOf(git.fetch(remote, ["refs/heads/main"]))).kind).toBe("refused");
    // The same with folders allowed goes through: so it was the protocol list that stopped it.
    await open({ allowFile: true }).fetch(remote, ["refs/heads/main"]);
  });

  it("no hook, fsmonitor, filter or submodule, even of a mirror that somebody poisoned", async () => {
    const source = await createGitRemote();
    const canary = join(cacheDir, "PWNED");
    const evil = `touch ${canary}`;
    await source.push({
      ".gitattributes": "* filter=evil diff=evil\n",
      ".gitmodules": `[submodule "s"]\n\tpath = s\n\turl = file:///etc\n\tupdate = !${evil}\n`,
      "a.txt": "text",
    });
    const git = open();
    const remote = remoteOf(source.url);
    await git.fetch(remote, ["refs/heads/main"]);
    const mirror = join(cacheDir, `${remote.repositoryId}.git`);
    const hook = join(mirror, "hooks", "reference-transaction");
    await Deno.mkdir(join(mirror, "hooks"), { recursive: true });
    await Deno.writeTextFile(hook, `#!/bin/sh\n${evil}\n`, { mode: 0o755 });
    for (
      const [key, value] of [
        ["core.fsmonitor", evil],
        ["filter.evil.smudge", evil],
        ["filter.evil.process", evil],
        ["diff.evil.textconv", evil],
        ["diff.external", evil],
        ["core.sshCommand", evil],
      ]
    ) await runGitCommand(mirror, "config", key!, value!);

    const base = await source.git("rev-parse", "HEAD");
    const next = await source.push({ "a.txt": "changed" });
    await git.fetch(remote, ["refs/heads/main"]);
    const files = await git.listFiles(remote.repositoryId, next);
    await git.readObjects(remote.repositoryId, files.map((f) => f.object), 10_000);
    expect(await git.diffNames(remote.repositoryId, base, next)).toEqual(["a.txt"]);
    expect(await exists(canary)).toBe(false);
    // Plain git does run that hook: the trap was armed.
    await runGitCommand(mirror, "update-ref", "refs/heads/trap", next);
    expect(await exists(canary)).toBe(true);
  });
});

describe("a credential", () => {
  const KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nCANARYKEY\n-----END OPENSSH PRIVATE KEY-----";
  /** Stands in for git: notes what it was given, repeats the secret in its last words. */
  async function spy() {
    const folder = await Deno.makeTempDir({ dir: cacheDir });
    const script = `#!/bin/sh
printf '%s\\n' "$@" > ${folder}/argv
env > ${folder}/env
key=$(printf '%s' "$GIT_SSH_COMMAND" | sed -n "s/.* -i '\\(.*\\)'$/\\1/p")
[ -n "$key" ] && { stat -c %a "$key" > ${folder}/mode; cat "$key" > ${folder}/key; }
echo "fatal: unable to access https://u:CANARY@h/x: CANARY was not accepted $GIT_CONFIG_VALUE_0" >&2
exit 128
`;
    await Deno.writeTextFile(join(folder, "git"), script, { mode: 0o755 });
    return {
      git: open({ gitPath: join(folder, "git") }),
      read: (name: string) => Deno.readTextFile(join(folder, name)),
    };
  }

  it("for https is in the environment alone: not in the arguments, not in the error, bound to its host", async () => {
    const { git, read } = await spy();
    const error = await errorOf(git.lsRemote(remoteOf("https://h.example.com/x.git", { credential: "u:CANARY" })));
    expect(await read("argv")).not.toContain("CANARY");
    expect(error.message).not.toContain("CANARY");
    expect(error.message).not.toContain(btoa("u:CANARY"));
    const env = await read("env");
    expect(env).toContain(`GIT_CONFIG_VALUE_0=Authorization: Basic ${btoa("u:CANARY")}`);
    expect(env).toContain("GIT_CONFIG_KEY_0=http.https://h.example.com/.extraHeader");
    expect((await read("argv")).split("\n").slice(-3, -1)).toEqual(["--", "https://h.example.com/x.git"]);
  });

  it("may be a bare token, which gets the provider's user name", async () => {
    const { git, read } = await spy();
    await errorOf(git.lsRemote(remoteOf("https://h.example.com/x.git", { credential: "TOKEN", tokenUser: "oauth2" })));
    expect(await read("env")).toContain(btoa("oauth2:TOKEN"));
  });

  it("for ssh is a key file that only we can read, gone afterwards", async () => {
    const { git, read } = await spy();
    await errorOf(git.lsRemote(remoteOf("git@h.example.com:x.git", { credential: KEY })));
    expect(await read("mode")).toBe("600\n");
    expect(await read("key")).toBe(`${KEY}\n`);
    expect(await read("argv")).not.toContain("CANARY");
    expect([...Deno.readDirSync(join(cacheDir, "keys"))]).toEqual([]);
    expect(await read("env")).toContain("StrictHostKeyChecking=accept-new");
  });

  it("of the wrong kind is refused with a sentence", async () => {
    const { git } = await spy();
    expect((await errorOf(git.lsRemote(remoteOf("git@h:x", { credential: "u:p" })))).message).toContain(
      "OpenSSH private key",
    );
    expect((await errorOf(git.lsRemote(remoteOf("https://h/x", { credential: KEY })))).message).toContain(
      "user:password",
    );
  });

  it("nothing of the machine's own environment reaches git", async () => {
    const { git, read } = await spy();
    Deno.env.set("GIT_SSH_COMMAND", "touch /nowhere");
    try {
      await errorOf(git.lsRemote(remoteOf("https://h.example.com/x.git")));
    } finally {
      Deno.env.delete("GIT_SSH_COMMAND");
    }
    expect(await read("env")).not.toContain("touch /nowhere");
  });
});
