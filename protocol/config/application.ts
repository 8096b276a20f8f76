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

const hasNoDash = (text: string) => !text.startsWith("-");
const NO_DASH = "a name that does not begin with a dash";

export const Artifact = z.union([
  z.strictObject({
    ref: z.string().min(1).refine(hasNoDash, NO_DASH).describe("An image without its tag."),
    tag: z.string().refine(hasNoDash, NO_DASH).optional().meta({
      description: "Looked up and pinned to its digest.",
      default: "${version}",
    }),
    digest: z.string().optional().describe("`sha256:...`; nothing is looked up then."),
    wait: Duration.optional().meta({ description: "How long it may take to be there.", default: "30m" }),
  }).meta({ title: "image" }),
  z.strictObject({
    url: HttpUrl.describe("A file, or a .tgz, .tar.gz or .tar that is unpacked; may hold `${os}` and `${arch}`."),
    sha256: z.union([Sha256, z.record(z.string(), Sha256)]).optional().describe("One digest, or one per `os-arch`."),
    sha256Url: HttpUrl.optional().describe("Where the digest stands, bare or as sha256sum writes it."),
    wait: Duration.optional().meta({ description: "How long it may take to be there.", default: "30m" }),
  }).meta({ title: "download" }),
  z.strictObject({ path: RelativePath.describe("A file or folder of the repository at that commit.") })
    .meta({ title: "repository files" }),
]);
export type Artifact = z.infer<typeof Artifact>;

const Stop = z.strictObject({
  signal: z.enum(["TERM", "INT", "QUIT", "HUP", "USR1", "USR2"]).optional().meta({
    description: "Asks it to end.",
    default: "TERM",
  }),
  grace: Duration.optional().describe("Then it is killed."),
});
const Resources = z.strictObject({
  memory: Size.optional().describe("Most memory."),
  cpu: z.number().positive().optional().describe("Most processors; 0.5 is half of one."),
});
const Restart = z.strictObject({
  policy: z.enum(["always", "on-failure", "never"]).describe("When it is started again."),
  /** `5/10m`: at most five restarts in ten minutes. */
  max: z.string().regex(/^\d+\/\d+(s|m|h)$/, "restarts per time, such as 5/10m").optional().describe(
    "At most so many restarts in so long: `5/10m`.",
  ),
});
/** One argument of a process. Started as a vector, never through a shell. */
// deno-lint-ignore no-control-regex
const Argument = z.string().max(8192).refine((a) => !/\x00/.test(a), "text without a NUL character");

export const BinaryRuntime = z.strictObject({
  artifact: z.string().min(1).describe("Which of `artifacts` is run."),
  exec: z.array(Argument).min(1).describe("Program and arguments, a vector and never a shell line."),
  user: z.string().regex(/^[a-z_][a-z0-9_-]{0,31}$/, "a user name of the machine").optional().describe(
    "Whom it runs as; the agent's own user unless told.",
  ),
  ports: z.record(Name, z.union([z.literal("auto"), Port])).optional().describe(
    "Name to port; `auto` is a free one per slot, so that old and new run side by side.",
  ),
  limits: Resources.optional().describe("Most that it may use."),
  restart: Restart.optional().describe("When it is started again."),
  stop: Stop.optional().describe("How it is asked to end."),
});
export const ScriptRuntime = z.strictObject({
  deploy: RelativePath.describe("Makes this version run."),
  check: RelativePath.optional().describe("Exit code 0: it is healthy."),
  rollback: RelativePath.optional().describe("Run instead of `deploy` when this version is gone back to."),
  remove: RelativePath.optional().describe("Stops what `deploy` made run, when the application is removed."),
  status: RelativePath.optional().describe("What it prints is shown; exit code 0: healthy."),
  timeout: Duration.optional().describe("Most time one script may take."),
});
export const DockerRuntime = z.strictObject({
  image: z.string().min(1).describe("Which of `artifacts` is run."),
  ports: z.record(Name, Port).optional().describe("Name to port inside the container."),
  volumes: z.array(z.string()).optional().describe("`/on/the/machine:/inside` or `name:/inside`."),
  resources: Resources.optional().describe("Most that it may use."),
  command: z.array(Argument).optional().describe("Instead of the image's own."),
  restart: Restart.optional().describe("When it is started again."),
  stop: Stop.optional().describe("How it is asked to end."),
});
export const K8sRuntime = z.strictObject({
  renderer: z.enum(["manifests", "kustomize", "helm", "generated"]).describe("What makes the manifests."),
  path: RelativePath.optional().describe("Where they, or the chart, stand in the repository."),
  namespace: Name.optional().describe("Where they go."),
  prune: z.enum(["owned", "never"]).optional().describe("Whether what is no longer rendered is removed."),
  wait: Duration.optional().describe("Most time until it is healthy."),
  replicas: z.int().min(0).optional().describe("Of `generated`."),
  image: z.string().optional().describe("Of `generated`: which of `artifacts` is run."),
  ports: z.record(Name, Port).optional().describe("Of `generated`: name to port."),
  values: z.record(z.string(), z.unknown()).optional().describe("Of `helm`: values of the chart."),
});
const RUNTIMES = ["k8s", "docker", "binary", "script"] as const;
export const Runtime = z.strictObject({
  k8s: K8sRuntime.optional().describe("Workloads of a cluster."),
  docker: DockerRuntime.optional().describe("A container of a machine."),
  binary: BinaryRuntime.optional().describe("A program of a machine, kept running by the agent."),
  script: ScriptRuntime.optional().describe("Scripts of the repository that do it themselves."),
}).refine((r) => RUNTIMES.filter((k) => r[k]).length === 1, "exactly one of k8s, docker, binary or script");

const Timing = {
  every: Duration.optional().describe("Time between two checks."),
  timeout: Duration.optional().describe("Most time one check may take."),
  rise: z.int().min(1).max(100).optional().describe("So many good ones in a row: healthy."),
  fall: z.int().min(1).max(100).optional().describe("So many bad ones in a row: not healthy."),
};
const PortName = z.union([Name, Port]).meta({ title: "name of a port, or port" });
export const HealthCheck = z.union([
  z.strictObject({
    http: z.strictObject({
      port: PortName.describe("Which port is asked."),
      path: z.string().startsWith("/").optional().meta({ description: "What is asked for.", default: "/" }),
      expect: z.string().regex(/^([1-5]xx|[1-5]\d\d)$/).optional().meta({
        description: "The status that is good.",
        default: "2xx",
      }),
    }).describe("A GET request."),
    ...Timing,
  }).meta({ title: "http check" }),
  z.strictObject({
    tcp: z.strictObject({ port: PortName.describe("Which port is opened.") }).describe("A connection."),
    ...Timing,
  }).meta({ title: "tcp check" }),
  z.strictObject({
    exec: z.array(Argument).min(1).describe("A command in the release's folder; exit code 0 is good."),
    ...Timing,
  }).meta({ title: "exec check" }),
]);
export type HealthCheck = z.infer<typeof HealthCheck>;

/** The script of the mock operator. Every field optional: an empty one logs a few lines and succeeds. */
export const MockScript = z.strictObject({
  steps: z.array(
    z.strictObject({
      name: z.string().optional().describe("What it is called."),
      log: z.array(z.string()).optional().describe("Lines that it prints."),
      duration: Duration.optional().describe("How long it takes."),
    }),
  ).optional().describe("What is played, in order."),
  /** 1-based: the step that fails, with `message`. */
  failAtStep: z.int().min(1).optional().describe("The step that fails; the first is 1."),
  message: z.string().optional().describe("What it says then."),
  /** Fails the first N attempts, then succeeds. */
  failAttempts: z.int().min(0).optional().describe("So many attempts fail, then it succeeds."),
  /** So long after it was deployed it turns bad, as a release may that was healthy at first. */
  unhealthyAfter: Duration.optional().describe("So long after it was deployed it turns bad."),
  /** So long after it was deployed somebody changes it by hand; applied again, it stays as it should be. */
  drift: z.strictObject({
    after: Duration.describe("So long after it was deployed."),
    path: z.string().describe("What differs then."),
    expected: z.string().describe("What it should be."),
    actual: z.string().describe("What it is."),
  }).optional().describe("As if somebody had changed it by hand."),
  /** Never ends by itself; a cancel or a timeout ends it. */
  hang: z.boolean().optional().describe("Never ends by itself."),
  failHook: Hooks.keyof().optional().describe("The hook that fails."),
  failGate: z.int().min(1).optional().describe("The measurement of a gate's script that fails; the first is 1."),
  /** Told alone, the deploy fails there. */
  failTarget: z.string().min(1).optional().describe("What fails, hangs or turns bad does so at this target only."),
});
export type MockScript = z.infer<typeof MockScript>;

const shape = {
  labels: Labels.optional().describe("Yours; notifications are routed by them."),
  source: z.strictObject({
    paths: z.array(Glob).optional().describe(
      "A change to one of these is a change of the application; all unless told.",
    ),
    ignore: z.array(Glob).optional().describe("A change to these is not."),
  }).optional().describe("Decides whether it changed."),
  needs: z.array(Name).optional().describe("Comes after these, also through applications that did not change."),
  artifacts: z.record(Name, Artifact).optional().describe("What is run, by a name of yours."),
  bundle: z.array(Glob).optional().describe("Repository files for scripts, hooks and configuration."),
  config: z.strictObject({
    env: EnvironmentMap.optional().describe("Environment variables."),
    secrets: z.array(EnvironmentKey).optional().describe("Names of secrets; their values travel sealed."),
    files: z.array(z.strictObject({
      from: RelativePath.describe("In the bundle."),
      to: RelativePath.describe("In the release's folder."),
      mode: FileMode.optional().describe("Permissions."),
    })).optional().describe("Files of the bundle that are put in place, placeholders filled in."),
  }).optional().describe("What it is given."),
  runtime: Runtime.optional().describe("Exactly one of `binary`, `docker`, `script`, `k8s`."),
  route: z.strictObject({
    mode: z.enum(["proxy", "hooks", "none"]).describe("By the machine's proxy, by scripts, or not at all."),
    listen: Port.optional().describe("Of `proxy`: the port that it holds."),
    port: Name.optional().meta({ description: "Of `proxy`: the runtime's port that requests go to.", default: "http" }),
    host: z.string().optional().describe("Of `proxy`: only requests for this host."),
    drain: z.union([Duration, RelativePath]).optional().meta({
      description: "Of `proxy`: time for requests that are under way. Of `hooks`: the script that stops requests.",
      default: "30s",
    }),
    undrain: RelativePath.optional().describe("Of `hooks`: the script that lets requests in again."),
  }).optional().describe("How requests reach it while releases change."),
  health: z.array(HealthCheck).optional().describe("All of them must be good."),
  healthy: z.strictObject({
    minTime: Duration.optional().meta({ description: "So long it must be good before it counts.", default: "0s" }),
    deadline: Duration.optional().meta({ description: "Until then it must be healthy.", default: "5m" }),
    watchAfter: Duration.optional().meta({
      description: "Turns bad within that time after it is everywhere: counts as a failure.",
      default: "0s",
    }),
  }).optional().describe("When a release counts as healthy."),
  strategy: Strategy.optional().describe("How it goes over its targets; `all` unless told."),
  hooks: Hooks.optional().describe("Scripts around its release."),
  drift: z.strictObject({
    mode: z.enum(["report", "heal", "ignore"]).describe("Shown, applied again, or not looked at."),
    ignore: z.array(z.string()).optional().describe(
      "Paths of differences that do not count: themselves, what is below, globs.",
    ),
  }).optional().describe("What becomes of live state that differs; `report` unless told."),
  keep: z.strictObject({
    releases: z.int().min(2).max(100).meta({ description: "So many stay on a machine.", default: 5 }),
  }).optional().describe("What stays for going back to."),
  nodes: z.union([
    z.strictObject({ labels: Labels.describe("Machines that have all of these.") }).meta({
      title: "machines by label",
    }),
    z.strictObject({ names: z.array(z.string().min(1)).min(1).describe("Machines of these names.") })
      .meta({ title: "machines by name" }),
  ]).optional().describe("Which machines of the environment; all unless told."),
  /** What the mock operator plays; other operators have no use for it. */
  mock: MockScript.optional().describe("What a mock environment plays."),
  /** Attempts of one target's task before it counts as failed; 1 unless told. */
  attempts: z.int().min(1).max(20).optional().meta({
    description: "Of one target's task, before it counts as failed.",
    default: 1,
  }),
  /** Most time one attempt may take. */
  timeout: Duration.optional().describe("Most time one attempt may take."),
};

/** The part of an application that an environment may change, and that REST takes as `config`. */
export const ApplicationConfig = z.strictObject(shape);
export type ApplicationConfig = z.infer<typeof ApplicationConfig>;

export const ApplicationDocument = z.strictObject({
  apiVersion: z.literal("boreas/v1").describe("The grammar."),
  kind: z.literal("Application").describe("The smallest thing that is deployed."),
  name: Name.describe("Unique in the project; belongs to the repository that first declared it."),
  description: z.string().max(2000).optional().describe("For people."),
  type: z.enum(["microservice", "monolith"]).optional().meta({ description: "For people.", default: "microservice" }),
  ...shape,
  environments: z.record(Name, ApplicationConfig.nullable().transform((v) => v ?? {})).optional().describe(
    "The environments it goes to, each with what is different there: any key from `labels` to `timeout`.",
  ),
});
export type ApplicationDocument = z.infer<typeof ApplicationDocument>;
