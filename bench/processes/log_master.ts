/** The product's master around one task at a time whose log is measured: scheduler, gateway and the whole API. */
import { createApp } from "../../api/create_app.ts";
import { createMemoryLimiter } from "../../api/middleware/rate_limit.ts";
import { makeSecretText, sha256 } from "../../api/secret_text.ts";
import { listen } from "../../compose/http_server.ts";
import { readMasterId } from "../../compose/open_database.ts";
import { freezeDocument } from "../../db/blobs/freeze_document.ts";
import { openClient } from "../../db/client.ts";
import type { ConnectionTarget } from "../../db/client.ts";
import { joinHints } from "../../db/listen.ts";
import { createRecentLogs } from "../../db/logs/recent_logs.ts";
import { putSecret } from "../../db/secrets/put_secret.ts";
import { createVault } from "../../db/secrets/vault.ts";
import { createToken } from "../../db/tokens/create_token.ts";
import { ensureFirstAdmin } from "../../db/users/ensure_first_admin.ts";
import type { Logger } from "../../domain/ports.ts";
import { chance } from "../../host/chance.ts";
import { createClock } from "../../host/clock.ts";
import { newId } from "../../host/new_id.ts";
import { stagePlanners } from "../../operators/registry.ts";
import { soleLeader } from "../../scheduler/leadership.ts";
import { createScheduler } from "../../scheduler/scheduler.ts";
import type { SchedulerDeps } from "../../scheduler/deps.ts";
import { answerCalls } from "../support/child.ts";
import { actor, openRelease, seedWorld } from "../support/release.ts";
import type { World } from "../support/release.ts";
import { residentMiB } from "../support/usage.ts";

const clock = createClock();
const logger: Logger = {
  log: (level, message, context) => {
    if (level === "WARN" || level === "ERROR") console.error(`master: ${message}`, JSON.stringify(context ?? {}));
  },
};
const SECRET = "a-password-that-never-occurs";
let deps: SchedulerDeps;
let world: World;
let close = async () => {};

async function open({ target }: { target: ConnectionTarget }) {
  const sql = openClient(target, { max: 12, applicationName: "boreas-master" });
  const db = { sql, newId, recentLogs: createRecentLogs() };
  const masterId = await readMasterId(db);
  const key = new Uint8Array(32).fill(9);
  deps = {
    db,
    hints: await joinHints(sql, { clock, logger, processId: newId(), listen: true }),
    vault: await createVault(new Uint8Array(32).fill(7)),
    clock,
    chance,
    logger,
    leadership: soleLeader,
    crashPoint: () => {},
    planners: stagePlanners,
    masterId,
    blobTicketKey: key,
    leaseSeconds: 30,
    sweepSeconds: 5,
    restartGraceSeconds: 60,
  };
  world = await seedWorld(db, { systems: 1, environments: 1, applications: 1, machines: 1 });
  await addSecret();
  await ensureFirstAdmin(db, "a long password");
  const [admin] = await sql<{ id: string }[]>`select id from app_user limit 1`;
  const viewer = makeSecretText("bor_");
  const token = { userId: admin!.id, name: "viewer", role: "viewer", hash: await sha256(viewer) } as const;
  await createToken(db, token, { ...actor, userId: admin!.id });
  const shutdown = new AbortController();
  const app = createApp({
    ...deps,
    keys: { jwt: key, blobTicket: key },
    publicUrl: "http://127.0.0.1",
    limiter: createMemoryLimiter(clock),
    secureCookies: false,
    allowFileRepositories: false,
    ready: () => Promise.reject(new Error("nobody asks")),
    metrics: () => "",
    webFile: () => Promise.resolve(undefined),
    checkOutgoing: () => Promise.resolve([]),
    productVersion: "bench",
    shutdown: shutdown.signal,
  });
  const scheduler = createScheduler(deps);
  scheduler.start();
  const listening = await listen({
    port: 0,
    host: "127.0.0.1",
    fetch: app.fetch,
    gateway: scheduler.gateway,
    clock,
    portVariable: "BOREAS_PORT",
  });
  close = async () => {
    shutdown.abort();
    await scheduler.stop();
    await listening.close();
    await sql.end({ timeout: 5 });
  };
  return { port: listening.port, token: world.token, viewer };
}

/** What is masked has to be looked for. */
async function addSecret() {
  await putSecret(deps, { name: "DB_PASSWORD", environmentId: null, applicationId: null, value: SECRET }, actor);
  await deps.db.sql.begin(async (tx) => {
    const document = await freezeDocument(tx, {
      apiVersion: "boreas/v1",
      kind: "Application",
      name: "s0-a0",
      runtime: { script: { deploy: "ops/deploy.sh" } },
      config: { secrets: ["DB_PASSWORD"] },
    });
    await tx`update version_app set document_sha256 = ${document}`;
  });
}

/** @returns the one task that an agent will run */
async function openTask(): Promise<string> {
  const [deploymentId] = await openRelease(deps, world);
  deps.hints.announce("tasks");
  const [task] = await deps.db.sql<{ id: string }[]>`
    select id from task where deployment_id = ${deploymentId!} and is_leaf order by id limit 1`;
  return task!.id;
}

await answerCalls({
  open,
  openTask,
  stored: async (taskId: string) =>
    (await deps.db.sql`select bytes from log_head where task_id = ${taskId}`)[0]?.bytes ?? 0,
  resident: () => residentMiB(Deno.pid),
  close: () => close(),
});
