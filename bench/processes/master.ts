/**
 * The scheduler's process: real scheduler, real gateway behind the product's own HTTP server, put together as
 * `compose/master.ts` does it. Called by the bench over its standard streams.
 */
import { listen } from "../../compose/http_server.ts";
import { readMasterId } from "../../compose/open_database.ts";
import { openClient } from "../../db/client.ts";
import type { ConnectionTarget } from "../../db/client.ts";
import { joinHints } from "../../db/listen.ts";
import { createVault } from "../../db/secrets/vault.ts";
import type { Logger } from "../../domain/ports.ts";
import { chance } from "../../host/chance.ts";
import { createClock } from "../../host/clock.ts";
import { newId } from "../../host/new_id.ts";
import { stagePlanners } from "../../operators/registry.ts";
import { soleLeader } from "../../scheduler/leadership.ts";
import { createScheduler } from "../../scheduler/scheduler.ts";
import type { SchedulerDeps } from "../../scheduler/deps.ts";
import { answerCalls } from "../support/child.ts";
import type { MasterParts } from "../support/master_parts.ts";
import { openRelease, seedWorld } from "../support/release.ts";
import type { ReleaseSize } from "../support/release.ts";
import { measureChain, measureFanOut, measureLatency, prepareGraph, prepareHistory } from "../support/shapes.ts";
import { explainVerbs } from "../support/explain.ts";
import { noteAccepted } from "../support/note_accepted.ts";

const clock = createClock();
const logger: Logger = {
  log: (level, message, context) => {
    if (level === "WARN" || level === "ERROR") console.error(`master: ${message}`, JSON.stringify(context ?? {}));
  },
};
let running: MasterParts | undefined;
const present = (): MasterParts => {
  if (!running) throw new Error("open it first");
  return running;
};

async function open({ target, size, leaseSeconds = 30 }: {
  target: ConnectionTarget;
  size: ReleaseSize;
  leaseSeconds?: number;
}) {
  const sql = openClient(target, { max: 12, applicationName: "boreas-master" });
  const taskSql = openClient(target, { max: 4, applicationName: "boreas-tasks", plansOnce: true });
  const db = { sql, taskSql, newId };
  const deps: SchedulerDeps = {
    db,
    hints: await joinHints(sql, { clock, logger, processId: newId(), listen: true }),
    vault: await createVault(new Uint8Array(32).fill(7)),
    clock,
    chance,
    logger,
    leadership: soleLeader,
    crashPoint: () => {},
    planners: stagePlanners,
    masterId: await readMasterId(db),
    blobTicketKey: new Uint8Array(32).fill(9),
    leaseSeconds,
    sweepSeconds: 5,
    restartGraceSeconds: 60,
  };
  const world = await seedWorld(db, size);
  const scheduler = createScheduler(deps);
  scheduler.start();
  const noted = noteAccepted(scheduler.gateway);
  const listening = await listen({
    port: 0,
    host: "127.0.0.1",
    fetch: () => new Response("nothing here", { status: 404 }),
    gateway: noted.gateway,
    clock,
    portVariable: "BOREAS_PORT",
  });
  running = { deps, scheduler, listening, world, onAccepted: noted.onAccepted };
  return { port: listening.port, token: world.token };
}

/**
 * Holds all work back, or lets it go. No person could do that to agents that work is planned for: a cordoned one is
 * planned around. So claims come to nothing for as long as a trigger stands there, which costs nothing once it is gone.
 */
async function holdBack(held: boolean) {
  const { sql } = present().deps.db;
  if (held) {
    await sql`create or replace function bench_hold() returns trigger language plpgsql as 'begin return null; end'`;
    await sql`create or replace trigger bench_hold before update of state on task for each row
      when (new.state = 'leased') execute function bench_hold()`;
  } else await letGo();
}

/** @returns the instant from which work goes out: whoever looks after the table is waited for before it */
async function letGo(): Promise<string> {
  const { db, hints } = present().deps;
  const at = await db.sql.begin(async (tx) => {
    await tx`drop trigger if exists bench_hold on task`;
    const [row] = await tx<{ at: string }[]>`select boreas_now()::text as at`;
    return row!.at;
  });
  hints.announce("tasks");
  return at;
}

/** The clock runs from before the agents are let go until the last deployment has ended in the database. */
async function runRelease(ids: string[]) {
  const { deps } = present();
  const { sql } = deps.db;
  const at = await letGo();
  while (true) {
    const [left] = await sql<{ open: number; wrong: number; seconds: number }[]>`
      select count(*) filter (where status = 'running')::int as open,
        count(*) filter (where status not in ('running', 'completed'))::int as wrong,
        extract(epoch from max(completed_at) - ${at}::timestamptz)::float8 as seconds
      from deployment where id = any(${ids}::uuid[])`;
    if (left!.wrong > 0) throw new Error(`${left!.wrong} deployments ended otherwise than completed`);
    if (left!.open === 0) return { seconds: left!.seconds };
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

await answerCalls({
  open,
  stats: () => present().scheduler.stats(),
  hold: () => holdBack(true),
  openRelease: () => openRelease(present().deps, present().world),
  runRelease,
  release: () => holdBack(false),
  prepare: () => prepareGraph(present()),
  plans: (input) => explainVerbs(present(), input),
  latency: (input) => measureLatency(present(), input),
  chain: (input) => measureChain(present(), input),
  fanOut: (input) => measureFanOut(present(), input),
  history: (input) => prepareHistory(present(), input),
  async close() {
    if (!running) return;
    await running.scheduler.stop();
    await running.listening.close();
    await running.deps.db.taskSql?.end({ timeout: 5 });
    await running.deps.db.sql.end({ timeout: 5 });
  },
});
