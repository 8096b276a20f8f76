/** Short programs, users, and the search for programs. */
export const SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const OUTPUT_BYTES = 4096;

export async function isExecutable(path: string): Promise<boolean> {
  try {
    const found = await Deno.stat(path);
    return found.isFile && ((found.mode ?? 0) & 0o111) !== 0;
  } catch (error: unknown) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return false;
    throw error;
  }
}

export async function findProgram(name: string, path: string): Promise<string | undefined> {
  for (const folder of path.split(":")) {
    if (folder.startsWith("/") && await isExecutable(`${folder}/${name}`)) return `${folder}/${name}`;
  }
  return undefined;
}

const idOf = async (flag: string, user?: string): Promise<string | undefined> => {
  const args = user === undefined ? [flag] : [flag, "--", user];
  const id = await new Deno.Command("id", { args, stdin: "null", stdout: "piped", stderr: "null" }).output();
  return id.success ? new TextDecoder().decode(id.stdout).trim() : undefined;
};

/** The argument vector that runs a command as this user; the command itself when that is who we are. */
export async function asUser(user: string | undefined, command: string[]): Promise<string[]> {
  if (user === undefined || await idOf("-un") === user) return command;
  const setpriv = await findProgram("setpriv", SYSTEM_PATH) ?? "setpriv";
  return [setpriv, `--reuid=${user}`, `--regid=${await idOf("-g", user) ?? user}`, "--init-groups", "--", ...command];
}

/** undefined when programs can be started as this user in this folder; else why not. */
export async function refuseUser(user: string, folder: string): Promise<string | undefined> {
  if (await idOf("-un") === user) return undefined;
  if (await idOf("-u", user) === undefined) return `There is no user ${user} on this machine; create it.`;
  if (await idOf("-u") !== "0") {
    return `Only an agent that runs as root can start programs as ${user}; run it as root, or leave out \`user\`.`;
  }
  if (!await findProgram("setpriv", SYSTEM_PATH)) {
    return `Starting programs as ${user} needs the program setpriv (util-linux); install it.`;
  }
  const [program, ...args] = await asUser(user, ["test", "-r", folder, "-a", "-x", folder]);
  const check = await new Deno.Command(program!, { args, stdin: "null", stdout: "null", stderr: "null" }).output();
  return check.success
    ? undefined
    : `User ${user} may not read ${folder}; let others pass through the folders above it.`;
}

export interface ShortRun {
  command: string[];
  cwd: string;
  env: Readonly<Record<string, string>>;
  user?: string | undefined;
  timeoutMs: number;
}

/** Runs to its end; its whole session is killed when the time is up, and `code` is null then. */
export async function runShortly(run: ShortRun): Promise<{ code: number | null; output: string }> {
  const [program, ...args] = await asUser(run.user, run.command);
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command(program!, {
      args,
      cwd: run.cwd,
      env: { ...run.env },
      clearEnv: true,
      detached: true, // a group of its own, so that all of it can be killed
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  } catch (error: unknown) {
    if (!(error instanceof Error)) throw error;
    return { code: 127, output: error.message };
  }
  let isLate = false;
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(() => {
    isLate = true;
    try {
      Deno.kill(-child.pid, "SIGKILL");
    } catch (error: unknown) {
      if (!(error instanceof Deno.errors.NotFound)) throw error; // it ended in this very moment
    }
    late.resolve();
  }, run.timeoutMs);
  let output = "";
  const streams = [child.stdout, child.stderr];
  const read = async (stream: ReadableStream<Uint8Array<ArrayBuffer>>) => {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) output = (output + text).slice(-OUTPUT_BYTES);
  };
  // A child of the child may hold the pipes for ever: the end of the program is the end.
  const reading = Promise.all(streams.map(read));
  reading.catch(() => {});
  const status = await child.status;
  await Promise.race([reading, late.promise, new Promise((resolve) => setTimeout(resolve, 100))]);
  clearTimeout(timer);
  child.unref();
  return { code: isLate ? null : status.code, output: output.trim() };
}
