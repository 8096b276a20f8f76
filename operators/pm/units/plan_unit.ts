/** The unit that a binary runs in, where systemd runs and the agent may make units. */
import { parseSize } from "../../../domain/duration.ts";
import type { Operation, RenderedSpec } from "../../../protocol/operation.ts";
import type { AppFolder, Slot } from "../app_folder.ts";
import type { Machine, UnitPlan } from "../machine.ts";
import { readRestartPolicy } from "../restart_policy.ts";

type Binary = Extract<RenderedSpec["runtime"], { mode: "binary" }>;

export const NO_LIMITS =
  "The limits on memory and CPU are not enforced: that needs systemd and an agent that runs as root, which is not so";

export async function planUnit(
  { units }: Pick<Machine, "units">,
  folder: AppFolder,
  slot: Slot,
  { operation, runtime, cwd, stop }: {
    operation: Operation;
    runtime: Binary;
    cwd: string;
    stop: { signal: string; graceSeconds: number };
  },
): Promise<UnitPlan | undefined> {
  if (!units) return undefined;
  const { app, environment, version } = operation;
  const place = folder.slot(slot);
  const name = await units.chooseName(place, [
    `boreas-app-${app}@${slot}.service`,
    // The same application in another environment of this machine has the short one.
    `boreas-app-${app}.${environment}@${slot}.service`,
  ]);
  const { policy, count, windowMs } = readRestartPolicy(runtime.restart);
  const { memory, cpu } = runtime.limits ?? {};
  return {
    ...{ name, folder: place, cwd, stop },
    description: `${app} ${version} of ${environment}, deployed by Boreas`,
    limits: runtime.limits && { memoryBytes: typeof memory === "string" ? parseSize(memory) : memory, cpu },
    restart: { policy, count, windowSeconds: windowMs / 1000 },
  };
}
