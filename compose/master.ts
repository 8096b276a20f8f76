/**
 * `boreas start`: the whole product in one process, but for the agent of this machine. `boreas api` and
 * `boreas scheduler` are its halves over one database server: REST, live events, webhooks and dashboard here, the
 * agents' connections and the loops there.
 *
 *   settings -> folder locked, database up and migrated -> keys -> scheduler -> embedded operators -> listening -> ready
 *   SIGTERM: no new leases, loops end, sockets closed with 1012 -> listening ends -> database stopped -> folder free
 */
import { hostname } from "node:os";
import { createApp } from "../api/create_app.ts";
import { createMemoryLimiter, createRedisLimiter } from "../api/middleware/rate_limit.ts";
import { reasonsZh } from "../web/i18n/reasons_zh.ts";
import { resignLead, takeLead } from "../db/leader/take_lead.ts";
import { joinHints } from "../db/listen.ts";
import { resealAll } from "../db/secrets/reseal.ts";
import { createVault, deriveKey } from "../db/secrets/vault.ts";
import { ensureFirstAdmin } from "../db/users/ensure_first_admin.ts";
import type { Clock, Logger } from "../domain/ports.ts";
import { chance } from "../host/chance.ts";
import { createClock } from "../host/clock.ts";
import { createSecretSources } from "../host/secret_sources.ts";
import { createLogger } from "../host/logger.ts";
import { stagePlanners } from "../operators/registry.ts";
import type { Loop } from "../scheduler/loop.ts";
import { createRetentionLoop } from "../scheduler/retention_loop.ts";
import { createCandidate } from "../scheduler/candidate.ts";
import type { Candidate } from "../scheduler/candidate.ts";
import { pingSeconds } from "../protocol/agent_messages.ts";
import { createScheduler } from "../scheduler/scheduler.ts";
import type { Scheduler } from "../scheduler/scheduler.ts";
import type { SchedulerDeps } from "../scheduler/deps.ts";
import type { Gitops } from "../scheduler/gitops/create_gitops.ts";
import { readAgentFiles } from "./agent_files.ts";
import { loadSecretKey, writeSecretFile } from "./data_folder.ts";
import { startEmbeddedAgents } from "./embedded_agents.ts";
import { createGitopsParts } from "./gitops_parts.ts";
import { listen } from "./http_server.ts";
import type { Listening } from "./http_server.ts";
import { offerLocalToken } from "./local_agent.ts";
import { createMetrics } from "./metrics.ts";
import { loadReleaseKey } from "./release_key.ts";
import { checkSecretKey, openDatabase, readMasterId } from "./open_database.ts";
import type { OpenedDatabase } from "./open_database.ts";
import { openRedis } from "./open_redis.ts";
import { PRODUCT_VERSION } from "./product_version.ts";
import { readReadiness } from "./readiness.ts";
import { readSettings } from "./settings.ts";
import type { Env, Settings } from "./settings.ts";
import { onStopSignals } from "./stop_signals.ts";
import { createNotifier } from "./notify_parts.ts";
import { openTls } from "./tls.ts";
import { readWebFiles } from "./web_files.ts";

export type MasterForm = "start" | "api" | "scheduler";
/** What the scheduler's own port answers, besides the agents' connections. */
const PROBES = ["/v1/health", "/v1/ready", "/metrics"];

/** A supervisor sends KILL after some time; this comes first, and says so. */
const STOP_MS = 20_000;
/** How long a master that vanished may still hold the lead. */
const LEAD_SECONDS = 15;

export async function runMaster(env: Env, form: MasterForm): Promise<number> {
  const terminal = Deno.stderr.isTerminal();
  const settings = readSettings(env, terminal);
  if (form !== "start" && !settings.databaseUrl) {
    throw new Error(
      `"boreas ${form}" is one of several processes on one database: set DATABASE_URL, or run "boreas start".`,
    );
  }
  const clock = createClock();
  const logger = createLogger({
    service: form === "start" ? "master" : form,
    level: settings.logLevel,
    format: settings.logFormat,
    isTerminal: terminal,
    clock,
  });
  const say = (sentence: string) => console.log(sentence);
  const stop = onStopSignals();
  await requireGit();
  const db = await openDatabase(settings, say);
  const undo: (() => Promise<unknown> | void)[] = [() => db.close()];
  try {
    await startParts({ env, form, settings, clock, logger, say, db, undo });
    await stop.first;
    logger.log("INFO", "stopping: no new leases from now on");
    return 0;
  } finally {
    // What waits is durable and goes on after the next start; a process that will not end helps nobody.
    const last = clock.after(STOP_MS, () => {
      logger.log("ERROR", "did not stop in time and leaves as it is", { milliseconds: STOP_MS });
      Deno.exit(1);
    });
    for (const step of undo.reverse()) {
      try {
        await step();
      } catch (error: unknown) {
        logger.log("ERROR", "a part did not stop cleanly", { error: String(error) });
      }
    }
    last.cancel();
    logger.log("INFO", "stopped");
  }
}

/** Said at the start, where a person is looking, and not at the first push. */
async function requireGit(): Promise<void> {
  try {
    await new Deno.Command("git", { args: ["--version"], stdin: "null", stdout: "null", stderr: "null" }).output();
  } catch (error: unknown) {
    if (!(error instanceof Deno.errors.NotFound) && !(error instanceof Deno.errors.NotCapable)) throw error;
    throw new Error("Git is not installed: Boreas fetches repositories with it. Install git, then start again.", {
      cause: error,
    });
  }
}

interface Parts {
  env: Env;
  form: MasterForm;
  settings: Settings;
  clock: Clock;
  logger: Logger;
  say: (sentence: string) => void;
  db: OpenedDatabase;
  /** What to do at the end, in reverse. */
  undo: (() => Promise<unknown> | void)[];
}

async function startParts(parts: Parts): Promise<void> {
  const { env, form, settings, clock, logger, say, db, undo } = parts;
  const secretKey = await loadSecretKey(settings.dataDir, settings.secretKey);
  const vault = await createVault(secretKey, settings.previousSecretKey);
  await checkSecretKey(db, vault);
  if (settings.previousSecretKey) {
    const count = await resealAll(db, vault);
    say(`${count} values were sealed anew with BOREAS_SECRET_KEY; leave BOREAS_SECRET_KEY_PREVIOUS out from now on.`);
  }
  const [jwt, blobTicket] = await Promise.all([
    deriveKey(secretKey, "boreas.jwt.v1", 32),
    deriveKey(secretKey, "boreas.blob_ticket.v1", 32),
  ]);
  const masterId = await readMasterId(db);
  const release = await loadReleaseKey(db, vault);
  const processId = db.newId();
  const hints = await joinHints(db.sql, { clock, logger, processId, listen: db.listens });
  undo.push(() => hints.close());
  if (!db.listens) {
    const why = settings.pooler
      ? "behind a transaction pooler LISTEN cannot work"
      : "LISTEN does not work on this DATABASE_URL, as behind a transaction pooler (set BOREAS_DATABASE_POOLER=1, or give an address of PostgreSQL itself)";
    logger.log("WARN", `${why}: other processes are heard by sweeping only`);
  }
  const crashPoint = (name: string) => {
    if (settings.crashAt === name) Deno.exit(70);
  };
  db.crashPoint = crashPoint;
  const leadership = createCandidate({
    take: (ttlSeconds) => takeLead(db, processId, ttlSeconds),
    resign: (term) => resignLead(db, processId, term),
    ttlSeconds: Math.min(LEAD_SECONDS, Math.max(2, settings.leaseSeconds / 2)),
    clock,
    logger,
  });
  const schedulerDeps: SchedulerDeps = {
    db,
    leadership,
    hints,
    vault,
    secretSources: createSecretSources({ env, folder: settings.secretFiles }),
    clock,
    logger,
    planners: stagePlanners,
    chance,
    crashPoint,
    masterId,
    blobTicketKey: blobTicket,
    releaseKey: release.publicKey,
    logCapBytes: settings.logCapBytes,
    leaseSeconds: settings.leaseSeconds,
    sweepSeconds: settings.sweepSeconds,
    restartGraceSeconds: settings.restartGraceSeconds,
    agentKeyDays: settings.agentKeyDays,
  };
  const scheduler = createScheduler(schedulerDeps);
  const gitops = createGitopsParts(env, settings, schedulerDeps);
  const redis = openRedis(settings, logger);
  const web = await readWebFiles(new URL("../.build/web", import.meta.url).pathname);
  const agentFiles = await readAgentFiles(new URL("..", import.meta.url).pathname);
  const tls = await openTls(settings, clock);
  const shutdown = new AbortController();
  const app = createApp({
    db,
    hints,
    vault,
    clock,
    logger,
    planners: stagePlanners,
    reasonsZh,
    keys: { jwt, blobTicket },
    masterId,
    release,
    publicUrl: settings.publicUrl,
    limiter: redis ? createRedisLimiter(redis.client, { clock, logger }) : createMemoryLimiter(clock),
    secureCookies: settings.publicUrl.startsWith("https://"),
    allowFileRepositories: settings.allowFileRepositories,
    checkOutgoing: gitops.checkOutgoing,
    ...(redis ? { recentDeliveries: redis.recentDeliveries } : {}),
    ready: () =>
      readReadiness({
        db,
        kind: db.kind,
        clock,
        redis: redis?.client ?? null,
        scheduler: form !== "api",
        web: web.size > 0,
        sweepSeconds: settings.sweepSeconds,
      }),
    metrics: createMetrics({ productVersion: PRODUCT_VERSION, stats: scheduler.stats, leadership }),
    ...(agentFiles ? { agentFiles } : {}),
    webFile: (path) => Promise.resolve(web.get(path)),
    productVersion: PRODUCT_VERSION,
    shutdown: shutdown.signal,
    caCertificate: tls?.ownCa,
  });

  await createAdmin(parts);
  const retention = createRetentionLoop({ ...schedulerDeps, retention: settings.retention });
  if (form !== "api") {
    const notifier = createNotifier(env, settings, schedulerDeps, gitops.checkOutgoing);
    await startDriving(parts, { scheduler, gitops, leadership, loops: [retention, notifier] });
  }
  if (form === "start") await offerLocalToken({ db, hints }, settings.dataDir);
  const listening: Listening[] = [];
  undo.push(() => {
    shutdown.abort();
    return Promise.all(listening.map((l) => l.close()));
  });
  const gateway = form === "api" ? undefined : scheduler.gateway;
  // First of all, so that nothing is handed to agents whose sockets are about to close. Stopping twice does no harm.
  if (gateway) undo.push(() => scheduler.stop());
  const fetch = form === "scheduler" ? onlyBelow(PROBES, app.fetch) : app.fetch;
  const common = { host: settings.listen, tls, clock };
  listening.push(
    await listen({
      ...common,
      port: settings.port,
      fetch,
      gateway,
      pingSeconds: pingSeconds(settings.leaseSeconds),
      portVariable: "BOREAS_PORT",
    }),
  );
  if (settings.webhookPort && form !== "scheduler") {
    const hooks = onlyBelow(["/webhook/"], app.fetch);
    listening.push(
      await listen({ ...common, port: settings.webhookPort, fetch: hooks, portVariable: "BOREAS_WEBHOOK_PORT" }),
    );
  }
  say(`Boreas is ready at ${settings.publicUrl}`);
  if (tls?.fingerprint) say(`Its certificate authority has the SHA-256 fingerprint ${tls.fingerprint}`);
  logger.log("INFO", "ready", { url: settings.publicUrl, port: settings.port, database: db.kind, form });
}

interface Driving {
  scheduler: Scheduler;
  gitops: Gitops;
  leadership: Candidate;
  loops: Loop[];
}

/** The loops, and the operators that live inside this process. */
async function startDriving(
  { settings, clock, logger, db, undo }: Parts,
  { scheduler, gitops, leadership, loops }: Driving,
): Promise<void> {
  leadership.start();
  // Given back when every loop that leads has ended.
  undo.push(() => leadership.stop());
  scheduler.start();
  undo.push(() => scheduler.stop());
  gitops.start();
  undo.push(() => gitops.stop());
  for (const loop of loops) {
    loop.start();
    undo.push(() => loop.stop());
  }
  const agents = await startEmbeddedAgents({
    kinds: settings.operators,
    masterName: `${hostname()}-${settings.port}`,
    db,
    gateway: scheduler.gateway,
    clock,
    chance,
    logger,
    productVersion: PRODUCT_VERSION,
  });
  undo.push(() => Promise.all(agents.map((agent) => agent.stop({ drain: false }))));
}

type Fetch = ReturnType<typeof createApp>["fetch"];
/** The same app with everything else out of reach. */
function onlyBelow(paths: readonly string[], fetch: Fetch): Fetch {
  return (request, env) => {
    const { pathname } = new URL(request.url);
    if (paths.some((path) => pathname.startsWith(path))) return fetch(request, env);
    return new Response(`Not here: this port answers ${paths.join(", ")} only.\n`, { status: 404 });
  };
}

async function createAdmin({ db, settings, say }: Pick<Parts, "db" | "settings" | "say">): Promise<void> {
  let generated: string | undefined;
  const created = await ensureFirstAdmin(db, () => {
    if (settings.adminPassword) return settings.adminPassword;
    generated = btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(15)))).replaceAll("+", "-")
      .replaceAll("/", "_");
    return generated;
  });
  if (!created) return;
  if (!generated) return say("Sign in as admin with the password of BOREAS_ADMIN_PASSWORD.");
  await writeSecretFile(`${settings.dataDir}/admin.password`, generated);
  say(`Sign in as admin with the password ${generated} (kept in ${settings.dataDir}/admin.password; shown this once).`);
}
