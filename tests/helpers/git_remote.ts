/** A real remote for tests: a bare repository in a temporary folder, and a work tree that pushes to it. */
import { dirname, join } from "node:path";
import { temporaryFolder } from "./temporary_folder.ts";

export interface GitRemoteFixture {
  /** Address of the bare repository. */
  url: string;
  work: string;
  /** Runs git in the work tree and returns what it printed. */
  git(...args: string[]): Promise<string>;
  /** Writes files (null removes one), commits and pushes the branch; returns the commit. */
  push(
    files: Record<string, string | null>,
    options?: { branch?: string; message?: string; executable?: string[] },
  ): Promise<string>;
  /** Tags HEAD and pushes the tag. */
  tag(name: string, options?: { annotated?: boolean }): Promise<void>;
}

const ENV = {
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_AUTHOR_NAME: "Ada",
  GIT_AUTHOR_EMAIL: "ada@example.com",
  GIT_COMMITTER_NAME: "Ada",
  GIT_COMMITTER_EMAIL: "ada@example.com",
};

export async function runGitCommand(cwd: string, ...args: string[]): Promise<string> {
  const output = await new Deno.Command("git", { args, cwd, env: ENV }).output();
  const said = new TextDecoder();
  if (!output.success) throw new Error(`git ${args.join(" ")}: ${said.decode(output.stderr)}`);
  return said.decode(output.stdout).trim();
}

export async function createGitRemote(): Promise<GitRemoteFixture> {
  const folder = await temporaryFolder("git");
  const [url, work] = [join(folder, "remote.git"), join(folder, "work")];
  await runGitCommand(folder, "init", "--quiet", "--bare", "--initial-branch=main", url);
  await runGitCommand(folder, "init", "--quiet", "--initial-branch=main", work);
  const git = (...args: string[]) => runGitCommand(work, ...args);
  await git("remote", "add", "origin", url);
  return {
    url,
    work,
    git,
    async push(files, options = {}) {
      const branch = options.branch ?? "main";
      for (const [path, content] of Object.entries(files)) {
        if (content === null) await Deno.remove(join(work, path));
        else {
          await Deno.mkdir(dirname(join(work, path)), { recursive: true });
          await Deno.writeTextFile(join(work, path), content);
        }
      }
      for (const path of options.executable ?? []) await Deno.chmod(join(work, path), 0o755);
      await git("add", "--all");
      await git("commit", "--quiet", "--allow-empty", "--message", options.message ?? "Change");
      await git("push", "--quiet", "--force", "origin", `HEAD:refs/heads/${branch}`);
      return await git("rev-parse", "HEAD");
    },
    async tag(name, options = {}) {
      await (options.annotated ? git("tag", "--annotate", "--message", name, name) : git("tag", name));
      await git("push", "--quiet", "origin", `refs/tags/${name}`);
    },
  };
}
