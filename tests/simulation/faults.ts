/**
 * What goes wrong. Each world draws the kinds it will know (few kinds often find what all together hide), then so many
 * of them over its time of faults; each heals by itself or at the end.
 */
import { cancelDeployment, cancelTask } from "./memory_store/people_verbs.ts";
import type { MachinePart, MasterPart } from "./parts.ts";
import type { World } from "./world.ts";

type Fault = (world: World, lasts: number) => void;

const anyMachine = (world: World): MachinePart => world.random.pick(world.machines);
const anyMaster = (world: World): MasterPart => world.random.pick(world.masters);
const later = (world: World, milliseconds: number, call: () => void) => void world.timeline.after(milliseconds, call);

function block(world: World, ways: string[], lasts: number): void {
  world.trace.say("!", `blocked for ${Math.round(lasts)} ms: ${ways.join(" ")}`);
  for (const way of ways) world.network.blocked.add(way);
  later(world, lasts, () => ways.forEach((way) => world.network.open(way)));
}
const sometimes = (world: World, ways: string[]) => ways.filter(() => world.random.happens(0.6));

const FAULTS: Record<string, Fault> = {
  agentDies(world, lasts) {
    const machine = anyMachine(world);
    machine.crash();
    later(world, lasts, () => machine.start());
  },
  powerFails(world, lasts) {
    const machine = anyMachine(world);
    machine.failPower();
    later(world, lasts, () => machine.start());
  },
  agentEnds(world, lasts) {
    const machine = anyMachine(world);
    const { process } = machine;
    void machine.end(world.random.happens(0.3));
    later(world, lasts, () => machine.process === process && machine.crash()); // nobody waits for ever
    later(world, lasts + 100, () => machine.start());
  },
  machineStandsStill(world, lasts) {
    const machine = anyMachine(world);
    machine.pause(true);
    later(world, lasts, () => machine.resume());
  },
  agentIsStopped(world, lasts) {
    const machine = anyMachine(world);
    machine.pause(false);
    later(world, lasts, () => machine.resume());
  },
  masterDies(world, lasts) {
    const master = anyMaster(world);
    master.crash();
    later(world, lasts, () => master.start());
  },
  allMastersDie(world, lasts) {
    for (const master of world.masters) {
      master.crash();
      later(world, lasts * 2, () => master.start());
    }
  },
  masterEnds(world, lasts) {
    const master = anyMaster(world);
    const { process } = master;
    void master.end();
    later(world, lasts, () => master.process === process && master.crash());
    later(world, lasts + 100, () => master.start());
  },
  masterIsStopped(world, lasts) {
    const { process } = anyMaster(world);
    process?.pause();
    world.trace.say("!", `${process?.name} stands still`);
    later(world, lasts, () => process?.resume());
  },
  partition(world, lasts) {
    const [machine, master] = [anyMachine(world).name, anyMaster(world).name];
    const ways = [`${machine}>${master}`, `${master}>${machine}`];
    block(world, world.random.happens(0.5) ? ways : [world.random.pick(ways)], lasts);
  },
  isolation(world, lasts) {
    const { name } = anyMachine(world);
    block(world, world.masters.flatMap((master) => [`${name}>${master.name}`, `${master.name}>${name}`]), lasts);
  },
  mess(world, lasts) {
    const ways = world.machines.flatMap(({ name }) =>
      world.masters.flatMap((master) => [`${name}>${master.name}`, `${master.name}>${name}`])
    );
    block(world, sometimes(world, ways), lasts);
  },
  connectionVanishes(world) {
    const sockets = [...world.network.sockets];
    if (sockets.length > 0) world.random.pick(sockets).vanish();
    world.trace.say("!", "a connection vanishes");
  },
  connectionBreaks(world) {
    const sockets = [...world.network.sockets];
    if (sockets.length > 0) world.random.pick(sockets).cut();
    world.trace.say("!", "a connection breaks");
  },
  databaseIsAway(world, lasts) {
    world.trace.say("!", `the database is away for ${Math.round(lasts)} ms`);
    world.weather.down = true;
    later(world, lasts, () => world.weather.down = false);
  },
  databaseIsSlow(world, lasts) {
    world.weather.slowness = world.random.between(100, 6000);
    later(world, lasts, () => world.weather.slowness = 6);
  },
  databaseStumbles(world, lasts) {
    world.weather.errors = world.random.between(0.02, 0.4);
    later(world, lasts, () => world.weather.errors = 0);
  },
  wallClockIsSet(world) {
    anyMachine(world).clock.wallOffset += world.random.between(-1e8, 1e8);
  },
  messagesJumble(world, lasts) {
    world.trace.say("!", "messages repeat and overtake one another");
    world.network.jumble = world.random.between(0.02, 0.2);
    later(world, lasts * 2, () => world.network.jumble = 0);
  },
  hintsAreLost(world, lasts) {
    world.lostHints = 1;
    later(world, lasts, () => world.lostHints = 0);
  },
  pointsOfNoReturn(world, lasts) {
    world.fragility = world.random.between(0.02, 0.25);
    later(world, lasts, () => world.fragility = 0);
  },
  personCancelsTask(world) {
    cancelTask(world.tables, world.random.pick([...world.tables.tasks.keys()]));
    world.checker.look();
    world.hint();
  },
  personCancelsDeployment(world) {
    if (world.random.happens(0.5)) return;
    cancelDeployment(world.tables, world.random.pick([...world.tables.deployments.keys()]));
    world.checker.look();
    world.hint();
  },
};

/** @returns what ends all of it */
export function plagueWorld(world: World): () => void {
  const { random, timeline, options } = world;
  const kinds = Object.keys(FAULTS).filter(() => random.happens(0.35));
  if (kinds.length === 0) kinds.push(random.pick(Object.keys(FAULTS)));
  world.trace.say("", `seed ${world.seed}, lease ${options.leaseSeconds} s, faults: ${kinds.join(", ")}`);
  for (let n = 0; n < random.whole(3, 30); n++) {
    const kind = random.happens(0.2) ? "isolation" : random.pick(kinds);
    const short = random.happens(0.4);
    const lasts = random.between(0.02, short ? 0.5 : 3) * options.leaseSeconds * 1000;
    timeline.after(
      random.between(0, options.faultMs),
      () => timeline.now < options.faultMs && FAULTS[kind]!(world, lasts),
    );
  }
  // Whoever died at a point of no return is started again by somebody.
  const warden = () => {
    for (const part of [...world.masters, ...world.machines]) if (!part.isUp && random.happens(0.5)) part.start();
    if (timeline.now < options.faultMs) timeline.after(options.leaseSeconds * 1000, warden);
  };
  timeline.after(options.leaseSeconds * 1000, warden);
  return () => heal(world);
}

function heal(world: World): void {
  world.network.openAll();
  Object.assign(world.weather, { down: false, errors: 0, slowness: 6 });
  world.network.jumble = world.lostHints = world.fragility = 0;
  for (const machine of world.machines) machine.resume();
  for (const master of world.masters) master.process?.resume();
  for (const part of [...world.masters, ...world.machines]) {
    later(world, world.random.between(1, 3000), () => part.start());
  }
}
