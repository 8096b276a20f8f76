/** What `boreas agent doctor` found: everything an agent needs of its machine, and what to do where something is missing. */
export interface DoctorCheck {
  /** `master`, `clock`, `state folder`, ... */
  name: string;
  /** `warn`: it works, with less; `fail`: the agent cannot do its work. */
  status: "ok" | "warn" | "fail";
  detail: string;
  /** What a person should do about it. */
  advice?: string;
}

export const isFit = (checks: readonly DoctorCheck[]): boolean => checks.every((check) => check.status !== "fail");

/** Seconds that this machine's clock may be wrong before certificates and time stamps suffer, and before they break. */
const SKEW = { warn: 5, fail: 300 };
const MIB = 1024 * 1024;
/** Free bytes: a release must fit, and the logs of tasks while the master is away. */
const FREE = { warn: 1024 * MIB, fail: 100 * MIB };

/** @param skewSeconds how far the master's clock is ahead of ours */
export function judgeClock(skewSeconds: number): DoctorCheck {
  const off = Math.abs(skewSeconds);
  const detail = off < 2
    ? "The clock agrees with the master's."
    : `The clock is ${Math.round(off)} s ${skewSeconds > 0 ? "behind" : "ahead of"} the master's.`;
  const advice = "Set the clock, for example with chrony or systemd-timesyncd.";
  if (off > SKEW.fail) return { name: "clock", status: "fail", detail, advice };
  return off > SKEW.warn ? { name: "clock", status: "warn", detail, advice } : { name: "clock", status: "ok", detail };
}

export function judgeSpace(folder: string, freeBytes: number): DoctorCheck {
  const name = "disk space";
  const detail = `${folder} has ${Math.round(freeBytes / MIB)} MiB free.`;
  const advice = "Free some, or put BOREAS_STATE_DIR on a larger disk.";
  if (freeBytes < FREE.fail) return { name, status: "fail", detail, advice };
  return freeBytes < FREE.warn ? { name, status: "warn", detail, advice } : { name, status: "ok", detail };
}

/** For a terminal. */
export function sayDoctor(checks: readonly DoctorCheck[]): string {
  const marks = { ok: "ok  ", warn: "warn", fail: "FAIL" };
  const widest = Math.max(...checks.map((check) => check.name.length));
  return checks.map(({ name, status, detail, advice }) =>
    `${marks[status]}  ${name.padEnd(widest)}  ${detail}${advice && status !== "ok" ? ` ${advice}` : ""}`
  ).join("\n");
}
