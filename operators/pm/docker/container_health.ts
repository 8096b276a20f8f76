/** Health checks of a container: its ports as the machine has them, its programs inside. */
import type { HealthCheck } from "../../../protocol/config/application.ts";
import type { RunningRelease } from "../app_record.ts";
import { probe } from "../health.ts";
import type { Machine } from "../machine.ts";
import type { PmParts } from "../pm_parts.ts";
import type { DockerRuntime } from "./container_plan.ts";
import { requireEngine } from "./container_slots.ts";
import { isEngineError } from "./engine.ts";
import type { ContainerFacts, Engine } from "./engine.ts";

/** A check that names a number means the port inside, as all of the runtime does. */
export function checksOf({ ports = {} }: DockerRuntime, checks: readonly HealthCheck[]): HealthCheck[] {
  const nameOf = <T extends { port: string | number }>(at: T): T => {
    const name = Object.entries(ports).find(([, inside]) => inside === at.port)?.[0];
    return { ...at, port: name ?? String(at.port) };
  };
  return checks.map((check) => {
    if ("http" in check) return { ...check, http: nameOf(check.http) };
    return "tcp" in check ? { ...check, tcp: nameOf(check.tcp) } : check;
  });
}

/** The machine, but programs run in the container. An engine that is away for a moment is a check without an answer. */
export const healthMachine = (machine: Machine, engine: Engine, container: string): Machine => ({
  ...machine,
  async run({ command, timeoutMs }) {
    try {
      return await engine.runInside(container, command, timeoutMs);
    } catch (error: unknown) {
      if (!isEngineError(error)) throw error;
      return { code: null, output: `the container engine does not answer (${error.message})` };
    }
  },
});

/** undefined when every check is good now; else what is not. */
export async function askHealth(
  pm: PmParts,
  app: string,
  { spec, ports }: RunningRelease,
  facts: ContainerFacts,
): Promise<string | undefined> {
  const hands = healthMachine(pm.machine, requireEngine(pm), facts.Id);
  const probed = { app, ports, cwd: "/", env: {} };
  const checks = spec.runtime.mode === "docker" ? checksOf(spec.runtime, spec.health) : [];
  const answers = await Promise.all(checks.map((check) => probe(hands, check, probed)));
  const troubles = answers.filter((answer) => answer !== undefined);
  return troubles.length === 0 ? undefined : troubles.join("; ");
}
