/** What a deployed program and a script are told: contract, section 5. */
import type { Operation, RenderedSpec } from "../../protocol/operation.ts";
import { PmFailure } from "./failure.ts";
import type { Machine } from "./machine.ts";
import { fillPlaceholders } from "./placeholders.ts";
import type { Known } from "./placeholders.ts";

export interface Attempt {
  taskId: string;
  attempt: number;
  fence: number;
  secrets: Readonly<Record<string, string>>;
}

export const knownOf = (
  machine: Pick<Machine, "os" | "arch">,
  operation: Operation,
  ports: Readonly<Record<string, number>>,
  env: Readonly<Record<string, string>>,
): Known => ({
  version: operation.version,
  commit: operation.commit ?? "",
  os: machine.os,
  arch: machine.arch,
  ports,
  env,
});

export function buildEnvironment(
  machine: Machine,
  operation: Operation,
  spec: RenderedSpec,
  attempt: Attempt,
  place: { node: string; release: string; ports: Readonly<Record<string, number>> },
): Record<string, string> {
  for (const name of spec.secrets) {
    if (!Object.hasOwn(attempt.secrets, name)) {
      throw new PmFailure(
        "secret.missing",
        `The secret ${name} has no value for ${operation.app}; set it and try again.`,
      );
    }
    if (attempt.secrets[name]!.includes("\0")) {
      throw new PmFailure("secret.invalid", `The secret ${name} holds a NUL, which no environment can carry.`);
    }
  }
  const own = Object.fromEntries(spec.secrets.map((name) => [name, attempt.secrets[name]!]));
  const known = knownOf(machine, operation, place.ports, { ...machine.baseEnv, ...spec.env, ...own });
  const filled = Object.entries(spec.env).map(([key, value]) => [
    key,
    fillPlaceholders(value, known, `The environment variable ${key} of ${operation.app}`),
  ]);
  const ports = Object.entries(place.ports);
  const http = place.ports.http ?? ports[0]?.[1];
  return {
    ...machine.baseEnv,
    ...Object.fromEntries(filled),
    ...own,
    ...(http === undefined ? {} : { PORT: String(http) }),
    // A dash cannot stand in a variable's name.
    ...Object.fromEntries(ports.map(([name, port]) => [`PORT_${name.replaceAll("-", "_")}`, String(port)])),
    BOREAS_TASK_ID: attempt.taskId,
    BOREAS_ATTEMPT: String(attempt.attempt),
    BOREAS_FENCE: String(attempt.fence),
    BOREAS_APP: operation.app,
    BOREAS_VERSION: operation.version,
    BOREAS_COMMIT: operation.commit ?? "",
    BOREAS_ENVIRONMENT: operation.environment,
    BOREAS_NODE: place.node,
    BOREAS_IS_ROLLBACK: operation.isRollback ? "1" : "0",
    BOREAS_RELEASE_DIR: place.release,
  };
}

/** The argument vector of a binary: `./` and other slashes mean the release, a bare name the PATH. */
export async function resolveCommand(
  machine: Machine,
  app: string,
  command: readonly string[],
  release: string,
  env: Readonly<Record<string, string>>,
): Promise<string[]> {
  const [program, ...args] = command as [string, ...string[]];
  if (program.includes("/")) {
    const path = program.startsWith("/") ? program : `${release}/${program}`;
    if (program.split("/").includes("..")) {
      throw new PmFailure("exec.path", `exec of ${app} names ${program}, which leads out of the release's folder.`);
    }
    if (!await machine.files.isFile(path)) {
      throw new PmFailure("exec.missing", `exec of ${app} names ${program}, and the release has no such file.`);
    }
    if (!await machine.files.isExecutable(path)) {
      throw new PmFailure("exec.mode", `${program} of ${app} is not executable; give it the mode 755 in its archive.`);
    }
    return [path, ...args];
  }
  const found = await machine.findProgram(program, env.PATH ?? "");
  if (found) return [found, ...args];
  const hint = await machine.files.isFile(`${release}/${program}`)
    ? `; write ./${program} for the release's own file`
    : "";
  throw new PmFailure(
    "exec.missing",
    `exec of ${app} names ${program}, which is not on the PATH of this machine${hint}.`,
  );
}
