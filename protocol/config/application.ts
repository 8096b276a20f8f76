/** An `Application` document of `boreas.yaml`. */
import { z } from "zod";
import { Hooks, Strategy } from "./release.ts";
import {
  Duration,
  EnvironmentKey,
  EnvironmentMap,
  FileMode,
  Glob,
  HttpUrl,
  Labels,
  Name,
  Port,
  RelativePath,
  Sha256,
  Size,
} from "./values.ts";

export const Artifact = z.union([
  z.strictObject({
    ref: z.string().min(1),
    tag: z.string().optional(),
    digest: z.string().optional(),
    wait: Duration.optional(),
  }),
  z.strictObject({
    url: HttpUrl,
    sha256: z.union([Sha256, z.record(z.string(), Sha256)]).optional(),
    sha256Url: HttpUrl.optional(),
    wait: Duration.optional(),
  }),
  z.strictObject({ path: RelativePath }),
]);
export type Artifact = z.infer<typeof Artifact>;

const Stop = z.strictObject({
  signal: z.enum(["TERM", "INT", "QUIT", "HUP", "USR1", "USR2"]).optional(),
  grace: Duration.optional(),
});
const Resources = z.strictObject({ memory: Size.optional(), cpu: z.number().positive().optional() });
const Restart = z.strictObject({
  policy: z.enum(["always", "on-failure", "never"]),
  /** `5/10m`: at most five restarts in ten minutes. */
  max: z.string().regex(/^\d+\/\d+(s|m|h)$/, "restarts per time, such as 5/10m").optional(),
});
/** One argument of a process. Started as a vector, never through a shell. */
// deno-lint-ignore no-control-regex
const Argument = z.string().max(8192).refine((a) => !/\x00/.test(a), "text without a NUL character");

export const BinaryRuntime = z.strictObject({
  artifact: z.string().min(1),
  exec: z.array(Argument).min(1),
  user: z.string().regex(/^[a-z_][a-z0-9_-]{0,31}$/, "a user name of the machine").optional(),
  ports: z.record(Name, z.union([z.literal("auto"), Port])).optional(),
  limits: Resources.optional(),
  restart: Restart.optional(),
  stop: Stop.optional(),
});
export const ScriptRuntime = z.strictObject({
  deploy: RelativePath,
  check: RelativePath.optional(),
  rollback: RelativePath.optional(),
  status: RelativePath.optional(),
  timeout: Duration.optional(),
});
export const DockerRuntime = z.strictObject({
  image: z.string().min(1),
  ports: z.record(Name, Port).optional(),
  volumes: z.array(z.string()).optional(),
  resources: Resources.optional(),
  command: z.array(Argument).optional(),
  restart: Restart.optional(),
  stop: Stop.optional(),
});
export const K8sRuntime = z.strictObject({
  renderer: z.enum(["manifests", "kustomize", "helm", "generated"]),
  path: RelativePath.optional(),
  namespace: Name.optional(),
  prune: z.enum(["owned", "never"]).optional(),
  wait: Duration.optional(),
  replicas: z.int().min(0).optional(),
  image: z.string().optional(),
  ports: z.record(Name, Port).optional(),
  values: z.record(z.string(), z.unknown()).optional(),
});
const RUNTIMES = ["k8s", "docker", "binary", "script"] as const;
export const Runtime = z.strictObject({
  k8s: K8sRuntime.optional(),
  docker: DockerRuntime.optional(),
  binary: BinaryRuntime.optional(),
  script: ScriptRuntime.optional(),
}).refine((r) => RUNTIMES.filter((k) => r[k]).length === 1, "exactly one of k8s, docker, binary or script");

const Timing = {
  every: Duration.optional(),
  timeout: Duration.optional(),
  rise: z.int().min(1).max(100).optional(),
  fall: z.int().min(1).max(100).optional(),
};
const PortName = z.union([Name, Port]);
export const HealthCheck = z.union([
  z.strictObject({
    http: z.strictObject({
      port: PortName,
      path: z.string().startsWith("/").optional(),
      expect: z.string().regex(/^([1-5]xx|[1-5]\d\d)$/).optional(),
    }),
    ...Timing,
  }),
  z.strictObject({ tcp: z.strictObject({ port: PortName }), ...Timing }),
  z.strictObject({ exec: z.array(Argument).min(1), ...Timing }),
]);
export type HealthCheck = z.infer<typeof HealthCheck>;

/** The script of the mock operator. Every field optional: an empty one logs a few lines and succeeds. */
export const MockScript = z.strictObject({
  steps: z.array(
    z.strictObject({ name: z.string().optional(), log: z.array(z.string()).optional(), duration: Duration.optional() }),
  ).optional(),
  /** 1-based: the step that fails, with `message`. */
  failAtStep: z.int().min(1).optional(),
  message: z.string().optional(),
  /** Fails the first N attempts, then succeeds. */
  failAttempts: z.int().min(0).optional(),
  /** So long after it was deployed it turns bad, as a release may that was healthy at first. */
  unhealthyAfter: Duration.optional(),
  /** So long after it was deployed somebody changes it by hand; applied again, it stays as it should be. */
  drift: z.strictObject({ after: Duration, path: z.string(), expected: z.string(), actual: z.string() }).optional(),
  /** Never ends by itself; a cancel or a timeout ends it. */
  hang: z.boolean().optional(),
});
export type MockScript = z.infer<typeof MockScript>;

const shape = {
  labels: Labels.optional(),
  source: z.strictObject({ paths: z.array(Glob).optional(), ignore: z.array(Glob).optional() }).optional(),
  needs: z.array(Name).optional(),
  artifacts: z.record(Name, Artifact).optional(),
  bundle: z.array(Glob).optional(),
  config: z.strictObject({
    env: EnvironmentMap.optional(),
    secrets: z.array(EnvironmentKey).optional(),
    files: z.array(z.strictObject({ from: RelativePath, to: RelativePath, mode: FileMode.optional() })).optional(),
  }).optional(),
  runtime: Runtime.optional(),
  route: z.strictObject({
    mode: z.enum(["proxy", "hooks", "none"]),
    listen: Port.optional(),
    port: Name.optional(),
    host: z.string().optional(),
    drain: z.union([Duration, RelativePath]).optional(),
    undrain: RelativePath.optional(),
  }).optional(),
  health: z.array(HealthCheck).optional(),
  healthy: z.strictObject({
    minTime: Duration.optional(),
    deadline: Duration.optional(),
    watchAfter: Duration.optional(),
  }).optional(),
  strategy: Strategy.optional(),
  hooks: Hooks.optional(),
  drift: z.strictObject({ mode: z.enum(["report", "heal", "ignore"]), ignore: z.array(z.string()).optional() })
    .optional(),
  keep: z.strictObject({ releases: z.int().min(2).max(100) }).optional(),
  nodes: z.union([
    z.strictObject({ labels: Labels }),
    z.strictObject({ names: z.array(z.string().min(1)).min(1) }),
  ]).optional(),
  /** What the mock operator plays; other operators have no use for it. */
  mock: MockScript.optional(),
  /** Attempts of one target's task before it counts as failed; 1 unless told. */
  attempts: z.int().min(1).max(20).optional(),
  /** Most time one attempt may take. */
  timeout: Duration.optional(),
};

/** The part of an application that an environment may change, and that REST takes as `config`. */
export const ApplicationConfig = z.strictObject(shape);
export type ApplicationConfig = z.infer<typeof ApplicationConfig>;

export const ApplicationDocument = z.strictObject({
  apiVersion: z.literal("boreas/v1"),
  kind: z.literal("Application"),
  name: Name,
  description: z.string().max(2000).optional(),
  type: z.enum(["microservice", "monolith"]).optional(),
  ...shape,
  environments: z.record(Name, ApplicationConfig.nullable().transform((v) => v ?? {})).optional(),
});
export type ApplicationDocument = z.infer<typeof ApplicationDocument>;
