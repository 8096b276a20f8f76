/**
 * `boreas start`: the whole product in one process, but for the agent of this machine.
 *
 *   settings -> folder locked, database up and migrated -> keys -> scheduler -> embedded operators -> listening -> ready
 *   SIGTERM: listening ends -> no new leases, sockets closed with 1012 -> loops end -> database stopped -> folder free
 */
import { hostname } from "node:os";
import { createApp } from "../api/create_app.ts";
import type { ApiDeps } from "../api/deps.ts";
import { createMemoryLimiter, createRedisLimiter } from "../api/middleware/rate_limit.ts";
import { joinHints } from "../db/listen.ts";
import { createVault, deriveKey } from "../db/secrets/vault.ts";
import { ensureFirstAdmin } from "../db/users/ensure_first_admin.ts";
import type { Clock, Logger } from "../domain/ports.ts";
import { chance } from "../host/chance.ts";
import { createClock } from "../host/clock.ts";
import { createLogger } from "../host/logger.ts";
import { stagePlanners } from "../operators/registry.ts";
import { createScheduler } from "../scheduler/scheduler.ts";
import type { SchedulerDeps } from "../scheduler/deps.ts";
import { loadSecretKey, writeSecretFile } from "./data_folder.ts";
import { startEmbeddedAgents } from "./embedded_agents.ts";
import { createGitopsParts } from "./gitops_parts.ts";
import { listen } from "./http_server.ts";
import type { Listening } from "./http_server.ts";
import { offerLocalToken } from "./local_agent.ts";
import { createMetrics } from "./metrics.ts";
import { checkSecretKey, openDatabase, readMasterId } from "./open_database.ts";
import type { OpenedDatabase } from "./open_database.ts";
import { openRedis } from "./open_redis.ts";
import { PRODUCT_VERSION } from "./product_version.ts";
import { readReadiness } from "./readiness.ts";
import { readSettings } from "./settings.ts";
import type { Env, Settings } from "./settings.ts";
import { onStopSignals } from "./stop_signals.ts";
import { openTls } from "./tls.ts";
import { readWebFiles } from "./web_files.ts";

export async function runMaster(env: Env): Promise<number> {
  const terminal = Deno.stderr.isTerminal();
  const settings = readSettings(env, terminal);
  const clock = createClock();
  const logger = createLogger({
    service: "master",
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
    await startParts({ env, settings, clock, logger, say, db, undo });
    await stop.first;
    return 0;
  } finally {
    for (const step of undo.reverse()) {
      try {
        await step();
      } catch (error: unknown) {
        logger.log("ERROR", "a part did not stop cleanly", { error: String(error) });
      }
    }
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
  settings: Settings;
  clock: Clock;
  logger: Logger;
  say: (sentence: string) => void;
  db: OpenedDatabase;
  /** What to do at the end, in reverse. */
  undo: (() => Promise<unknown> | void)[];
}

async function startParts({ env, settings, clock, logger, say, db, undo }: Parts): Promise<void> {
  const secretKey = await loadSecretKey(settings.dataDir, settings.secretKey);
  const vault = await createVault(secretKey);
  await checkSecretKey(db, vault);
  const [jwt, blobTicket] = await Promise.all([
    deriveKey(secretKey, "boreas.jwt.v1", 32),
    deriveKey(secretKey, "boreas.blob_ticket.v1", 32),
  ]);
  const masterId = await readMasterId(db);
  const processId = db.newId();
  const hints = await joinHints(db.sql, { clock, logger, processId, listen: !settings.pooler });
  undo.push(() => hints.close());
  if (settings.pooler) {
    logger.log("WARN", "behind a transaction pooler LISTEN cannot work: other processes are heard by sweeping only");
  }

  const crashPoint = (name: string) => {
    if (settings.crashAt === name) Deno.exit(70);
  };
  const common = { db, hints, vault, clock, logger, planners: stagePlanners };
  const schedulerDeps: SchedulerDeps = {
    ...common,
    chance,
    crashPoint,
    masterId,
    blobTicketKey: blobTicket,
    leaseSeconds: settings.leaseSeconds,
    sweepSeconds: settings.sweepSeconds,
    restartGraceSeconds: settings.restartGraceSeconds,
  };
  const scheduler = createScheduler(schedulerDeps);
  const gitops = createGitopsParts(env, settings, schedulerDeps);

  const redis = openRedis(settings, logger);
  const web = await readWebFiles(new URL("../.build/web", import.meta.url).pathname);
  const tls = await openTls(settings, clock);
  const shutdown = new AbortController();
  const apiDeps: ApiDeps = {
    ...common,
    keys: { jwt, blobTicket },
    masterId,
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
        scheduler: true,
        web: web.size > 0,
        sweepSeconds: settings.sweepSeconds,
      }),
    metrics: createMetrics({ productVersion: PRODUCT_VERSION, sessions: scheduler.stats }),
    webFile: (path) => Promise.resolve(web.get(path)),
    productVersion: PRODUCT_VERSION,
    shutdown: shutdown.signal,
    caCertificate: tls?.ownCa,
  };
  const app = createApp(apiDeps);

  await createAdmin({ db, settings, say });
  await offerLocalToken({ db, hints }, settings.dataDir);
  scheduler.start();
  undo.push(() => scheduler.stop());
  gitops.start();
  undo.push(() => gitops.stop());
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
  const listening: Listening[] = [];
  undo.push(() => {
    shutdown.abort();
    return Promise.all(listening.map((l) => l.close()));
  });
  const main = await listen({
    port: settings.port,
    host: settings.listen,
    tls,
    fetch: app.fetch,
    gateway: scheduler.gateway,
    clock,
    portVariable: "BOREAS_PORT",
  });
  listening.push(main);
  if (settings.webhookPort) {
    const onlyHooks = (request: Request, env: unknown) =>
      new URL(request.url).pathname.startsWith("/webhook/")
        ? app.fetch(request, env as never)
        : new Response("Only webhooks here.\n", { status: 404 });
    listening.push(
      await listen({
        port: settings.webhookPort,
        host: settings.listen,
        tls,
        fetch: onlyHooks,
        clock,
        portVariable: "BOREAS_WEBHOOK_PORT",
      }),
    );
  }
  say(`Boreas is ready at ${settings.publicUrl}`);
  if (tls?.fingerprint) say(`Its certificate authority has the SHA-256 fingerprint ${tls.fingerprint}`);
  logger.log("INFO", "ready", { url: settings.publicUrl, port: main.port, database: db.kind });
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
