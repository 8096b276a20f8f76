/** What a leaf task asks of an operator, and what the operator answers. */
import { z } from "zod";
import { BinaryRuntime, DockerRuntime, HealthCheck, MockScript, ScriptRuntime } from "./config/application.ts";
import { Port, RelativePath } from "./config/values.ts";

/** An artifact after pinning: what will run is decided by content, not by name. */
export const PinnedArtifact = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("image"), ref: z.string(), digest: z.string() }),
  /** `url` may hold `${os}` and `${arch}`; `sha256` is one digest, or one per `os-arch`. A .tgz, .tar.gz or .tar is unpacked. */
  z.object({
    kind: z.literal("url"),
    url: z.string(),
    sha256: z.union([z.string(), z.record(z.string(), z.string())]),
  }),
  /** A tar of repository files, fetched from the master by its sha256. */
  z.object({ kind: z.literal("blob"), sha256: z.string(), size: z.number() }),
]);
export type PinnedArtifact = z.infer<typeof PinnedArtifact>;

/** How requests reach an application on a machine while releases change. */
export const RenderedRoute = z.discriminatedUnion("mode", [
  z.object({ mode: z.literal("none") }),
  /** The machine's own proxy holds `listen` and sends requests to the port `port` of the release that serves. */
  z.object({
    mode: z.literal("proxy"),
    listen: Port,
    port: z.string(),
    host: z.string().nullable(),
    drainSeconds: z.number(),
  }),
  /** Scripts of the bundle tell a load balancer outside to stop sending requests here, and to send them again. */
  z.object({ mode: z.literal("hooks"), drain: RelativePath, undrain: RelativePath }),
]);
export type RenderedRoute = z.infer<typeof RenderedRoute>;

/**
 * One application as one environment will run it: overlay merged, `${version}` and `${commit}` filled in, artifacts
 * pinned. Frozen by content hash; a rollback sends these bytes again. `${port.x}`, `${os}`, `${arch}` and `${env.X}`
 * are left for the agent, which alone knows them.
 */
export const RenderedSpec = z.object({
  application: z.string(),
  runtime: z.discriminatedUnion("mode", [
    z.object({ mode: z.literal("binary"), ...BinaryRuntime.shape }),
    z.object({ mode: z.literal("docker"), ...DockerRuntime.shape }),
    z.object({ mode: z.literal("script"), ...ScriptRuntime.shape }),
    /** A mock environment runs nothing: `script` says what to play. */
    z.object({ mode: z.literal("mock"), script: MockScript }),
  ]),
  artifacts: z.record(z.string(), PinnedArtifact),
  /** A tar of the `bundle` files, at their repository paths inside the release folder. */
  bundle: z.object({ sha256: z.string(), size: z.number() }).nullable(),
  env: z.record(z.string(), z.string()),
  /** Names only; the values travel sealed. */
  secrets: z.array(z.string()),
  files: z.array(z.object({ from: z.string(), to: z.string(), mode: z.string().optional() })),
  health: z.array(HealthCheck),
  minTimeSeconds: z.number(),
  deadlineSeconds: z.number(),
  keepReleases: z.number(),
  // What follows came later: documents that were frozen before have none of it, and mean this by it.
  route: RenderedRoute.default({ mode: "none" }),
  /** Seconds after the switch in which a release that turns bad is taken back by itself. */
  watchAfterSeconds: z.number().default(0),
  drift: z.object({ mode: z.enum(["report", "heal", "ignore"]), ignore: z.array(z.string()) })
    .default({ mode: "report", ignore: [] }),
});
export type RenderedSpec = z.infer<typeof RenderedSpec>;

/**
 * `deploy` is the whole way of a release to one place; where something lies between its parts (a hook before the switch, a
 * blue-green release), it is asked for in parts: `prepare` starts it beside the one that serves, `switch` sends requests
 * to it, `finish` ends the old one. `hook` and `gate` run one script of the bundle and deploy nothing.
 */
export const ACTIONS = ["deploy", "prepare", "switch", "finish", "remove", "hook", "gate"] as const;
export type Action = (typeof ACTIONS)[number];
/** Actions that agents of protocol 2 know. */
export const FIRST_ACTIONS: readonly Action[] = ["deploy", "remove"];

export const HOOK_NAMES = ["preDeploy", "preSwitch", "postDeploy", "onRollback", "onFailure"] as const;
export type HookName = (typeof HOOK_NAMES)[number];

export const Operation = z.object({
  /** Which operator: `mock`, `pm`, ... */
  kind: z.string(),
  action: z.enum(ACTIONS),
  /** Of a `switch`: the old release goes on running until `finish`, or until somebody switches back. Without it, it ends. */
  hold: z.boolean().optional(),
  /** Of a `hook`. Its own timeout is `timeoutSeconds`. */
  hook: z.object({ name: z.enum(HOOK_NAMES), run: RelativePath }).optional(),
  /** Of a `gate`: measured every so often for so long (0: once); the first exit code that is not 0 fails it. */
  gate: z.object({
    run: RelativePath,
    everySeconds: z.number(),
    forSeconds: z.number(),
    /** Of one measurement; ten minutes without it. `timeoutSeconds` counts for all of them together. */
    timeoutSeconds: z.number().optional(),
  }).optional(),
  isRollback: z.boolean(),
  deploymentId: z.string(),
  applicationId: z.string(),
  app: z.string(),
  versionId: z.string(),
  version: z.string(),
  commit: z.string().nullable(),
  environmentId: z.string(),
  environment: z.string(),
  /** The machine it is for; null when any agent of the environment may do it. */
  target: z.object({ id: z.string(), name: z.string() }).nullable(),
  /** Seconds one attempt may take; null means as long as it renews. */
  timeoutSeconds: z.number().nullable(),
  /** Grows with every deployment started on this application and environment: an older one never lands after a newer. */
  generation: z.number(),
  /** Apply it anew, from fresh files, also where this very release runs: what runs is not what it was. */
  reapply: z.boolean().optional(),
  /** null when action is `remove`. */
  spec: RenderedSpec.nullable(),
});
export type Operation = z.infer<typeof Operation>;

/** `details.measurements` of a script gate's outcome: one run of it. */
export const ScriptMeasurement = z.object({
  at: z.iso.datetime({ offset: true }),
  ok: z.boolean(),
  /** The first line that it printed, where that is a number. */
  value: z.number().optional(),
  note: z.string(),
});

/** How a task ended, in the agent's words. */
export const Outcome = z.object({
  status: z.enum(["success", "failed", "cancelled"]),
  /** A sentence a person can act on. */
  message: z.string().max(8192),
  /** Stable, dotted: `health.deadline`, `process.exited`, `artifact.sha256`, `agent.shutdown`, ... */
  code: z.string().default(""),
  /** A failure that another attempt may mend: a network that was away, an agent that stopped. */
  retryable: z.boolean().default(false),
  /** Of a failed deploy: the last lines that the application itself printed, at most 200. */
  lastLines: z.array(z.string()).max(200).default([]),
  /** What now runs, for the environment's picture: release, ports, pid, whether the old release was brought back. */
  details: z.record(z.string(), z.unknown()).default({}),
});
export type Outcome = z.infer<typeof Outcome>;
export type OutcomeInput = z.input<typeof Outcome>;
