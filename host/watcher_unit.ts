/**
 * Starts the watcher of an upgrade out of the agent's reach: with systemd in a unit of its own, which is on the disk until
 * the watcher has ended, so that a machine that lost its power watches on; without it in a session of its own, which
 * the agent starts again at its own next start.
 */
import { isMissing, readIfThere, removeDurably, syncFolder, writeDurably } from "./durable_files.ts";
import { runShortly, SYSTEM_PATH } from "./process_run.ts";
import { isRunning, parseStat, readBootId, sendSignal } from "./process_table.ts";
import type { ProcessMark } from "./process_table.ts";

const UNITS = "/etc/systemd/system";
const WATCH_UNIT = "boreas-agent-watch.service";
const WANTED = `${UNITS}/multi-user.target.wants`;
const SYSTEMCTL_MS = 20_000;

export async function systemctl(...args: string[]): Promise<{ ok: boolean; output: string }> {
  const run = { command: ["systemctl", ...args], cwd: "/", env: { PATH: SYSTEM_PATH }, timeoutMs: SYSTEMCTL_MS };
  const { code, output } = await runShortly(run);
  return { ok: code === 0, output };
}

/** The unit that this process is of: the last part of its cgroup's path; undefined without systemd. */
export async function findOwnUnit(): Promise<string | undefined> {
  if (!await isFolder("/run/systemd/system")) return undefined;
  const { output } = await runShortly({
    command: ["/bin/cat", `/proc/${Deno.pid}/cgroup`],
    cwd: "/",
    env: { PATH: SYSTEM_PATH },
    timeoutMs: 5000,
  });
  const unit = output.split("\n").at(-1)?.split("/").findLast((part) => part.endsWith(".service"));
  return unit && !unit.startsWith("user@") ? unit : undefined;
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isDirectory;
  } catch (error: unknown) {
    if (isMissing(error)) return false;
    throw error;
  }
}

export interface WatcherStart {
  /** The new version's launcher. */
  command: string;
  env: Readonly<Record<string, string>>;
  /** Of the agent; undefined without systemd. */
  unit: string | undefined;
  stateDir: string;
}

export async function startWatcher(start: WatcherStart): Promise<void> {
  if (start.unit) return await startUnit(start);
  const folder = `${start.stateDir}/upgrade`;
  const known = await readMark(`${folder}/watcher.json`);
  if (known && await isRunning(known)) return;
  const child = new Deno.Command("/bin/sh", {
    args: ["-c", 'exec "$1" watch >>"$0" 2>&1', `${folder}/watch.log`, start.command],
    env: { ...start.env },
    clearEnv: true,
    detached: true,
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  child.unref();
  await markProcess(`${folder}/watcher.json`, child.pid);
}

async function startUnit({ command, env, unit }: WatcherStart): Promise<void> {
  const quoted = (text: string) =>
    `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("%", "%%").replaceAll("$", "$$$$")}"`;
  const variables = Object.entries(env).map(([name, value]) => `Environment=${quoted(`${name}=${value}`)}`);
  const text = [
    "[Unit]",
    `Description=Watches the upgrade of ${unit}`,
    "[Service]",
    "Type=exec",
    ...variables,
    `ExecStart=${quoted(command)} watch`,
    "Restart=on-failure",
    "RestartSec=2",
    "[Install]",
    "WantedBy=multi-user.target",
    "",
  ].join("\n");
  const file = `${UNITS}/${WATCH_UNIT}`;
  const isNew = await readIfThere(file) !== text;
  if (isNew) {
    await writeDurably(file, text, 0o644);
    await Deno.mkdir(WANTED, { recursive: true });
    try {
      await Deno.symlink(file, `${WANTED}/${WATCH_UNIT}`);
    } catch (error: unknown) {
      if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    }
    await syncFolder(WANTED);
    await systemctl("daemon-reload");
  }
  // One of an earlier upgrade may be at its last look yet.
  const started = await systemctl(isNew ? "restart" : "start", WATCH_UNIT);
  if (!started.ok) throw new Error(`The watcher's unit ${WATCH_UNIT} does not start: ${started.output}`);
}

/** At the end of its work: the unit is of no more use. */
export async function removeWatcherUnit(): Promise<void> {
  const file = `${UNITS}/${WATCH_UNIT}`;
  if (await readIfThere(file) === undefined) return;
  await removeDurably(`${WANTED}/${WATCH_UNIT}`);
  await removeDurably(file);
  await systemctl("daemon-reload");
}

/**
 * Ends the agent at once; what starts it again starts what `current` names. Deployed programs are not touched.
 * @param program the bundle that it runs: the folder of the version that is given up is in its name
 */
export async function restartAgent(unit: string | undefined, program: string): Promise<void> {
  if (unit) {
    // Not by its own leave: it would let running tasks end first, and it may be the one that hangs.
    await systemctl("kill", "--kill-who=main", "--signal=KILL", unit);
    await systemctl("reset-failed", unit);
    const { ok, output } = await systemctl("restart", "--no-block", unit);
    if (!ok) throw new Error(`${unit} does not start: ${output}`);
    return;
  }
  for (const pid of await findRunning(program)) sendSignal(pid, "KILL");
}

/** Processes that run this program as the agent itself, and not as its watcher or with another task. */
async function findRunning(program: string): Promise<number[]> {
  const script =
    'for f in $(grep -lszxF -- "$1" /proc/[0-9]*/cmdline); do [ "$f" != "/proc/$$/cmdline" ] || continue; ' +
    'last=$(tr "\\0" "\\n" 2>/dev/null <"$f" | tail -n 1); ' +
    'if [ "$last" = "$1" ] || [ "$last" = run ]; then f=${f#/proc/}; echo "${f%/cmdline}"; fi; done';
  const { output } = await runShortly({
    command: ["/bin/sh", "-c", script, "find-running", program],
    cwd: "/",
    env: { PATH: SYSTEM_PATH },
    timeoutMs: 10_000,
  });
  return output.split("\n").map(Number).filter((pid) => pid > 0);
}

async function markProcess(file: string, pid: number): Promise<void> {
  const { output } = await runShortly({
    command: ["/bin/cat", `/proc/${pid}/stat`],
    cwd: "/",
    env: { PATH: SYSTEM_PATH },
    timeoutMs: 5000,
  });
  const mark: ProcessMark = { pid, bootId: await readBootId(), startTime: parseStat(output)?.startTime ?? "" };
  await writeDurably(file, JSON.stringify(mark));
}

async function readMark(file: string): Promise<ProcessMark | undefined> {
  const text = await readIfThere(file);
  return text === undefined ? undefined : JSON.parse(text) as ProcessMark;
}
