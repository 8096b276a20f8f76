/** What a process, or the whole database server, has cost so far; by /proc, so on Linux only. */
const TICKS_PER_SECOND = 100;

interface Stat {
  parent: number;
  seconds: number;
  /** Of children that have ended. */
  childrenSeconds: number;
}

function readStat(pid: number | string): Stat | undefined {
  try {
    const text = Deno.readTextFileSync(`/proc/${pid}/stat`);
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ").map(Number);
    return {
      parent: fields[1]!,
      seconds: (fields[11]! + fields[12]!) / TICKS_PER_SECOND,
      childrenSeconds: (fields[13]! + fields[14]!) / TICKS_PER_SECOND,
    };
  } catch (error: unknown) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

export const cpuSeconds = (pid: number): number => readStat(pid)?.seconds ?? NaN;

/** A postmaster and all its backends, those that have ended too. NaN for a server that is not ours to look at. */
export function treeCpuSeconds(pid: number | undefined): number {
  const own = pid === undefined ? undefined : readStat(pid);
  if (!own) return NaN;
  let sum = own.seconds + own.childrenSeconds;
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const stat = readStat(name);
    if (stat?.parent === pid) sum += stat!.seconds;
  }
  return sum;
}

/** Resident memory in MiB. */
export function residentMiB(pid: number): number {
  const line = Deno.readTextFileSync(`/proc/${pid}/status`).match(/^VmRSS:\s+(\d+) kB$/m);
  return line ? Number(line[1]) / 1024 : NaN;
}
