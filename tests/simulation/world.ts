/** What the parts of one world share: its time, chance, network, database and weather. */
import type { Logger } from "../../domain/ports.ts";
import type { StoreWeather } from "./flaky_store.ts";
import { createMemoryStore } from "./memory_store/memory_store.ts";
import { createTables } from "./memory_store/tables.ts";
import type { Guards } from "./memory_store/tables.ts";
import type { MachinePart, MasterPart, Witness } from "./parts.ts";
import type { Process } from "./process.ts";
import { createRandom } from "./random.ts";
import { Network } from "./sockets.ts";
import { Timeline } from "./timeline.ts";
import { Trace } from "./trace.ts";

/** What a seeded bug takes away; all on in the product. */
export interface Protections extends Guards {
  /** Results reach the disk before they are said. */
  outbox: boolean;
}

export class World {
  readonly random;
  readonly timeline = new Timeline();
  readonly trace = new Trace(() => this.timeline.now);
  readonly network;
  /** Set when the world is populated. */
  checker!: Witness;
  readonly tables;
  readonly store;
  readonly weather: StoreWeather = { down: false, errors: 0, slowness: 6 };
  readonly machines: MachinePart[] = [];
  readonly masters: MasterPart[] = [];
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
}
