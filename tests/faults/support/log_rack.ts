/** A master, a machine's agent, and applications whose scripts print what a test made up: real processes throughout. */
import { Buffer } from "node:buffer";
import { createGitRemote } from "../../helpers/git_remote.ts";
import { eventually, startAgent, startMaster } from "../../helpers/start_product.ts";
import type { Master, RunningAgent } from "../../helpers/start_product.ts";
import { temporaryFolder } from "../../helpers/temporary_folder.ts";
import { expectSound, readHistory } from "./history.ts";
import type { History } from "./history.ts";
import { recordVersion } from "./record_version.ts";

export interface LogTask {
  id: string;
  deploymentId: string;
  status: string;
  attempt: number;
  leaseExpiresAt: string | null;
  reason: { code: string; text: string };
}
export interface LogRack {
  master: Master;
  agent: RunningAgent;
  stateDir: string;
  task(id: string): Promise<LogTask>;
  /** Starts one application; @returns the id of its task */
  deploy(application: string): Promise<string>;
  ended(taskId: string, status?: string, seconds?: number): Promise<LogTask>;
  get(path: string, headers?: Record<string, string>): Promise<Response>;
  /** The whole stored log, by the plain download. */
  stored(taskId: string): Promise<Buffer>;
  /** What the script of this task printed, as it is stored: without what Boreas itself says before and after it. */
  printed(taskId: string): Promise<Buffer>;
  /** Judges the deployments of these tasks at their end, and what else was gathered. */
  expectSound(taskIds: readonly string[], more: History): Promise<void>;
}

/** Around what a script prints; behind the payload comes a newline of the script's. */
const [BEGIN, END] = ["<<<begin>>>\n", "\n<<<end>>>\n"];

/** @param scripts application -> commands of a shell */
export async function startLogRack(options: {
  scripts: Record<string, string>;
  master?: Record<string, string>;
  agent?: Record<string, string>;
  stateDir?: string;
  namespace?: { name: string; hostAddress: string };
  /** Another way to the master than straight. */
  agentUrl?: (master: Master) => string | Promise<string>;
}): Promise<LogRack> {
  const { scripts, namespace } = options;
  const master = await startMaster({
    ...(namespace ? { BOREAS_PUBLIC_URL: `https://${namespace.hostAddress}:PORT` } : {}),
    ...options.master,
  });
  const environment = await master.api("POST", "/environments", { name: "rack", type: "pm" });
  const { token } = await master.api("POST", "/enrollment-tokens", { environments: [environment.id] });
  const stateDir = options.stateDir ?? await temporaryFolder("log-rack");
  const port = new URL(master.url).port;
  const agent = await startAgent({
    url: namespace ? `https://${namespace.hostAddress}:${port}` : await options.agentUrl?.(master) ?? master.url,
    ...(master.fingerprint ? { fingerprint: master.fingerprint } : {}),
    ...(namespace ? { namespace: namespace.name } : {}),
    stateDir,
    token,
    name: "rack-1",
    more: options.agent,
  });
  const remote = await createGitRemote();
  const names = Object.keys(scripts);
  const files = names.map((name) => [
    `ops/${name}.sh`,
    `#!/bin/sh\necho '${BEGIN.trim()}'\n${scripts[name]}\necho; echo '${END.trim()}'\n`,
  ]);
  const config = names.map((name) =>
    `apiVersion: boreas/v1
kind: Application
name: ${name}
bundle: [ops/**]
runtime: { script: { deploy: ops/${name}.sh } }
strategy: { type: all, onFailure: { action: stop } }
environments: { rack: {} }
`
  );
  await remote.push({ ...Object.fromEntries(files), "boreas.yaml": config.join("---\n") }, {
    executable: names.map((name) => `ops/${name}.sh`),
  });
  const version = await recordVersion(master, remote);
  const client = master.fingerprint
    ? Deno.createHttpClient({ caCerts: [await Deno.readTextFile(`${master.dataDir}/tls/ca.pem`)] })
    : undefined;
  const rack: LogRack = {
    master,
    agent,
    stateDir,
    task: (id) => master.api("GET", `/tasks/${id}`),
    async deploy(application) {
      const { id } = await master.api("POST", "/deployments", {
        versionId: version.id,
        environmentId: environment.id,
        applications: [application],
      });
      await master.api("POST", `/deployments/${id}/start`, {});
      const { items } = await master.api<{ items: { id: string }[] }>("GET", `/tasks?deploymentId=${id}`);
      return items[0]!.id;
    },
    ended: (taskId, status = "success", seconds = 60) =>
      eventually(
        async () => {
          const task = await rack.task(taskId);
          if (task.status === status) return task;
          if (["failed", "cancelled"].includes(task.status)) throw new Error(`the task ${task.reason.text}`);
        },
        `the task became ${status}`,
        seconds,
      ),
    get: (path, headers = {}) =>
      fetch(`${master.url}/api/v1${path}`, {
        headers: { ...master.bearer(), ...headers },
        ...(client ? { client } : {}),
      }),
    async stored(taskId) {
      const response = await rack.get(`/tasks/${taskId}/logs?download=1`);
      if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
      return Buffer.from(await response.arrayBuffer());
    },
    async printed(taskId) {
      const whole = await rack.stored(taskId);
      return whole.subarray(whole.indexOf(BEGIN) + BEGIN.length, whole.lastIndexOf(END));
    },
    async expectSound(taskIds, more) {
      const ids = await Promise.all(taskIds.map(async (id) => (await rack.task(id)).deploymentId));
      for (const id of ids) {
        const hasEnded = async () => (await master.api("GET", `/deployments/${id}`)).completedAt !== null;
        await eventually(hasEnded, "the deployment's end");
      }
      expectSound({ ...await readHistory(master, ids), ...more });
    },
  };
  return rack;
}

export interface MemoryWatch {
  stop(): { beforeBytes: number; peakBytes: number; split: string };
}
/** In the order of /proc/PID/status: memory of its own, pages of files (its program above all), shared memory. */
const KINDS = ["RssAnon", "RssFile", "RssShmem"] as const;

/** Bytes that a process has in memory, looked at again and again; of the one that was started with this variable. */
export function watchMemory(variable: string, program: string): MemoryWatch {
  const pid = findProcess(variable, program);
  const resident = () => {
    const status = Deno.readTextFileSync(`/proc/${pid}/status`);
    return KINDS.map((kind) => Number(new RegExp(`^${kind}:\\s+(\\d+) kB$`, "m").exec(status)![1]) * 1024);
  };
  const sum = (kinds: readonly number[]) => kinds.reduce((all, bytes) => all + bytes, 0);
  const before = resident();
  let peak = before;
  const timer = setInterval(() => {
    const now = resident();
    if (sum(now) > sum(peak)) peak = now;
  }, 100);
  return {
    stop() {
      clearInterval(timer);
      const split = KINDS.map((kind, i) => `${kind} ${inMB(before[i]!)} -> ${inMB(peak[i]!)} MB`).join(", ");
      return { beforeBytes: sum(before), peakBytes: sum(peak), split };
    },
  };
}
const inMB = (bytes: number) => Math.round(bytes / 1_000_000);

function findProcess(variable: string, program: string): number {
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const words = Deno.readTextFileSync(`/proc/${name}/cmdline`).split("\0");
      if (!words[0]!.endsWith("deno") || !words.join(" ").includes(program)) continue;
      if (Deno.readTextFileSync(`/proc/${name}/environ`).split("\0").includes(variable)) return Number(name);
    } catch (error: unknown) {
      if (!(error instanceof Deno.errors.NotFound) && !(error instanceof Deno.errors.PermissionDenied)) throw error;
    }
  }
  throw new Error(`no ${program} with ${variable} runs`);
}
