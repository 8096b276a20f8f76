/** The last step before freezing: a merged configuration becomes what an operator is sent. Pure. */
import { AppError } from "../domain/app_error.ts";
import { parseDuration } from "../domain/duration.ts";
import type { AppBuild } from "./api/catalog.ts";
import type { ApplicationConfig } from "./config/application.ts";
import type { PinnedArtifact, RenderedSpec } from "./operation.ts";

export interface RenderInput {
  application: string;
  config: ApplicationConfig;
  environmentType: "k8s" | "pm" | "mock";
  version: string;
  commit: string | null;
  artifacts: Record<string, PinnedArtifact>;
  bundle: { sha256: string; size: number } | null;
  build: Partial<AppBuild>;
}

/**
 * Fills in what is known now; `${port.x}`, `${os}`, `${arch}` and `${env.X}` stay for the agent.
 * @throws AppError `config.runtime_missing`, `config.not_carried_out`, `config.artifact_missing`: what to write, and where
 */
export function renderSpec(input: RenderInput): RenderedSpec {
  const { config } = input;
  const fill = (text: string) =>
    text.replaceAll("${version}", input.version).replaceAll("${commit}", input.commit ?? "");
  const fillAll = (map: Record<string, string>) =>
    Object.fromEntries(Object.entries(map).map(([k, v]) => [k, fill(v)]));
  return {
    application: input.application,
    runtime: renderRuntime(input, fill),
    artifacts: input.artifacts,
    bundle: input.bundle,
    env: fillAll({ ...config.config?.env, ...input.build.env }),
    secrets: config.config?.secrets ?? [],
    files: config.config?.files ?? [],
    health: config.health ?? [],
    minTimeSeconds: seconds(config.healthy?.minTime, 0),
    deadlineSeconds: seconds(config.healthy?.deadline, 300),
    keepReleases: config.keep?.releases ?? 5,
  };
}

const seconds = (text: string | undefined, otherwise: number) => (text ? parseDuration(text)! : otherwise);

function renderRuntime(input: RenderInput, fill: (text: string) => string): RenderedSpec["runtime"] {
  const { config, application, environmentType } = input;
  if (environmentType === "mock") return { mode: "mock", script: config.mock ?? {} };
  if (environmentType === "k8s") {
    throw new AppError(
      "invalid",
      "config.not_carried_out",
      `${application} is to run on Kubernetes, which this release does not carry out yet; use a pm or mock environment.`,
    );
  }
  const runtime = config.runtime ?? (input.build.script ? { script: { deploy: input.build.script } } : undefined);
  if (!runtime) {
    throw new AppError(
      "invalid",
      "config.runtime_missing",
      `${application} does not say what to run: give its config (or boreas.yaml) a runtime of binary or script.`,
    );
  }
  if (runtime.binary) {
    const name = runtime.binary.artifact;
    if (!input.artifacts[name]) {
      throw new AppError(
        "invalid",
        "config.artifact_missing",
        `${application} runs the artifact "${name}", which is neither declared under artifacts nor given by the version's appBuilds.`,
      );
    }
    return { mode: "binary", ...runtime.binary, exec: runtime.binary.exec.map(fill) };
  }
  if (runtime.script) return { mode: "script", ...runtime.script };
  const kind = runtime.docker ? "docker" : "k8s";
  throw new AppError(
    "invalid",
    "config.not_carried_out",
    `${application} has the runtime "${kind}", which is understood but not carried out on machines by this release; use binary or script.`,
  );
}
