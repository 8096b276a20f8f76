/** What runs of an application in a container, asked now. */
import type { Difference, Observed, Resource } from "../../operator.ts";
import type { AppFolder } from "../app_folder.ts";
import type { AppRecord } from "../app_record.ts";
import type { PmParts } from "../pm_parts.ts";
import { compareRoute } from "../route/compare_route.ts";
import { askHealth } from "./container_health.ts";
import { containerName } from "./container_plan.ts";
import { requireEngine } from "./container_slots.ts";
import { compareShapes, shapeOf } from "./container_shape.ts";
import { isEngineError } from "./engine.ts";
import type { ContainerFacts } from "./engine.ts";

type Seen = Pick<Observed, "health" | "resources" | "differences" | "details">;

export async function observeDocker(pm: PmParts, folder: AppFolder, record: AppRecord): Promise<Seen> {
  const current = record.current!;
  const name = containerName(folder, current.slot!);
  const release = { versionId: current.versionId, release: current.name, ports: current.ports };
  let facts: ContainerFacts | undefined;
  try {
    facts = await requireEngine(pm).findContainer(name);
  } catch (error: unknown) {
    if (!isEngineError(error)) throw error;
    const trouble = `the container engine does not answer: ${error.message}`;
    return { health: "unknown", resources: [], differences: null, details: { ...release, trouble } };
  }
  if (!facts) {
    const gone: Difference = { path: "container", expected: name, actual: "none" };
    return { health: "missing", resources: [], differences: [gone], details: { ...release, pid: null, restarts: 0 } };
  }
  const { State, RestartCount } = facts;
  const details = { ...release, container: name, pid: State.Pid || null, restarts: RestartCount };
  const changed = current.container ? compareShapes(current.container, await shapeOf(facts)) : [];
  const differences = [...changed, ...await compareRoute(pm, record)];
  const state: Difference[] = State.Status === "running"
    ? []
    : [{ path: "state", expected: "running", actual: State.Status }];
  const seen = { resources: [resourceOf(name, facts)], differences: [...state, ...differences] };
  if (State.Status !== "running") {
    const trouble = `the container is ${State.Status}, exit code ${State.ExitCode}${
      State.OOMKilled ? ", out of memory" : ""
    }`;
    const health = State.Running || State.Paused || State.Restarting ? "degraded" : "missing";
    return { ...seen, health, details: { ...details, trouble } };
  }
  const trouble = await askHealth(pm, record.app, current, facts);
  return trouble === undefined
    ? { ...seen, health: "healthy", details }
    : { ...seen, health: "degraded", details: { ...details, trouble } };
}

const resourceOf = (name: string, { Id, State, RestartCount, Config }: ContainerFacts): Resource => ({
  kind: "container",
  name,
  state: State.Status,
  startedAt: State.StartedAt.startsWith("0001") ? null : new Date(State.StartedAt).toISOString(),
  restarts: RestartCount,
  details: { id: Id.slice(0, 12), image: Config.Image, pid: State.Pid || null, exitCode: State.ExitCode },
});
