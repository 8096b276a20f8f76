/**
 * Git over a cache of bare mirrors, one folder per repository. What a repository contains is never run: no hook, filter,
 * submodule, alias or configuration of it or of this machine is read, nothing is ever checked out, and only https and
 * ssh (and folders, where that was allowed) can be spoken. A mirror that is lost is fetched again.
 */
import { resolve } from "node:path";
import { parseRepositoryAddress } from "../domain/repository_address.ts";
import { GitError } from "../domain/git.ts";
import type { CommitInfo, Git, GitRemote, TreeEntry } from "../domain/git.ts";
import { explainGit } from "./git_errors.ts";
import { runGit } from "./git_process.ts";
import type { GitOutput } from "./git_process.ts";
import { openCredential } from "./git_credential.ts";
import { pinRemote } from "./git_pin.ts";

export interface GitOptions {
  gitPath: string;
  sshPath?: string;
  /** Holds mirrors, an empty home and known hosts; made when it is not there. */
  cacheDir: string;
  allowFile: boolean;
  /** Seconds one fetch may take; a first one brings the whole history. */
  fetchSeconds?: number;
  /** Seconds everything else may take. */
  readSeconds?: number;
  /** Of the machine, where it needs them: PATH, HTTPS_PROXY, NO_PROXY, GIT_SSL_CAINFO. */
  env?: Record<string, string>;
  /** Looks an address up and refuses what may not be called; git connects to what it gives. Absent: git looks it up. */
  check?: (url: string) => Promise<readonly string[]>;
}
const LIST_BYTES = 64 * 1024 * 1024;

/** Said with every command, whatever a mirror's own config might hold. */
const SETTINGS = [
  "core.hooksPath=/dev/null",
  "core.fsmonitor=false",
  "core.symlinks=false",
  "core.attributesFile=/dev/null",
  "credential.helper=",
  "submodule.recurse=false",
  "fetch.recurseSubmodules=false",
  "fetch.prune=false",
  "gc.auto=0",
  "maintenance.auto=false",
  "http.followRedirects=false",
  "http.lowSpeedLimit=1000",
  "http.lowSpeedTime=60",
  "protocol.version=2",
].flatMap((setting) => ["-c", setting]);

export function createGit(options: GitOptions): Git {
  const cacheDir = resolve(options.cacheDir);
  const home = `${cacheDir}/home`;
  const protocols = options.allowFile ? "https:ssh:file" : "https:ssh";
  const baseEnv: Record<string, string> = {
    ...options.env,
    PATH: options.env?.PATH ?? "/usr/local/bin:/usr/bin:/bin",
    HOME: home,
    XDG_CONFIG_HOME: home,
    LC_ALL: "C",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_ATTR_NOSYSTEM: "1",
    GIT_TERMINAL_PROMPT: "0",
    GIT_ASKPASS: "/bin/false",
    GIT_NO_LAZY_FETCH: "1",
    GIT_OPTIONAL_LOCKS: "0",
    GIT_LITERAL_PATHSPECS: "1",
    GIT_ALLOW_PROTOCOL: protocols,
  };
  const mirrorOf = (repositoryId: string) => {
    if (!/^[A-Za-z0-9-]+$/.test(repositoryId)) throw new GitError("failed", "A mirror is named by a repository's id.");
    return `${cacheDir}/${repositoryId}.git`;
  };
  const seconds = { fetch: options.fetchSeconds ?? 600, read: options.readSeconds ?? 60 };

  async function run(
    args: readonly string[],
    more: { env?: Record<string, string>; stdin?: Uint8Array<ArrayBuffer>; seconds?: number; maxBytes?: number } = {},
  ): Promise<GitOutput> {
    await Deno.mkdir(home, { recursive: true });
    return await runGit(options.gitPath, {
      args: [...SETTINGS, ...args],
      env: { ...baseEnv, ...more.env },
      cwd: cacheDir,
      stdin: more.stdin,
      timeoutMs: (more.seconds ?? seconds.read) * 1000,
      maxBytes: more.maxBytes ?? LIST_BYTES,
    });
  }
  /** On a mirror that is there. */
  async function read(
    repositoryId: string,
    args: readonly string[],
    maxBytes?: number,
    stdin?: Uint8Array<ArrayBuffer>,
  ) {
    const output = await run([`--git-dir=${mirrorOf(repositoryId)}`, ...args], { stdin, maxBytes });
    if (output.code !== 0) throw explainGit(output.stderr, []);
    return output.stdout;
  }
  async function withRemote<T>(
    remote: GitRemote,
    body: (env: Record<string, string>, pinned: string[]) => Promise<GitOutput>,
    use: (o: GitOutput) => T,
  ) {
    const parsed = parseRepositoryAddress(remote.url, { allowFile: options.allowFile });
    if ("problem" in parsed) throw new GitError("refused", `The repository's address ${parsed.problem}.`);
    const pin = await pinRemote(remote.url, parsed.address, options.check ?? (() => Promise.resolve([])));
    const opened = await openCredential(remote, parsed.address, {
      cacheDir,
      sshPath: options.sshPath ?? "/usr/bin/ssh",
      sshOptions: pin.sshOptions,
    });
    try {
      const output = await body(opened.env, pin.args);
      if (output.code !== 0) throw explainGit(output.stderr, opened.secrets);
      return use(output);
    } finally {
      await opened.close();
    }
  }
  /** One writer per mirror: two fetches of the same ref would trip over each other's lock files. */
  const queues = new Map<string, Promise<unknown>>();
  function oneAtATime<T>(key: string, body: () => Promise<T>): Promise<T> {
    const turn = (queues.get(key) ?? Promise.resolve()).then(body, body);
    const settled = turn.then(() => {}, () => {}).then(() => {
      if (queues.get(key) === settled) queues.delete(key);
    });
    queues.set(key, settled);
    return turn;
  }

  return {
    lsRemote: (remote) =>
      withRemote(
        remote,
        (env, pinned) => run([...pinned, "ls-remote", "--heads", "--tags", "--quiet", "--", remote.url], { env }),
        (output) => parseRefs(text(output.stdout)),
      ),

    fetch: (remote, refs) =>
      oneAtATime(remote.repositoryId, async () => {
        const mirror = mirrorOf(remote.repositoryId);
        const made = await run(["init", "--bare", "--quiet", "--template=", "--", mirror]);
        if (made.code !== 0) throw explainGit(made.stderr, []);
        const flags = ["--quiet", "--force", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head"];
        const specs = refs.map((ref) => `+${ref}:${ref}`);
        await withRemote(
          remote,
          (env, pinned) =>
            run([...pinned, `--git-dir=${mirror}`, "fetch", ...flags, "--", remote.url, ...specs], {
              env,
              seconds: seconds.fetch,
            }),
          () => {},
        );
      }),

    async resolve(repositoryId, name) {
      const output = await run([
        `--git-dir=${mirrorOf(repositoryId)}`,
        "rev-parse",
        "--verify",
        "--quiet",
        "--end-of-options",
        `${name}^{commit}`,
      ]);
      return output.code === 0 ? text(output.stdout).trim() : undefined;
    },

    async commitInfo(repositoryId, commit): Promise<CommitInfo> {
      const args = ["log", "-1", COMMIT_LINE, "--no-show-signature", "--end-of-options", commit, "--"];
      return parseCommit(text(await read(repositoryId, args)).trimEnd());
    },

    async log(repositoryId, base, commit, { skip, limit }) {
      const flags = ["-z", COMMIT_LINE, "--no-show-signature", `--skip=${skip}`, `--max-count=${limit}`];
      const args = ["log", ...flags, "--end-of-options", commit, `^${base}`, "--"];
      // A commit is five fields, and -z ends each with the same byte that parts them.
      const fields = text(await read(repositoryId, args)).split("\0");
      return Array.from(
        { length: Math.floor(fields.length / 5) },
        (_, i) => parseCommit(fields.slice(i * 5, i * 5 + 5).join("\0")),
      );
    },

    async containing(repositoryId, commit, among) {
      const found = new Set(among.filter((other) => other === commit));
      const stdin = new TextEncoder().encode([...among, `^${commit}`, ""].join("\n"));
      const args = ["rev-list", "--ancestry-path", "--ignore-missing", "--stdin"];
      const descendants = new Set(text(await read(repositoryId, args, LIST_BYTES, stdin)).split("\n"));
      for (const other of among) if (descendants.has(other)) found.add(other);
      return found;
    },

    async isAncestor(repositoryId, ancestor, commit) {
      const output = await run([
        `--git-dir=${mirrorOf(repositoryId)}`,
        "merge-base",
        "--is-ancestor",
        "--end-of-options",
        ancestor,
        commit,
      ]);
      if (output.code > 1 && !/not a valid|bad object/i.test(output.stderr)) throw explainGit(output.stderr, []);
      return output.code === 0;
    },

    async listFiles(repositoryId, commit) {
      const args = ["ls-tree", "-r", "-z", "-l", "--full-tree", "--end-of-options", commit];
      return text(await read(repositoryId, args)).split("\0").filter((line) => line !== "").map(parseEntry);
    },

    async readObjects(repositoryId, objects, maxBytes) {
      const stdin = new TextEncoder().encode(objects.map((object) => `${object}\n`).join(""));
      const overhead = objects.length * 100;
      return parseBatch(await read(repositoryId, ["cat-file", "--batch"], maxBytes + overhead, stdin), objects.length);
    },

    async diffNames(repositoryId, base, commit) {
      const flags = ["-r", "-z", "--name-only", "--no-renames", "--no-ext-diff", "--no-textconv"];
      return text(await read(repositoryId, ["diff-tree", ...flags, "--end-of-options", base, commit])).split("\0")
        .filter((path) => path !== "");
    },
  };
}

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

const COMMIT_LINE = "--format=%H%x00%s%x00%an%x00%ae%x00%aI";
function parseCommit(line: string): CommitInfo {
  const [hash, subject, author, email, date] = line.split("\0");
  return {
    commit: hash!,
    subject: plain(subject!, 500),
    author: plain(author!, 200),
    authorEmail: plain(email!, 200),
    date: date!,
  };
}
/** Cut in the middle of a pair it could be kept in no JSON; and it is shown at terminals, which it must not steer. */
const plain = (text: string, most: number) => text.slice(0, most).replaceAll(/\p{Cc}/gu, " ").toWellFormed();

function parseRefs(listing: string): Map<string, string> {
  const refs = new Map<string, string>();
  for (const line of listing.split("\n")) {
    const [commit, ref] = line.split("\t");
    // `refs/tags/v1^{}` follows an annotated tag and names its commit.
    if (commit && ref) refs.set(ref.replace(/\^\{\}$/, ""), commit);
  }
  return refs;
}

const KINDS: Record<string, TreeEntry["kind"]> = {
  "100644": "file",
  "100664": "file",
  "100755": "executable",
  "120000": "symlink",
  "160000": "submodule",
};
/** `<mode> SP <type> SP <object> SP+ <size> TAB <path>` */
function parseEntry(line: string): TreeEntry {
  const [head, path] = [line.slice(0, line.indexOf("\t")), line.slice(line.indexOf("\t") + 1)];
  const [mode, , object, size] = head.split(/ +/);
  return { path, kind: KINDS[mode!] ?? "file", object: object!, size: size === "-" ? 0 : Number(size) };
}

/** `<object> blob <size> LF <bytes> LF`, once per object. */
function parseBatch(bytes: Uint8Array, count: number): Uint8Array[] {
  const contents: Uint8Array[] = [];
  let at = 0;
  while (contents.length < count) {
    const end = bytes.indexOf(0x0a, at);
    const size = /^[0-9a-f]+ blob (\d+)$/.exec(text(bytes.subarray(at, Math.max(at, end))))?.[1];
    if (size === undefined) throw new GitError("failed", "The repository lacks an object that its tree names.");
    contents.push(bytes.slice(end + 1, end + 1 + Number(size)));
    at = end + 1 + Number(size) + 1;
  }
  return contents;
}
