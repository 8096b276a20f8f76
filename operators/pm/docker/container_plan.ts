/** The container of one release, in the engine's words. What is not written here, no specification can ask for. Pure. */
import { parseDuration, parseSize } from "../../../domain/duration.ts";
import type { Operation, RenderedSpec } from "../../../protocol/operation.ts";
import { DEFAULT_GRACE_SECONDS } from "../../stopped.ts";
import type { AppFolder, Slot } from "../app_folder.ts";
import { readRestartPolicy } from "../restart_policy.ts";
import type { ContainerBody, MountBody, PortBindings, RestartPolicyBody } from "./engine.ts";

export type DockerRuntime = Extract<RenderedSpec["runtime"], { mode: "docker" }>;

/** Where a container finds its `bundle` and `config.files`, read only; `BOREAS_RELEASE_DIR` says so. */
export const RELEASE_DIR = "/boreas/release";
/** Whose a container is. */
export const LABEL = {
  folder: "boreas.folder",
  task: "boreas.task",
  fence: "boreas.fence",
  fingerprint: "boreas.fingerprint",
} as const;
/** Of a container's output on disk; the engine drops the oldest. */
const LOG_FILES = { "max-size": "10m", "max-file": "3" };
const NEVER: RestartPolicyBody = { Name: "no", MaximumRetryCount: 0 };

export const containerName = ({ environment, app }: AppFolder, slot: Slot): string =>
  `boreas-${environment}-${app}-${slot}`;

export const graceOf = (runtime: DockerRuntime): number =>
  parseDuration(runtime.stop?.grace ?? "") ?? DEFAULT_GRACE_SECONDS;

/** Until a release is trusted its end is an end; then the engine starts it again, also when the machine restarts. */
export function restartBody(runtime: DockerRuntime): RestartPolicyBody {
  if (!runtime.restart || runtime.restart.policy === "always") return { Name: "unless-stopped", MaximumRetryCount: 0 };
  if (runtime.restart.policy === "never") return NEVER;
  return { Name: "on-failure", MaximumRetryCount: readRestartPolicy(runtime.restart).count };
}

export interface ContainerPlan {
  folder: AppFolder;
  slot: Slot;
  operation: Operation;
  spec: RenderedSpec;
  runtime: DockerRuntime;
  /** Name and digest. */
  image: string;
  command: string[] | undefined;
  env: Readonly<Record<string, string>>;
  /** Name -> port of the machine. */
  ports: Readonly<Record<string, number>>;
  mounts: MountBody[];
  attempt: { taskId: string; fence: number };
  fingerprint: string;
}

export function planContainer(plan: ContainerPlan): ContainerBody {
  const { folder, operation, spec, runtime, attempt } = plan;
  // Behind the proxy nobody but this machine has business with the container's own ports.
  const HostIp = spec.route.mode === "proxy" ? "127.0.0.1" : "";
  const bindings: PortBindings = {};
  for (const [name, inside] of Object.entries(runtime.ports ?? {})) {
    (bindings[`${inside}/tcp`] ??= []).push({ HostIp, HostPort: String(plan.ports[name]!) });
  }
  const memory = runtime.resources?.memory === undefined ? undefined : parseSize(String(runtime.resources.memory));
  const cpu = runtime.resources?.cpu;
  return {
    Image: plan.image,
    ...(plan.command && { Cmd: plan.command }),
    Env: Object.entries(plan.env).map(([name, value]) => `${name}=${value}`),
    Labels: {
      [LABEL.folder]: folder.path,
      [LABEL.task]: attempt.taskId,
      [LABEL.fence]: String(attempt.fence),
      [LABEL.fingerprint]: plan.fingerprint,
      "boreas.app": operation.app,
      "boreas.application.id": operation.applicationId,
      "boreas.environment": operation.environment,
      "boreas.environment.id": operation.environmentId,
      "boreas.version": operation.version,
      "boreas.version.id": operation.versionId,
      "boreas.slot": plan.slot,
    },
    ExposedPorts: Object.fromEntries(Object.keys(bindings).map((port) => [port, {}])),
    StopSignal: `SIG${runtime.stop?.signal ?? "TERM"}`,
    StopTimeout: Math.ceil(graceOf(runtime)),
    HostConfig: {
      PortBindings: bindings,
      Mounts: plan.mounts,
      RestartPolicy: NEVER,
      // The same for both: no swap beyond the memory it may have.
      ...(memory !== undefined && { Memory: memory, MemorySwap: memory }),
      ...(cpu !== undefined && { NanoCpus: Math.round(cpu * 1e9) }),
      LogConfig: { Type: "json-file", Config: LOG_FILES },
    },
  };
}
