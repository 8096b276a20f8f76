/** What runs on this machine, asked now. */
import type { Observed } from "../operator.ts";
import { AppFolder } from "./app_folder.ts";
import { observeDocker } from "./docker/observe_docker.ts";
import { readRecord } from "./app_record.ts";
import type { AppRecord } from "./app_record.ts";
import { withBeside } from "./observe_beside.ts";
import { observeBinary } from "./observe_binary.ts";
import type { PmParts } from "./pm_parts.ts";

export async function listApps(pm: Pick<PmParts, "machine">, root: string): Promise<[AppFolder, AppRecord][]> {
  const found: [AppFolder, AppRecord][] = [];
  for (const environment of await pm.machine.files.list(root)) {
    for (const app of await pm.machine.files.list(`${root}/${environment}`)) {
      const folder = new AppFolder(root, environment, app);
      const record = await readRecord(pm.machine, folder);
      if (record) found.push([folder, record]);
    }
  }
  return found;
}

export async function observeApp(pm: PmParts, folder: AppFolder, record: AppRecord): Promise<Observed> {
  const { node } = pm;
  const current = record.current!;
  const base: Pick<Observed, "application" | "environmentId" | "target" | "version" | "resources" | "differences"> = {
    application: record.app,
    environmentId: record.environmentId,
    target: node.name,
    version: current.version,
    resources: [],
    differences: null,
  };
  const release = { versionId: current.versionId, release: current.name };
  if (current.slot === null) return { ...base, ...await askScript(pm, folder, record, release) };
  const isContainer = current.spec.runtime.mode === "docker";
  const seen = await (isContainer ? observeDocker : observeBinary)(pm, folder, record);
  return await withBeside(pm, folder, record, { ...base, ...seen });
}

const STATUS_MS = 10_000;

/** A script's own word, when it has one to say. */
async function askScript(
  { machine }: PmParts,
  folder: AppFolder,
  record: AppRecord,
  release: Record<string, unknown>,
): Promise<Pick<Observed, "health" | "details">> {
  const { spec, name } = record.current!;
  const path = spec.runtime.mode === "script" ? spec.runtime.status : undefined;
  if (path === undefined) return { health: "unknown", details: release };
  const cwd = folder.release(name);
  const env = {
    ...machine.baseEnv,
    ...spec.env,
    BOREAS_APP: record.app,
    BOREAS_ENVIRONMENT: record.environment,
    BOREAS_RELEASE_DIR: cwd,
  };
  const isExecutable = await machine.files.isExecutable(`${cwd}/${path}`);
  const command = isExecutable ? [`${cwd}/${path}`] : ["/bin/sh", `${cwd}/${path}`];
  const { code, output } = await machine.run({ command, cwd, env, timeoutMs: STATUS_MS });
  return { health: code === 0 ? "healthy" : "degraded", details: { ...release, status: output.slice(-1000) } };
}
