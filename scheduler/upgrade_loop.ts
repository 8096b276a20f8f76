/**
 * Agents on their way to another version.
 *
 *   driver, on the master that leads: rows in the database --planUpgrade--> who is asked next, who has ended
 *   teller, on every master: who is asked and connected here -> agent.upgrade, once per session; again on its next one
 *
 * A crash leaves the rows: the next leader goes on, and a session that begins anew is told anew. An agent that is at it
 * already passes over what it is told twice.
 */
import { createAside } from "../db/aside.ts";
import { moveUpgrades } from "../db/upgrades/move_upgrades.ts";
import type { UpgradeStore } from "../db/upgrades/upgrade_store.ts";
import type { Session, Sessions } from "./agent_sessions.ts";
import type { CoreDeps, SchedulerDeps } from "./deps.ts";
import { createLoop } from "./loop.ts";
import type { Loop } from "./loop.ts";

/** Between two looks while an upgrade runs; agents that come back wake it by their events. */
const DRIVER_SECONDS = 10;
const REST_SECONDS = 0.5;

export function createUpgradeDriver(deps: SchedulerDeps): Loop {
  const aside = createAside(deps, "an upgrade of agents");
  const loop = createLoop({
    name: "upgrades of agents",
    sweepSeconds: Math.max(DRIVER_SECONDS, deps.sweepSeconds),
    restSeconds: REST_SECONDS,
    onlyLeader: deps.leadership,
    clock: deps.clock,
    logger: deps.logger,
    wokenBy: { hints: deps.hints, topic: "upgrades" },
    async run() {
      if (!await moveUpgrades(deps.db, aside)) return;
      deps.hints.announce("events");
      deps.hints.announce("upgrades");
    },
  });
  return loop;
}

export function createUpgradeTeller(deps: CoreDeps, upgrades: UpgradeStore, sessions: Sessions): Loop {
  const told = new WeakMap<Session, Set<string>>();
  return createLoop({
    name: "telling of upgrades",
    sweepSeconds: Math.max(DRIVER_SECONDS, deps.sweepSeconds),
    restSeconds: REST_SECONDS,
    clock: deps.clock,
    logger: deps.logger,
    wokenBy: { hints: deps.hints, topic: "upgrades" },
    async run() {
      const connected = sessions.all();
      if (connected.length === 0) return;
      for (const asked of await upgrades.readAsked(connected.map((s) => s.agentId))) {
        const session = sessions.byAgent(asked.agentId);
        if (!session) continue;
        const words = told.get(session) ?? new Set();
        told.set(session, words);
        const word = `${asked.upgradeId}:${asked.cancel}`;
        if (words.has(word)) continue;
        words.add(word);
        session.send({
          type: "agent.upgrade",
          id: asked.upgradeId,
          version: asked.version,
          ...(asked.downgrade ? { downgrade: true } : {}),
          ...(asked.cancel ? { cancel: true } : {}),
        });
      }
    },
  });
}
