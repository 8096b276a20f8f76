/**
 * Who runs on this machine. A pid alone is no name: it is used again. Boot id, pid and start time together are one.
 * Deno gives /proc only to a process that may do everything, so it is read through small programs.
 */
import process from "node:process";

export interface ProcessMark {
  pid: number;
  bootId: string;
  /** As the system writes it; only ever compared. */
  startTime: string;
}

async function textOf(command: string, args: string[]): Promise<string> {
  const done = await new Deno.Command(command, { args, stdin: "null", stdout: "piped", stderr: "null" }).output();
  return new TextDecoder().decode(done.stdout);
}

const isLinux = Deno.build.os === "linux";
let bootId: Promise<string> | undefined;
export function readBootId(): Promise<string> {
  return bootId ??=
    (isLinux ? textOf("/bin/cat", ["/proc/sys/kernel/random/boot_id"]) : textOf("sysctl", ["-n", "kern.boottime"]))
      .then((text) => text.trim());
}

/** A line of /proc/PID/stat: the name in parentheses may hold anything, so count from the last one. */
export function parseStat(stat: string): { state: string; group: number; startTime: string } | undefined {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).trim().split(" ");
  return fields.length > 19 ? { state: fields[0]!, group: Number(fields[2]), startTime: fields[19]! } : undefined;
}

/** The start time out of what the keeper wrote down: a stat line, or what `ps` says. */
export const startTimeOf = (written: string): string => isLinux ? parseStat(written)?.startTime ?? "" : written.trim();

/** Asks the kernel alone: cheap, but a pid that is used again, or a zombie, counts as alive. */
export function isPidAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error: unknown) {
    return (error as { code?: string }).code === "EPERM";
  }
}

/** This very process, and not dead. */
export async function isRunning(mark: ProcessMark): Promise<boolean> {
  if (mark.bootId !== await readBootId() || !isPidAlive(mark.pid)) return false;
  if (!isLinux) return (await textOf("ps", ["-o", "lstart=", "-p", String(mark.pid)])).trim() === mark.startTime;
  const stat = parseStat(await textOf("/bin/cat", [`/proc/${mark.pid}/stat`]));
  return stat !== undefined && stat.startTime === mark.startTime && stat.state !== "Z" && stat.state !== "X";
}

/** Sends a signal to a process, or to a group when negative; false when nobody is there. */
export function sendSignal(pid: number, signal: string): boolean {
  try {
    Deno.kill(pid, `SIG${signal}` as Deno.Signal);
    return true;
  } catch (error: unknown) {
    if (error instanceof Deno.errors.NotFound || (error as { code?: string }).code === "ESRCH") return false;
    throw error;
  }
}

/**
 * The processes whose environment holds all of `tags`: finds also what left its group and its parent. Programs that cleared
 * their environment stay unseen, and keepers are left out: they must live to write down how it ended.
 */
export async function findTagged(tags: string[]): Promise<{ pid: number; group: number }[]> {
  if (!isLinux || tags.length === 0) return [];
  const script = 'found=$(grep -lszxF -- "$1" /proc/[0-9]*/environ); shift; ' +
    'for tag do [ -n "$found" ] && found=$(grep -lszxF -- "$tag" $found); done; ' +
    'for environ in $found; do grep -qszxF boreas-keeper "${environ%environ}cmdline" || cat "${environ%environ}stat" 2>/dev/null; done';
  const found = await textOf("/bin/sh", ["-c", script, "find-tagged", ...tags]);
  return found.split("\n").flatMap((line) => {
    const stat = parseStat(line);
    const pid = parseInt(line, 10);
    return stat && pid !== Deno.pid && stat.state !== "Z" ? [{ pid, group: stat.group }] : [];
  });
}
