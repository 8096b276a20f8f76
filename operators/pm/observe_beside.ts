/** What runs beside the release that serves, for whoever looks: it has no part in health and drift. */
import type { Observed, Resource } from "../operator.ts";
import type { AppFolder } from "./app_folder.ts";
import { readStart } from "./app_record.ts";
import type { AppRecord } from "./app_record.ts";
import { containerName } from "./docker/container_plan.ts";
import { requireEngine } from "./docker/container_slots.ts";
import { isEngineError } from "./docker/engine.ts";
import type { PmParts } from "./pm_parts.ts";
import { adoptSlot } from "./slots.ts";

export async function withBeside(
  pm: PmParts,
  folder: AppFolder,
  { beside }: AppRecord,
  seen: Observed,
): Promise<Observed> {
  if (!beside) return seen;
  const { role, release: { version, ports } } = beside;
  const resource = await lookAt(pm, folder, beside);
  return {
    ...seen,
    resources: [...seen.resources, ...(resource ? [resource] : [])],
    details: { ...seen.details, beside: { role, version, ports, since: beside.since } },
  };
}

async function lookAt(
  pm: PmParts,
  folder: AppFolder,
  { role, release }: NonNullable<AppRecord["beside"]>,
): Promise<Resource | undefined> {
  const { machine } = pm;
  const slot = release.slot!;
  const told = { role, version: release.version };
  if (release.spec.runtime.mode === "docker") {
    const name = containerName(folder, slot);
    try {
      const facts = await requireEngine(pm).findContainer(name);
      if (!facts) return undefined;
      const { State, RestartCount } = facts;
      const startedAt = State.StartedAt.startsWith("0001") ? null : new Date(State.StartedAt).toISOString();
      const details = { ...told, pid: State.Pid || null };
      const state = `${State.Status} (${role})`;
      return { kind: "container", name, state, startedAt, restarts: RestartCount, details };
    } catch (error: unknown) {
      if (isEngineError(error)) return undefined; // that is told of the one that serves
      throw error;
    }
  }
  const unit = (await readStart(machine, folder, slot))?.unit;
  const kept = await adoptSlot(machine, folder, slot);
  const runs = kept !== undefined && !kept.hasEnded();
  kept?.forget();
  return {
    kind: unit ? "unit" : "process",
    name: unit?.name ?? (runs ? `pid ${kept.pid}` : "none"),
    state: `${runs ? "running" : "exited"} (${role})`,
    startedAt: runs ? await machine.files.modifiedAt(`${folder.run(slot)}/process`) ?? null : null,
    restarts: pm.behind.describe(folder).restarts,
    details: { ...told, pid: runs ? kept.pid : null },
  };
}
