/** The core and the loops around it, started in order and stopped in reverse. Several may run on one database. */
import { createAside } from "../db/aside.ts";
import { bindEmbedded } from "../db/agents/register_embedded.ts";
import { touchAgents } from "../db/agents/read_agent_identity.ts";
import { noteDrained } from "../db/agents/drain_agent.ts";
import { createIdentityStore } from "../db/agents/identity_store.ts";
import { noteSilentAgents } from "../db/agents/note_silent.ts";
import { sealAudit } from "../db/audit/seal_audit.ts";
import { deleteOldRequests } from "../db/idempotency/finish_request.ts";
import { changeModes } from "../db/agents/change_modes.ts";
import { recordObserved } from "../db/environments/record_observed.ts";
import { failWatches } from "../db/rollouts/fail_watches.ts";
import { createQueryStore } from "../db/queries/query_store.ts";
import { createTaskStore } from "../db/tasks/task_store.ts";
import { createUpgradeStore } from "../db/upgrades/upgrade_store.ts";
import { createCore } from "./core.ts";
import type { Core } from "./core.ts";
import type { SchedulerDeps } from "./deps.ts";
import { createDeadlineLoop } from "./deadline_loop.ts";
import { createDriftLoop } from "./drift_loop.ts";
import { createLoop } from "./loop.ts";
import { createDispatchMaker } from "./prepare_dispatch.ts";
import { createTimerLoop } from "./reap_loop.ts";
import { createRolloutLoop } from "./rollout_loop.ts";
import { createUpgradeDriver } from "./upgrade_loop.ts";

/** Many heartbeats, and longer than any outage that the agents' own masters may have. */
const SILENT_SECONDS = 300;

/** Keys of agents that are older are renewed. */
const KEY_DAYS = 90;

/** Each agent's row is written so often: 5,000 agents are five statements and 5,000 rows in that time. */
const HEARD_SECONDS = 30;

export type Scheduler = Omit<Core, "takeHeard">;

export function createScheduler(deps: SchedulerDeps): Scheduler {
  const core = createCore({
    ...deps,
    store: createTaskStore({ ...deps.db, sql: deps.db.taskSql ?? deps.db.sql }, { logCapBytes: deps.logCapBytes }),
    newId: deps.db.newId,
    identities: createIdentityStore(deps.db, deps.agentKeyDays ?? KEY_DAYS),
    upgrades: createUpgradeStore(deps.db, deps.releaseKey),
    makeDispatch: createDispatchMaker(deps),
    queries: createQueryStore(deps.db),
    changeModes: (agentId, modes) => changeModes(deps.db, agentId, modes),
    async recordObserved(observer, report) {
      const { ignored } = await recordObserved(deps.db, observer, report);
      if (await failWatches(deps.db, observer.agentId, report.observed) > 0) deps.hints.announce("tasks");
      return ignored;
    },
  });
  const common = { sweepSeconds: Math.max(10, deps.sweepSeconds), clock: deps.clock, logger: deps.logger };
  /** Every master notes whom it heard, and not more often than somebody looks. */
  const heartbeats = createLoop({
    ...common,
    sweepSeconds: Math.max(HEARD_SECONDS, deps.sweepSeconds),
    name: "heartbeats",
    run: () => touchAgents(deps.db, core.takeHeard()),
  });
  const parts = createAside(deps, "a part of the upkeep");
  const upkeep = createLoop({
    ...common,
    name: "upkeep",
    onlyLeader: deps.leadership,
    wokenBy: { hints: deps.hints, topic: "agents" },
    async run() {
      await parts.attempt("embedded operators", () => bindEmbedded(deps.db.sql));
      const silent = await parts.attempt("silent agents", () => noteSilentAgents(deps.db, SILENT_SECONDS));
      const drained = await parts.attempt("drained agents", () => noteDrained(deps.db));
      if (silent || drained) deps.hints.announce("events");
      await parts.attempt("old requests", () => deleteOldRequests(deps.db));
      await parts.attempt("audit", () => sealAudit(deps.db));
    },
  });
  const timer = createTimerLoop(deps);
  const loops = [
    timer,
    createDeadlineLoop(deps),
    createRolloutLoop(deps),
    createDriftLoop(deps),
    upkeep,
    heartbeats,
    createUpgradeDriver(deps),
  ];
  let unsubscribe = () => {};

  return {
    gateway: core.gateway,
    start() {
      core.start();
      for (const loop of loops) loop.start();
      unsubscribe = deps.hints.on("tasks", timer.wake);
    },
    async stop() {
      unsubscribe();
      await core.stop();
      for (const loop of [...loops].reverse()) await loop.stop();
    },
    stats: core.stats,
  };
}
