/** What runs of a binary, asked now. */
import type { Difference, Observed, Resource } from "../operator.ts";
import type { AppFolder } from "./app_folder.ts";
import { readStart } from "./app_record.ts";
import type { AppRecord } from "./app_record.ts";
import { compareBinary } from "./binary_shape.ts";
import { probe } from "./health.ts";
import type { PmParts } from "./pm_parts.ts";

type Seen = Pick<Observed, "health" | "resources" | "differences" | "details">;

export async function observeBinary(pm: PmParts, folder: AppFolder, record: AppRecord): Promise<Seen> {
  const { machine, supervisor } = pm;
  const current = record.current!;
  const kept = supervisor.running(folder);
  const { restarts, gaveUp } = supervisor.describe(folder);
  const start = await readStart(machine, folder, current.slot!);
  const unit = start?.unit && await machine.units?.look(start.unit.name);
  const resource: Resource = {
    kind: start?.unit ? "unit" : "process",
    name: start?.unit?.name ?? (kept ? `pid ${kept.pid}` : "none"),
    state: kept ? "running" : gaveUp ? "exited" : "restarting",
    startedAt: kept ? await machine.files.modifiedAt(`${folder.run(current.slot!)}/process`) ?? null : null,
    restarts: unit?.restarts ?? restarts,
    details: {
      pid: kept?.pid ?? null,
      command: start?.command ?? [],
      ...(start?.user === undefined ? {} : { user: start.user }),
      ...(unit ? { unit: `${unit.active} (${unit.sub})` } : {}),
    },
  };
  const details = {
    versionId: current.versionId,
    release: current.name,
    ports: current.ports,
    pid: kept?.pid ?? null,
    restarts: resource.restarts,
  };
  const alive: Difference[] = kept ? [] : [{ path: "process", expected: "running", actual: resource.state }];
  const differences = [...alive, ...await compareBinary(pm, folder, record)];
  const seen = { resources: [resource], differences };
  if (!kept) return { ...seen, health: gaveUp ? "missing" : "progressing", details };
  const probed = {
    app: record.app,
    ports: current.ports,
    cwd: folder.release(current.name),
    env: start?.env ?? machine.baseEnv,
    user: start?.user,
  };
  const answers = await Promise.all(current.spec.health.map((check) => probe(machine, check, probed)));
  const trouble = answers.filter((answer) => answer !== undefined);
  return trouble.length === 0
    ? { ...seen, health: "healthy", details }
    : { ...seen, health: "degraded", details: { ...details, trouble: trouble.join("; ") } };
}
