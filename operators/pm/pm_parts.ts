/** What the parts of the pm operator share. */
import type { Clock, Logger } from "../../domain/ports.ts";
import type { Operation } from "../../protocol/operation.ts";
import type { AppFolder } from "./app_folder.ts";
import type { AppRecord } from "./app_record.ts";
import type { Engine } from "./docker/engine.ts";
import { PmFailure } from "./failure.ts";
import type { PmPolicy } from "./policy.ts";
import type { KeptProcess, Machine } from "./machine.ts";
import { choosePruned } from "./prune_releases.ts";
import type { Router } from "./router.ts";
import type { Supervisor } from "./supervisor.ts";

export interface PmParts {
  machine: Machine;
  clock: Clock;
  logger: Logger;
  node: { name: string };
  policy: PmPolicy;
  supervisor: Supervisor;
  /** Keeps releases that are held running, behind those that serve. */
  behind: Supervisor;
  /** What runs containers; undefined where nothing does. */
  engine: Engine | undefined;
  /** What holds public ports; undefined where nothing does. */
  router: Router | undefined;
  /** How long a registry may send nothing; the usual time when undefined. */
  pullStallMs?: number | undefined;
  /** Absolute: everything that is deployed lives below it. */
  root: string;
  /** The program that a running task has started, for suspend and resume. */
  active: Map<string, KeptProcess>;
}

/** F36: two deploys of one application never end with the older one on top. */
export function refuseOlder(operation: Operation, record: AppRecord): void {
  if (operation.generation >= record.generation) return;
  throw new PmFailure(
    "generation.older",
    `A newer deployment of ${operation.app} (generation ${record.generation}) has acted on this machine; this older one (${operation.generation}) is refused.`,
  );
}

/** Points `current` at the release and lets old releases go. */
export async function publish(machine: Machine, folder: AppFolder, record: AppRecord, keep: number): Promise<void> {
  const [name] = record.history;
  await machine.files.pointLink(folder.current, `releases/${name}`);
  const names = (await machine.files.list(folder.releases)).filter((other) => !other.endsWith(".new"));
  for (const old of choosePruned(names, record.history, keep)) await machine.files.remove(folder.release(old));
}
