/**
 * A master with a repository and an environment, as most fault tests of agents need it: who may join, what is pushed,
 * which deployment it became, and what is to be judged at the end.
 */
import { join } from "node:path";
import { afterAll } from "vitest";
import { createGitRemote } from "../../helpers/git_remote.ts";
import type { GitRemoteFixture } from "../../helpers/git_remote.ts";
import { readLedger } from "../../helpers/ledger_app.ts";
import type { LedgerLine } from "../../helpers/ledger_app.ts";
import { eventually, startAgent, startMaster } from "../../helpers/start_product.ts";
import type { RunningAgent } from "../../helpers/start_product.ts";
import { temporaryFolder } from "../../helpers/temporary_folder.ts";
import { readHistory } from "./history.ts";
import type { History, TaskView } from "./history.ts";
import { openGate, pushLedgerApps } from "./ledger_apps.ts";
import type { LedgerApps } from "./ledger_apps.ts";

const ENVIRONMENT = "rack";

export interface RackOptions {
  /** `mock`: any agent may take any task, and another one after it. `pm`: each task is for one machine. */
  type: "pm" | "mock";
  env?: Record<string, string>;
}
export interface AgentAt {
  name: string;
  url?: string;
  namespace?: string;
  stateDir?: string;
  slots?: number;
  /** Variables of its own. */
  more?: Record<string, string>;
}
type Pushed = Partial<LedgerApps> & Pick<LedgerApps, "names" | "lines" | "secondsBetween">;

export interface Release {
  versionId: string;
  names: string[];
  ledger: string;
  gates: string;
  lines: number;
}

/** What still runs is let go, and its agent told to end; one that cannot, after a test that failed, is killed. */
const gateFolders: string[] = [];
const agents: RunningAgent[] = [];
const PATIENCE_MS = 20_000;
afterAll(async () => {
  for (const folder of gateFolders.splice(0)) await openGate(folder, "all");
  await Promise.all(
    agents.splice(0).map(async (agent) => {
      const ended = agent.kill("SIGTERM");
      const timer = setTimeout(() => void agent.kill("SIGKILL"), PATIENCE_MS);
      await ended;
      clearTimeout(timer);
    }),
  );
});

export async function startRack({ type, env = {} }: RackOptions) {
  const master = await startMaster({
    // Nobody but the agents of the test takes what anybody may take.
    ...(type === "mock" ? { BOREAS_OPERATORS: "," } : {}),
    ...env,
  });
  const environmentId: string = (await master.api("POST", "/environments", { name: ENVIRONMENT, type })).id;
  const { token } = await master.api("POST", "/enrollment-tokens", { environments: [environmentId], uses: 100 });
  const remote: GitRemoteFixture = await createGitRemote();
  const repository = await master.api("POST", "/repositories", {
    url: `file://${remote.url}`,
    provider: "generic",
    webhookSecret: "whsec_0123456789abcdef",
    pollSeconds: 1,
  });
  let pushes = 0;

  /** Starts an agent; the same folder again is the same agent again. */
  const agent = async (
    { stateDir, url = master.url, ...at }: AgentAt,
  ): Promise<RunningAgent & { stateDir: string }> => {
    const folder = stateDir ?? await temporaryFolder(at.name);
    const program = type === "mock" ? "tests/faults/support/free_agent.ts" : undefined;
    const running = await startAgent({
      ...at,
      url,
      token,
      stateDir: folder,
      ...(master.fingerprint ? { fingerprint: master.fingerprint } : {}),
      ...(program ? { program } : {}),
    });
    agents.push(running);
    return { ...running, stateDir: folder };
  };
  const agentId = async (name: string): Promise<string> =>
    (await master.api("GET", "/agents")).items.find((one: { name: string }) => one.name === name).id;
  const setCordon = async (name: string, on: boolean) =>
    void await master.api("POST", `/agents/${await agentId(name)}/${on ? "cordon" : "uncordon"}`, {});

  /** Pushes ledger applications and waits for their version; nothing is deployed by it. */
  const push = async (apps: Pushed): Promise<Release> => {
    const folder = await temporaryFolder("ledger");
    const gates = join(folder, "gates");
    await Deno.mkdir(gates);
    gateFolders.push(gates);
    const ledger = join(folder, "ledger");
    const commit = await pushLedgerApps(remote, {
      environment: ENVIRONMENT,
      ledger,
      tag: `push ${++pushes}`,
      ...apps,
      ...(apps.gates === undefined ? {} : { gates }),
    });
    await master.api("POST", `/repositories/${repository.id}/sync`, {});
    const version = await eventually(async () => {
      const { items } = await master.api<{ items: { id: string; gitCommit: string }[] }>("GET", "/versions?limit=5");
      return items.find((one) => one.gitCommit === commit);
    }, "the version of the push");
    return { versionId: version.id, names: apps.names, ledger, gates, lines: apps.lines };
  };

  /** Plans and starts; @returns the deployment with its leaves. */
  const deploy = async (release: Release, names: string[] = release.names) => {
    const planned = await master.api("POST", "/deployments", {
      versionId: release.versionId,
      environmentId,
      applications: names,
    });
    const { id, tasks } = await master.api("POST", `/deployments/${planned.id}/start`, {});
    const parents = new Set(tasks.map((task: TaskView) => task.parentId));
    return { id: id as string, leaves: (tasks as TaskView[]).filter((task) => !parents.has(task.id)) };
  };
  const task = (id: string) => master.api<TaskView & { reason: { text: string } }>("GET", `/tasks/${id}`);
  const taskIs = (id: string, status: string, seconds = 60) =>
    eventually(
      async () => {
        const found = await task(id);
        return found.status === status && found;
      },
      `task ${status}`,
      seconds,
    );
  const ended = (id: string, seconds = 90) =>
    eventually(
      async () => {
        const found = await master.api("GET", `/deployments/${id}`);
        return found.completedAt !== null && found;
      },
      "the deployment's end",
      seconds,
    );
  /** Looked at again and again until it is as wanted. */
  const ledger = (release: Release, holds: (lines: LedgerLine[]) => boolean, what: string, seconds = 60) =>
    eventually(
      async () => {
        const lines = await readLedger(release.ledger);
        return holds(lines) && lines;
      },
      what,
      seconds,
    );
  const storedLog = async (id: string, attempt: number): Promise<string> => {
    const { status, text } = await master.raw(
      "GET",
      `/api/v1/tasks/${id}/logs?attempt=${attempt}`,
      undefined,
      master.bearer(),
    );
    if (status !== 200) throw new Error(`the log of ${id} answered ${status}: ${text}`);
    return text;
  };
  const history = async (release: Release, deploymentIds: string[], more: History = {}): Promise<History> => ({
    ...await readHistory(master, deploymentIds),
    ledger: await readLedger(release.ledger),
    ...more,
  });
  /** How many late words of each kind this master has refused since it started. */
  const staleWrites = async (): Promise<Record<string, number>> => {
    const { text } = await master.raw("GET", "/metrics");
    const found = text.matchAll(/^boreas_stale_writes_total\{kind="(\w+)"\} (\d+)$/gm);
    return Object.fromEntries([...found].map(([, kind, count]) => [kind!, Number(count)]));
  };

  return {
    master,
    remote,
    environmentId,
    agent,
    agentId,
    setCordon,
    push,
    deploy,
    task,
    taskIs,
    ended,
    ledger,
    storedLog,
    history,
    staleWrites,
  };
}
export type Rack = Awaited<ReturnType<typeof startRack>>;
export const starts = (lines: LedgerLine[], attempt: number): LedgerLine[] =>
  lines.filter((line) => line.what === "start" && line.attempt === attempt);
