/** How an agent replaces itself: the place it was installed to, its notes, and `boreas agent watch`. */
import { createUpgrader } from "../agents/upgrade/upgrader.ts";
import type { Upgrader } from "../agents/upgrade/upgrader.ts";
import { watchUpgrade } from "../agents/upgrade/watch_upgrade.ts";
import type { Clock, Logger } from "../domain/ports.ts";
import { BUNDLE, createAgentVersions, findVersions, LAUNCHER } from "../host/agent_versions.ts";
import { createClock } from "../host/clock.ts";
import { createLogger } from "../host/logger.ts";
import type { MasterAddress } from "../host/master_address.ts";
import { createUpgradeNotes } from "../host/upgrade_notes.ts";
import { findOwnUnit, removeWatcherUnit, restartAgent, startWatcher } from "../host/watcher_unit.ts";
import { readCrashPoint } from "./crash_point.ts";
import { stateDirOf } from "./agent_enrollment.ts";
import { whole } from "./settings.ts";
import type { Env } from "./settings.ts";

/** A supervisor that reads it knows that nothing is wrong: another version is to be started. */
export const RESTART_CODE = 75;
/** With the time that fetching the link back and a start take, the old version runs again within two minutes. */
const WATCH_SECONDS = 100;
/** What the new version and its watcher are told: where everything is, never a token. */
const PASSED_ON = [
  ...[
    "BOREAS_AGENT_CONFIG",
    "BOREAS_URL",
    "BOREAS_CA_FINGERPRINT",
    "BOREAS_STATE_DIR",
    "BOREAS_WATCH_SECONDS",
    "BOREAS_RUNTIME",
  ],
  ...["BOREAS_LOG_LEVEL", "BOREAS_LOG_FORMAT", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"],
  ...["PATH", "HOME", "LANG", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "DENO_DIR"],
];

export interface AgentUpgrade {
  upgrader: Upgrader;
  /** For the facts that the master is told. */
  installed: boolean;
}

export async function createAgentUpgrade(
  given: Env,
  parts: {
    env: Env;
    version: string;
    address: MasterAddress;
    clock: Clock;
    logger: Logger;
    facts: { os: string; arch: string };
    restart(): void;
  },
): Promise<AgentUpgrade> {
  const { env, version, address, clock, logger, facts, restart } = parts;
  const stateDir = stateDirOf(env);
  const versions = await findVersions(Deno.mainModule);
  const notes = createUpgradeNotes(stateDir);
  const unit = versions ? await findOwnUnit() : undefined;
  const passed = Object.fromEntries(
    PASSED_ON.flatMap((name) => given(name) === undefined ? [] : [[name, given(name)!]]),
  );
  const place = versions && {
    ...createAgentVersions({ root: versions.root, address, env: passed, os: facts.os, arch: facts.arch }),
    startWatcher: (plan: { to: string }) =>
      startWatcher({
        command: `${versions.root}/${plan.to}/${LAUNCHER}`,
        env: { ...passed, BOREAS_STATE_DIR: stateDir, ...(unit ? { BOREAS_WATCH_UNIT: unit } : {}) },
        unit,
        stateDir,
      }),
  };
  const upgrader = createUpgrader({
    version: versions?.version ?? version,
    notes,
    place,
    restart,
    clock,
    logger,
    crashPoint: readCrashPoint(env),
  });
  return { upgrader, installed: place !== undefined };
}

/** `boreas agent watch`: started by an upgrade, never by a person. */
export async function runAgentWatch(env: Env): Promise<number> {
  const clock = createClock();
  const logger = createLogger({
    service: "agent-watch",
    level: env("BOREAS_LOG_LEVEL"),
    format: env("BOREAS_LOG_FORMAT"),
    isTerminal: Deno.stderr.isTerminal(),
    clock,
  });
  const versions = await findVersions(Deno.mainModule);
  if (!versions) throw new Error("The watcher runs only where the install line has put it.");
  const stateDir = stateDirOf(env);
  const unit = env("BOREAS_WATCH_UNIT") || undefined;
  const outcome = await watchUpgrade({
    notes: createUpgradeNotes(stateDir),
    place: createAgentVersions({
      root: versions.root,
      address: { url: new URL("http://localhost"), ca: undefined, proxy: undefined },
      env: {},
      os: "",
      arch: "",
    }),
    restartAgent: () => restartAgent(unit, `${versions.root}/${versions.version}/${BUNDLE}`),
    patienceMs: 1000 * whole(env, "BOREAS_WATCH_SECONDS", WATCH_SECONDS, 1, 3600),
    clock,
    logger,
  });
  logger.log("INFO", "The watch is over.", { outcome });
  if (unit) await removeWatcherUnit();
  return 0;
}
