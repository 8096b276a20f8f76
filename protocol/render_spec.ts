/** The last step before freezing: a merged configuration becomes what an operator is sent. Pure. */
import { AppError } from "../domain/app_error.ts";
import { parseDuration } from "../domain/duration.ts";
import type { AppBuild } from "./api/catalog.ts";
import type { ApplicationConfig } from "./config/application.ts";
import type { PinnedArtifact, RenderedRoute, RenderedSpec } from "./operation.ts";

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
    route: renderRoute(input),
    watchAfterSeconds: seconds(config.healthy?.watchAfter, 0),
    drift: { mode: config.drift?.mode ?? "report", ignore: config.drift?.ignore ?? [] },
  };
}

const DRAIN_SECONDS = 30;

/** @throws AppError `config.route`: what the route lacks */
function renderRoute({ config, application, environmentType }: RenderInput): RenderedRoute {
  const { route } = config;
  if (!route || route.mode === "none" || environmentType === "mock") return { mode: "none" };
  const refuse = (what: string) => new AppError("invalid", "config.route", `The route of ${application} ${what}.`);
  if (config.runtime?.script) {
    throw refuse(
      `has mode ${route.mode}, but its scripts decide themselves when requests go where; leave the route out`,
    );
  }
  if (route.mode === "hooks") {
    if (!route.drain || !route.undrain || parseDuration(route.drain) !== undefined) {
      throw refuse("has mode hooks and needs the paths of two scripts of the bundle, drain and undrain");
    }
    return { mode: "hooks", drain: route.drain, undrain: route.undrain };
  }
  if (route.listen === undefined) throw refuse("has mode proxy and needs `listen`, the port that the proxy holds");
  const ports = Object.keys(config.runtime?.docker?.ports ?? config.runtime?.binary?.ports ?? {});
  const port = route.port ?? (ports.includes("http") ? "http" : ports[0]);
  if (port === undefined || !ports.includes(port)) {
    throw refuse(`leads to the port ${port ?? "http"}, which its runtime does not name under ports`);
  }
  const drain = route.drain === undefined ? DRAIN_SECONDS : parseDuration(route.drain);
  if (drain === undefined) throw refuse("has mode proxy, so its drain is a duration such as 30s");
  return { mode: "proxy", listen: route.listen, port, host: route.host ?? null, drainSeconds: drain };
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
      `${application} does not say what to run: give its config (or boreas.yaml) a runtime of docker, binary or script.`,
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
  if (runtime.docker) {
    const name = runtime.docker.image;
    if (input.artifacts[name]?.kind !== "image") {
      throw new AppError(
        "invalid",
        "config.artifact_missing",
        `${application} runs the image "${name}", which is neither declared under artifacts nor given by the version's appBuilds.`,
      );
    }
    return {
      mode: "docker",
      ...runtime.docker,
      ...(runtime.docker.command && { command: runtime.docker.command.map(fill) }),
    };
  }
  throw new AppError(
    "invalid",
    "config.not_carried_out",
    `${application} has the runtime "k8s", which machines do not have; use docker, binary or script for this environment.`,
  );
}
