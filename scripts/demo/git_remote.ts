/** A real Git remote in a folder, with the hook that tells Boreas of every push, and a clone to push from. */
import { join } from "node:path";
import { StoryError } from "./wait_until.ts";
import { exists } from "./exists.ts";

export const SERVICES = ["user-service", "order-service", "payment-service"] as const;
export type ServiceName = (typeof SERVICES)[number];

export interface RemoteOptions {
  folder: string;
  /** The services and their boreas.yaml. */
  template: string;
  /** Where the services of this run find each other. */
  addressBook: string;
}
export interface GitRemote {
  /** What Boreas registers. */
  url: string;
  /** From now on a push sends its signed webhook there. */
  hookTo(webhook: string, secret: string): Promise<void>;
  /** Writes an edition of the services, commits and pushes it. `breaks` is the one whose health check fails. */
  push(edition: string, breaks?: ServiceName): Promise<Pushed>;
  /** Sends the webhook of a commit once more, as a new delivery. */
  tellAgain(commit: string): Promise<string>;
}
export interface Pushed {
  commit: string;
  /** What Git and the hook said. */
  output: string;
}

const NO_COMMIT = "0".repeat(40);

export async function createGitRemote({ folder, template, addressBook }: RemoteOptions): Promise<GitRemote> {
  const bare = join(folder, "shop.git");
  const work = join(folder, "shop");
  await requireGit();
  await Deno.mkdir(folder, { recursive: true });
  if (!await exists(bare)) {
    await git(folder, ["init", "--quiet", "--bare", "--initial-branch=main", bare]);
    await copyFolder(join(template, "hooks"), join(bare, "hooks"));
    await git(bare, ["config", "boreas.runtime", Deno.execPath()]);
  }
  // A remote of an earlier run goes on where it was: its history is what Boreas knows.
  if (await exists(work)) await Deno.remove(work, { recursive: true });
  await git(folder, ["clone", "--quiet", bare, work]);
  await git(work, ["checkout", "--quiet", "-B", "main"]);

  return {
    url: `file://${bare}`,
    async hookTo(webhook, secret) {
      const secretFile = join(folder, "webhook.secret");
      await Deno.writeTextFile(secretFile, secret, { mode: 0o600 });
      await git(bare, ["config", "boreas.webhook", webhook]);
      await git(bare, ["config", "boreas.secretFile", secretFile]);
    },
    async push(edition, breaks) {
      await copyFolder(join(template, "services"), join(work, "services"));
      const config = await Deno.readTextFile(join(template, "boreas.yaml"));
      await Deno.writeTextFile(join(work, "boreas.yaml"), replaced(config, "/tmp/boreas-demo", addressBook));
      for (const service of SERVICES) {
        const file = join(work, "services", service, "server.ts");
        let source = replaced(await Deno.readTextFile(file), `EDITION = "v1"`, `EDITION = "${edition}"`);
        if (service === breaks) source = replaced(source, "HEALTHY = true", "HEALTHY = false");
        await Deno.writeTextFile(file, source);
      }
      await git(work, ["add", "--all"]);
      // Also when nothing changed: a second run over the same remote is a new version all the same.
      await git(work, ["commit", "--quiet", "--allow-empty", "-m", `Release ${edition}`]);
      const output = await git(work, ["push", "--quiet", "origin", "main"]);
      return { commit: (await git(work, ["rev-parse", "HEAD"])).trim(), output };
    },
    tellAgain: (commit) => run([join(bare, "hooks", "post-receive")], bare, `${NO_COMMIT} ${commit} refs/heads/main\n`),
  };
}

async function requireGit(): Promise<void> {
  try {
    await run(["git", "--version"], ".");
  } catch (error: unknown) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new StoryError("This machine has no git, which the demo pushes with. Install git and run it again.");
  }
}

const git = (folder: string, args: string[]): Promise<string> => run(["git", ...args], folder);

/** @throws Error with what the program said, when it did not end well */
async function run([program, ...args]: string[], cwd: string, input = ""): Promise<string> {
  const child = new Deno.Command(program!, {
    args,
    cwd,
    // Nothing of the person's own Git settings, hooks or signing keys takes part.
    env: {
      GIT_CONFIG_GLOBAL: "/dev/null",
      GIT_CONFIG_NOSYSTEM: "1",
      GIT_TERMINAL_PROMPT: "0",
      GIT_AUTHOR_NAME: "Demo",
      GIT_AUTHOR_EMAIL: "demo@example.com",
      GIT_COMMITTER_NAME: "Demo",
      GIT_COMMITTER_EMAIL: "demo@example.com",
    },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  // A program that reads nothing may be gone before its input is.
  await writer.write(new TextEncoder().encode(input)).then(() => writer.close()).catch(ignoreBrokenPipe);
  const { code, stdout, stderr } = await child.output();
  const said = new TextDecoder().decode(stdout);
  const complained = new TextDecoder().decode(stderr);
  if (code !== 0) throw new Error(`${program} ${args.join(" ")} ended with ${code}: ${complained || said}`);
  return said + complained;
}
function ignoreBrokenPipe(error: unknown): void {
  if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
}

/** @throws Error when the text is not there: the template changed, and the story would silently tell another one */
function replaced(text: string, from: string, to: string): string {
  if (!text.includes(from)) throw new Error(`examples/demo no longer holds "${from}", which the demo changes.`);
  return text.replaceAll(from, to);
}

async function copyFolder(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const entry of Deno.readDir(from)) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory) await copyFolder(source, target);
    else await Deno.copyFile(source, target);
  }
}
