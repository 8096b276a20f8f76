/** `boreas agent`: enrols once, then dials the master and runs what it is given. Listens on nothing. */
import { join } from "node:path";
import { createAgent } from "../agents/agent.ts";
import { GATHERED, gatherWrites } from "../agents/gathered_writes.ts";
import { loadIdentity } from "../agents/identity.ts";
import { chance } from "../host/chance.ts";
import { createClock } from "../host/clock.ts";
import { createDialer } from "../host/dial.ts";
import { createDisk } from "../host/disk.ts";
import { createDockerEngine } from "../host/docker_engine.ts";
import { readFacts, readUser } from "../host/facts.ts";
import { createBlobFetcher } from "../host/fetch_blob.ts";
import { createLogger } from "../host/logger.ts";
import { createMachine } from "../host/machine.ts";
import type { Operator } from "../operators/operator.ts";
import type { LocalPolicy } from "./agent_config.ts";
import { createPmOperator } from "../operators/pm/pm_operator.ts";
import type { PmOptions } from "../operators/pm/pm_operator.ts";
import { MAX_FRAME_BYTES, SUBPROTOCOL } from "../protocol/agent_messages.ts";
import { readAgentConfig } from "./agent_config.ts";
import { enrollOnce, findMaster, stateDirOf } from "./agent_enrollment.ts";
import { noteHealth } from "./agent_health.ts";
import { createAgentUpgrade, RESTART_CODE } from "./agent_upgrade.ts";
import { containerModes, watchEngine } from "./container_modes.ts";
import { readCrashPoint } from "./crash_point.ts";
import { createRouter } from "./machine_router.ts";
import { PRODUCT_VERSION } from "./product_version.ts";
import { whole } from "./settings.ts";
import type { Env } from "./settings.ts";
import { onStopSignals } from "./stop_signals.ts";

/** What an agent of a machine runs work with. */
export const machineOperators = (parts: Omit<PmOptions, "machine">): Operator[] => [
  createPmOperator({ machine: createMachine(), router: createRouter(parts.root, parts.logger), ...parts }),
];

const isAllowed = (policy: LocalPolicy | undefined, mode: string) =>
  policy?.modes.some((allowed) => allowed === mode) ?? true;

/** Whom it enrols as, and the kind of operator that it names at each hello. */
export interface Role {
  token: "agent" | "operator";
  kind: string;
}

/** @param makeOperators other hands than those of a machine: for whoever builds an agent of their own */
export async function runAgent(
  given: Env,
  makeOperators = machineOperators,
  role: Role = { token: "agent", kind: "pm" },
): Promise<number> {
  const { env, policy } = await readAgentConfig(given);
  const clock = createClock();
  const logger = createLogger({
    service: "agent",
    level: env("BOREAS_LOG_LEVEL"),
    format: env("BOREAS_LOG_FORMAT"),
    isTerminal: Deno.stderr.isTerminal(),
    clock,
  });
  const stateDir = stateDirOf(env);
  const slots = Math.min(whole(env, "BOREAS_SLOTS", 8, 1, 1000), policy?.maxSlots ?? Infinity);
  const spoolBytes = whole(env, "BOREAS_SPOOL_BYTES", 256 * 1024 * 1024, 1024 * 1024, Number.MAX_SAFE_INTEGER);
  const files = await createDisk(stateDir);
  const disk = await gatherWrites(files, GATHERED);
  const engine = createDockerEngine(env("DOCKER_HOST"));
  const facts = await readFacts([...await containerModes(engine), "binary", "script"]);
  const address = await findMaster(env);
  const identity = await loadIdentity(disk) ??
    await enrollOnce(env, { stateDir, disk, facts, address, logger }, role.token);
  let revoked: string | undefined;
  let isReplaced = false;
  const { upgrader, installed } = await createAgentUpgrade(given, {
    env,
    version: PRODUCT_VERSION,
    address,
    clock,
    logger,
    facts,
    restart() {
      isReplaced = true;
      stop.now();
    },
  });
  if (!await upgrader.begin()) return RESTART_CODE;
  const told = { ...facts, modes: facts.modes.filter((mode) => isAllowed(policy, mode)), policy, installed };
  const agent = createAgent({
    identity,
    kind: role.kind,
    versions: { boreas: PRODUCT_VERSION },
    slots,
    operators: makeOperators({
      clock,
      logger,
      root: join(stateDir, "apps"),
      node: { name: identity.name },
      engine,
      policy,
      user: readUser(),
    }),
    dialer: createDialer(address, { subprotocol: SUBPROTOCOL, maxFrameBytes: MAX_FRAME_BYTES }),
    clock,
    disk,
    logger,
    chance,
    facts: told,
    upgrader,
    fetchBlob: createBlobFetcher(address, join(stateDir, "cache")),
    spoolBytes,
    crashPoint: readCrashPoint(env),
    onRevoked(why) {
      revoked = why;
      stop.now();
    },
  });
  const stop = onStopSignals();
  await agent.start();
  const endNotes = noteHealth(stateDir, { clock, logger }, agent.status);
  const endWatch = isAllowed(policy, "docker")
    ? watchEngine(engine, told.modes, { clock, logger }, agent.tellModes)
    : () => {};
  logger.log("INFO", "agent started", { agent: identity.name, master: address.url.origin, slots });
  await stop.first;
  endWatch();
  if (isReplaced) {
    // What runs goes on: the next version adopts it.
    await agent.stop({ drain: false });
    endNotes();
    files.close();
    return RESTART_CODE;
  }
  logger.log("INFO", "agent stopping", { how: revoked ? "revoked" : "running tasks end first; once more stops them" });
  // A first signal lets running tasks end, a second stops them. A task that outlives both is adopted by the next process.
  const drained = agent.stop({ drain: true });
  await Promise.race([drained, stop.second.then(() => agent.stop({ drain: true, cancel: true }))]);
  endNotes();
  files.close();
  if (revoked) throw new Error(`The master revoked this agent: ${revoked}. Enrol it again with a new token.`);
  return 0;
}
