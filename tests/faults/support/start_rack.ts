/** A master and a machine's agent as real processes, and applications whose scripts are short, long, or hard to end. */
import { join } from "node:path";
import { createGitRemote } from "../../helpers/git_remote.ts";
import { readLedger } from "../../helpers/ledger_app.ts";
import { eventually, startAgent, startMaster } from "../../helpers/start_product.ts";
import type { Master, RunningAgent } from "../../helpers/start_product.ts";
import { temporaryFolder } from "../../helpers/temporary_folder.ts";
import { recordVersion } from "./record_version.ts";

export interface RackTask {
  id: string;
  deploymentId: string;
  status: string;
  attempt: number;
  fence: number;
  name: string;
  reason: { code: string; text: string };
}

const note = (ledger: string) =>
  `note() { echo "$1 $BOREAS_TASK_ID $BOREAS_ATTEMPT $BOREAS_FENCE $(date +%s%N)" >> "${ledger}"; }\n`;
const numbered = (lines: number, seconds: number) =>
  `i=1; while [ $i -le ${lines} ]; do echo "line $i"; sleep ${seconds}; i=$((i + 1)); done\n`;
/** Ignores TERM, and so does a grandchild that has left session and group. */
const STUBBORN = `trap '' TERM HUP INT
(setsid sh -c 'trap "" TERM HUP INT; while :; do sleep 0.2; done' &)
note start
while :; do echo tick; sleep 0.2; done
`;

export async function startRack(env: Record<string, string> = {}) {
  const ledger = join(await temporaryFolder("rack-ledger"), "ledger");
  const master: Master = await startMaster(env);
  const environment = await master.api("POST", "/environments", { name: "rack", type: "pm" });
  const { token } = await master.api("POST", "/enrollment-tokens", { environments: [environment.id] });
  const stateDir = await temporaryFolder("rack");
  const dial = (more: Record<string, string> = {}): Promise<RunningAgent> =>
    startAgent({
      ...{ url: master.url, stateDir, token, name: "rack-1", more },
      ...(master.fingerprint === undefined ? {} : { fingerprint: master.fingerprint }),
    });
  const agent = await dial();

  const scripts: Record<string, string> = {
    short: `note start\n${numbered(2, 0.05)}note end\n`,
    long: `note start\n${numbered(25, 0.1)}note end\n`,
    next: `note start\n${numbered(2, 0.05)}note end\n`,
    stubborn: STUBBORN,
    gated: `note start\nwhile [ ! -e "${ledger}.gate" ]; do sleep 0.1; done\nnote end\n`,
  };
  const names = Object.keys(scripts);
  const application = (name: string) =>
    `apiVersion: boreas/v1
kind: Application
name: ${name}
bundle: [ops/**]
runtime: { script: { deploy: ops/${name}.sh } }
strategy: { type: all, onFailure: { action: stop } }
environments: { rack: {} }
`;
  const remote = await createGitRemote();
  const files = names.map((name) => [`ops/${name}.sh`, `#!/bin/sh\n${note(ledger)}${scripts[name]}`]);
  await remote.push({ ...Object.fromEntries(files), "boreas.yaml": names.map(application).join("---\n") }, {
    executable: names.map((name) => `ops/${name}.sh`),
  });
  const version = await recordVersion(master, remote);

  const read = (id: string) => master.api<RackTask>("GET", `/tasks/${id}`);
  async function plan(applications: string[], mustInOrder: string[] = []): Promise<RackTask[]> {
    const deployment = await master.api("POST", "/deployments", {
      versionId: version.id,
      environmentId: environment.id,
      applications,
      mustInOrder,
    });
    const { items } = await master.api<{ items: RackTask[] }>("GET", `/tasks?deploymentId=${deployment.id}`);
    return applications.map((name) => items.find((task) => task.name === name)!);
  }
  /** @returns false when nobody was there to take it; it may be said again */
  const start = (deploymentId: string): Promise<boolean> =>
    master.raw("POST", `/api/v1/deployments/${deploymentId}/start`, {}, master.bearer())
      .then(({ status }) => status < 300 || status === 409, () => false);
  return {
    master,
    agent,
    dial,
    stateDir,
    ledger: () => readLedger(ledger),
    /** Lets the application `gated` end, from now on. */
    openGate: () => Deno.writeTextFile(`${ledger}.gate`, ""),
    read,
    plan,
    start,
    /** Starts these, in order when asked to; their tasks in the same order. */
    async deploy(applications: string[], mustInOrder: string[] = []): Promise<RackTask[]> {
      const tasks = await plan(applications, mustInOrder);
      if (!await start(tasks[0]!.deploymentId)) throw new Error("the deployment could not be started");
      return tasks;
    },
    /** Resolves when its program has begun. */
    begun: (task: RackTask, attempt = 1) =>
      eventually(
        async () =>
          (await readLedger(ledger)).some((l) => l.task === task.id && l.attempt === attempt && l.what === "start"),
        `${task.name} has begun`,
      ),
    ended: (task: RackTask, ...statuses: string[]) =>
      eventually(async () => {
        const now = await read(task.id);
        return statuses.includes(now.status) && now;
      }, `${task.name} became ${statuses.join(" or ")}`),
    async log(task: RackTask, attempt: number): Promise<string> {
      return (await master.raw("GET", `/api/v1/tasks/${task.id}/logs?attempt=${attempt}`, undefined, master.bearer()))
        .text;
    },
  };
}
export type Rack = Awaited<ReturnType<typeof startRack>>;
