/** Runs the git program: with nothing of its surroundings, within bounds of time and output. */
import { GitError } from "../domain/git.ts";

export interface GitRun {
  args: readonly string[];
  env: Record<string, string>;
  cwd: string;
  stdin?: Uint8Array<ArrayBuffer>;
  timeoutMs: number;
  maxBytes: number;
}
export interface GitOutput {
  code: number;
  stdout: Uint8Array<ArrayBuffer>;
  /** At most the first 64 KiB. */
  stderr: string;
}
const MAX_ERROR_BYTES = 64 * 1024;
/** Git ends its own children on TERM; whoever does not listen is killed. */
const KILL_AFTER_MS = 2000;

export async function runGit(gitPath: string, run: GitRun): Promise<GitOutput> {
  const child = spawn(gitPath, run);
  let ended: GitError | undefined;
  let killTimer: ReturnType<typeof setTimeout> | undefined;
  const end = (why: GitError) => {
    if (ended) return;
    ended = why;
    signal(child, "SIGTERM");
    killTimer = setTimeout(() => signal(child, "SIGKILL"), KILL_AFTER_MS);
  };
  const timer = setTimeout(
    () => end(new GitError("timeout", `git took longer than ${Math.round(run.timeoutMs / 1000)} s and was stopped`)),
    run.timeoutMs,
  );
  try {
    const [status, stdout, stderr] = await Promise.all([
      child.status,
      readBounded(
        child.stdout,
        run.maxBytes,
        () =>
          end(
            new GitError("too_large", `git gave more than ${run.maxBytes} bytes; the repository is too large for this`),
          ),
      ),
      readBounded(child.stderr, MAX_ERROR_BYTES, () => {}),
      feed(child, run.stdin),
    ]);
    if (ended) throw ended;
    return { code: status.code, stdout, stderr: new TextDecoder().decode(stderr) };
  } finally {
    clearTimeout(timer);
    clearTimeout(killTimer);
  }
}

function spawn(gitPath: string, run: GitRun): Deno.ChildProcess {
  try {
    return new Deno.Command(gitPath, {
      args: [...run.args],
      cwd: run.cwd,
      env: run.env,
      clearEnv: true,
      stdin: run.stdin ? "piped" : "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  } catch (error: unknown) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.PermissionDenied) {
      throw new GitError("no_git", `Boreas cannot run ${gitPath}; install git and start Boreas again.`);
    }
    throw error;
  }
}

function signal(child: Deno.ChildProcess, name: "SIGTERM" | "SIGKILL"): void {
  try {
    child.kill(name);
  } catch (error: unknown) {
    // It ended between the decision and the signal.
    if (!(error instanceof TypeError) && !(error instanceof Deno.errors.NotFound)) throw error;
  }
}

async function feed(child: Deno.ChildProcess, bytes: Uint8Array<ArrayBuffer> | undefined): Promise<void> {
  if (!bytes) return;
  const writer = child.stdin.getWriter();
  try {
    await writer.write(bytes);
    await writer.close();
  } catch (error: unknown) {
    // Git ended before it read everything; its exit code and words say why.
    if (!(error instanceof Deno.errors.BrokenPipe) && !(error instanceof TypeError)) throw error;
  }
}

/** Reads to the end and keeps the first `limit` bytes, so that the child never blocks on a full pipe. */
async function readBounded(
  stream: ReadableStream<Uint8Array>,
  limit: number,
  onExceeded: () => void,
): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of stream) {
    if (size + part.length > limit) onExceeded();
    if (size < limit) parts.push(part.subarray(0, limit - size));
    size += part.length;
  }
  const all = new Uint8Array(Math.min(size, limit));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
