/**
 * A whole Boreas in one thread: masters over one store, machines with agents, a network between them, people, faults.
 *
 *   build from the seed -> time of faults -> everything heals -> all must end, and come to rest, within a bound
 */
import type { Logger } from "../../domain/ports.ts";
import { isEnded } from "../../domain/deployment_state.ts";
import { buildWork } from "./build_work.ts";
import { Checker } from "./checker.ts";
import { plagueWorld } from "./faults.ts";
import { Machine } from "./machine.ts";
import { Master } from "./master.ts";
import { createMemoryStore } from "./memory_store/memory_store.ts";
import { createTables } from "./memory_store/tables.ts";
import type { Guards } from "./memory_store/tables.ts";
import type { Process } from "./process.ts";
import { createRandom } from "./random.ts";
import { Network } from "./sockets.ts";
import type { StoreWeather } from "./flaky_store.ts";
import { Timeline } from "./timeline.ts";
import { Trace } from "./trace.ts";

/** What a seeded bug takes away; all on in the product. */
export interface Protections extends Guards {
  /** Results reach the disk before they are said. */
  outbox: boolean;
}
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
  await world.run();
  const { checker, trace, timeline } = world;
  return { seed, violations: checker.violations, trace, steps: timeline.steps, time: timeline.now };
}

export class World {
  readonly random;
  readonly timeline = new Timeline();
  readonly trace = new Trace(() => this.timeline.now);
  readonly network;
  readonly checker: Checker;
  readonly tables;
  readonly store;
  readonly weather: StoreWeather = { down: false, errors: 0, slowness: 6 };
  readonly machines: Machine[] = [];
  readonly masters: Master[] = [];
  readonly options;
  /** Share of the hints to other masters that never arrive. */
  lostHints = 0;
  /** Probability that a process dies at one of its named points. */
  fragility = 0;
  readonly #databaseRate: number;
  #ids = 0;

  constructor(readonly seed: number, protections: Protections) {
    const random = this.random = createRandom(seed);
    const leaseSeconds = random.pick([4, 10, 30]);
    this.options = {
      ...protections,
      leaseSeconds,
      sweepSeconds: leaseSeconds / random.pick([2, 4, 6]),
      graceSeconds: leaseSeconds * random.pick([2, 3]),
      faultMs: leaseSeconds * 1000 * random.between(4, 12),
    };
    this.#databaseRate = random.between(0.99, 1.01);
    this.network = new Network(this.timeline, random);
    this.tables = createTables(() => this.databaseNow(), protections);
    this.store = createMemoryStore(this.tables);
    this.checker = new Checker(this);
    for (let n = 0; n < random.whole(1, 2); n++) this.masters.push(new Master(this, `m${n}`));
    for (let n = 0; n < random.whole(2, 4); n++) {
      this.machines.push(new Machine(this, this.newId(), `a${n}`, random.whole(1, 3)));
    }
    buildWork(this);
    this.checker.look();
  }

  databaseNow = (): number => 1_000_000 + this.timeline.now * this.#databaseRate;
  newId = (): string => `00000000-0000-4000-8000-${(++this.#ids).toString(16).padStart(12, "0")}`;
  nameOf = (agentId: string): string => this.machines.find((machine) => machine.id === agentId)?.name ?? agentId;
  mayHang = (taskId: string): boolean =>
    (this.tables.tasks.get(taskId)!.payload.operation as { timeoutSeconds: number | null }).timeoutSeconds !== null;
  storedLog = (taskId: string, attempt: number): string => {
    const text = new TextDecoder();
    const chunks = this.tables.logs.get(`${taskId}:${attempt}`)?.chunks ?? [];
    return chunks.map((chunk) => text.decode(chunk, { stream: true })).join("");
  };
  /** A clock that is a little slow would trust a little long: the margin of a tenth is for that. Fast ones only lose. */
  drawAgentClock = () => ({
    rate: this.random.happens(0.1) ? this.random.between(1.05, 1.5) : this.random.between(0.96, 1.04),
    wallOffset: this.random.between(-1e8, 1e8),
  });
  crashPoint = (die: () => void) => (point: string): void => {
    if (this.fragility === 0 || !this.random.happens(this.fragility)) return;
    this.trace.say("!", `crash point ${point}`);
    die();
  };
  loggerOf = (name: string, process: Process): Logger => ({
    log: (level, message, { stack: _, ...context } = {}) => { // where code lies is no part of what happened
      if (process.alive) this.trace.say(name, `${level} ${message} ${JSON.stringify(context)}`);
    },
  });
  /** Something for a master to look at, told by somebody outside. */
  hint(): void {
    this.random.pick(this.masters).hear("tasks");
  }

  async run(): Promise<void> {
    const { timeline, checker, options } = this;
    for (const part of [...this.masters, ...this.machines]) {
      timeline.after(this.random.between(0, 500), () => part.start());
    }
    const heal = plagueWorld(this);
    const isBroken = () => checker.violations.length > 0;
    if (await timeline.run(options.faultMs, isBroken)) return;
    this.trace.say("", "--- everything heals ---");
    heal();
    await timeline.run(options.faultMs + REST_WITHIN, () => isBroken() || this.#isAtRest());
    if (isBroken()) return;
    checker.rest();
    await timeline.run(timeline.now + AFTERMATH_LEASES * options.leaseSeconds * 1000, isBroken);
    checker.finish();
  }

  #isAtRest(): boolean {
    for (const { status } of this.tables.deployments.values()) if (!isEnded(status)) return false;
    for (const socket of this.network.sockets) if (socket.vanished) return false;
    return this.masters.every(({ core }) => core!.stats().held === 0) && this.machines.every(({ agent, disk }) => {
      const { connected, running, suspended, unacknowledged } = agent!.status();
      return connected && running + suspended + unacknowledged === 0 &&
        !disk.names().some((path) => /^(journal|outbox|spool)\//.test(path));
    });
  }
}
