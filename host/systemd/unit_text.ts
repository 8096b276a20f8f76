/** The files of a program's own unit. Pure. */

export interface UnitPlan {
  /** `boreas-app-order@a.service` */
  name: string;
  description: string;
  /** Of the slot: holds `unit.sh`, `unit.env`, and the keeper's `run/` and `last/`. It also says whose the unit is. */
  folder: string;
  cwd: string;
  limits?: { memoryBytes?: number | undefined; cpu?: number | undefined } | undefined;
  restart: { policy: "always" | "on-failure" | "never"; count: number; windowSeconds: number };
  stop: { signal: string; graceSeconds: number };
}

const OWNER = "# Boreas: ";

/** `%` and `$` mean something in a unit file; spaces end a word. */
const word = (text: string) => `"${text.replace(/[\\"]/g, "\\$&").replaceAll("%", "%%").replaceAll("$", "$$$$")}"`;
const path = (text: string) => text.replaceAll("%", "%%");
const line = (text: string) => text.replace(/\s+/g, " ").replaceAll("%", "%%");

export const ownerOf = (text: string): string | undefined =>
  text.split("\n").find((each) => each.startsWith(OWNER))?.slice(OWNER.length);

/**
 * The keeper is the unit's process: output, pid and exit code are where they are without systemd. What systemd adds is
 * a cgroup with limits, an end for everything in it, restarts without an agent, and a start at boot.
 */
export function unitText(plan: UnitPlan): string {
  const { limits, restart, stop } = plan;
  const RESTART = { "always": "always", "on-failure": "on-failure", "never": "no" }[restart.policy];
  return [
    `${OWNER}${plan.folder}`,
    "[Unit]",
    `Description=${line(plan.description)}`,
    "Wants=network-online.target",
    "After=network-online.target",
    `StartLimitIntervalSec=${restart.windowSeconds}`,
    // The first start counts too.
    `StartLimitBurst=${restart.count + 1}`,
    "",
    "[Service]",
    "Type=exec",
    `WorkingDirectory=${path(plan.cwd)}`,
    `EnvironmentFile=${path(`${plan.folder}/unit.env`)}`,
    `ExecStart=/bin/sh ${word(`${plan.folder}/unit.sh`)} boreas-keeper`,
    `Restart=${RESTART}`,
    "RestartSec=1",
    `KillSignal=SIG${stop.signal}`,
    `TimeoutStopSec=${Math.max(1, Math.ceil(stop.graceSeconds))}`,
    "KillMode=control-group",
    "OOMPolicy=kill",
    "LimitNOFILE=65536",
    ...(limits?.memoryBytes === undefined ? [] : [`MemoryMax=${limits.memoryBytes}`]),
    ...(limits?.cpu === undefined ? [] : [`CPUQuota=${Math.max(1, Math.round(limits.cpu * 100))}%`]),
    ...(limits ? ["TasksMax=4096"] : []),
    "",
    "[Install]",
    "WantedBy=multi-user.target",
    "",
  ].join("\n");
}

const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;

/** @param keeper the fixed program of `keeper.ts` */
export function unitScript(
  keeper: string,
  start: { folder: string; files: number; path: string; command: readonly string[] },
): string {
  const run = `${start.folder}/run`;
  return `# Started by systemd. One run, one folder: the one before stays readable in last/.
cd ${quoted(start.folder)} || exit 1
if [ -e run/claim ]; then rm -rf last; mv run last; fi
mkdir -p run
cd "$OLDPWD" || exit 1
set -- ${[run, String(start.files), start.path, ...start.command].map(quoted).join(" ")}
${keeper}
read -r code <"$folder/exit"
exit "$code"
`;
}

/** As `EnvironmentFile=` reads it: like a shell, in double quotes. */
export const unitEnvironment = (env: Readonly<Record<string, string>>): string =>
  Object.entries(env).map(([name, value]) => `${name}="${value.replace(/[\\"\`$]/g, "\\$&")}"\n`).join("");
