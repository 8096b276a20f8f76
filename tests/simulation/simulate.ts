/**
 * A whole Boreas in one thread: masters over one store, machines with agents, a network between them, people, faults.
 *
 *   build from the seed -> time of faults -> everything heals -> all must end, and come to rest, within a bound
 */
import { isEnded } from "../../domain/deployment_state.ts";
import { buildWork } from "./build_work.ts";
import { Checker } from "./checker.ts";
import { plagueWorld } from "./faults.ts";
import { Machine } from "./machine.ts";
import { Master } from "./master.ts";
import type { Trace } from "./trace.ts";
import { World } from "./world.ts";
import type { Protections } from "./world.ts";

const ALL_ON: Protections = { fence: true, grace: true, outbox: true };

/** Milliseconds after the last fault within which all must be over: five losses with their waits, and a hang. */
const REST_WITHIN = 30 * 60_000;
/** What is still seen of a world that has come to rest, in leases. */
const AFTERMATH_LEASES = 3;

export interface Report {
  seed: number;
  violations: string[];
  trace: Trace;
  steps: number;
  /** Milliseconds of the simulated world. */
  time: number;
}

export async function simulate(seed: number, protections: Partial<Protections> = {}): Promise<Report> {
  const world = new World(seed, { ...ALL_ON, ...protections });
  const { random, checker, trace, timeline } = populate(world);
  for (const part of [...world.masters, ...world.machines]) timeline.after(random.between(0, 500), () => part.start());
  await live(world);
  return { seed, violations: checker.violations, trace, steps: timeline.steps, time: timeline.now };
}

/** @returns the world, with all who live in it */
function populate(world: World): World {
  const { random } = world;
  world.checker = new Checker(world);
  const [masters, machines] = [random.whole(1, 2), random.whole(2, 4)];
  for (let n = 0; n < masters; n++) world.masters.push(new Master(world, `m${n}`));
  for (let n = 0; n < machines; n++) {
    world.machines.push(new Machine(world, world.newId(), `a${n}`, random.whole(1, 3)));
  }
  buildWork(world);
  world.checker.look();
  return world;
}

async function live(world: World): Promise<void> {
  const { timeline, checker, options, trace } = world;
  const heal = plagueWorld(world);
  const isBroken = () => checker.violations.length > 0;
  if (await timeline.run(options.faultMs, isBroken)) return;
  trace.say("", "--- everything heals ---");
  heal();
  await timeline.run(options.faultMs + REST_WITHIN, () => isBroken() || isAtRest(world));
  if (isBroken()) return;
  checker.rest();
  await timeline.run(timeline.now + AFTERMATH_LEASES * options.leaseSeconds * 1000, isBroken);
  checker.finish();
}

function isAtRest({ tables, network, masters, machines }: World): boolean {
  for (const { status } of tables.deployments.values()) if (!isEnded(status)) return false;
  for (const socket of network.sockets) if (socket.vanished) return false;
  // A master that is still ending takes its agents' connections with it.
  return masters.every(({ core, isEnding }) => !isEnding && core!.stats().held === 0) &&
    machines.every(({ agent, disk }) => {
      const { connected, running, suspended, unacknowledged } = agent!.status();
      return connected && running + suspended + unacknowledged === 0 &&
        !disk.names().some((path) => /^(journal|outbox|spool)\//.test(path));
    });
}
