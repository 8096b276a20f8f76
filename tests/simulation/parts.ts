/** What the parts of a world know of one another. */
import type { Agent } from "../../agents/agent.ts";
import type { HintTopic } from "../../db/hints.ts";
import type { TaskStore } from "../../db/tasks/task_store.ts";
import type { RunContext } from "../../operators/operator.ts";
import type { OutcomeInput } from "../../protocol/operation.ts";
import type { Core } from "../../scheduler/core.ts";
import type { MachineClock, Process } from "./process.ts";
import type { Socket } from "./sockets.ts";
import type { Ledger, Work } from "./work.ts";

interface Part {
  readonly name: string;
  readonly process: Process | undefined;
  readonly isUp: boolean;
  start(): void;
  /** kill -9 */
  crash(): void;
}

export interface MachinePart extends Part {
  readonly id: string;
  readonly slots: number;
  readonly clock: MachineClock;
  readonly agent: Agent | undefined;
  readonly disk: { names(): string[] };
  failPower(): void;
  /** The whole machine stands still, or the agent's process alone. */
  pause(whole: boolean): void;
  resume(): void;
  /** SIGTERM, which leaves its tasks to the next process, or tells them to stop. */
  end(cancel: boolean): Promise<void>;
}

export interface MasterPart extends Part {
  /** Told to end, and not started anew yet. */
  readonly isEnding: boolean;
  readonly core: Core | undefined;
  end(): Promise<void>;
  hear(topic: HintTopic): void;
  /** A connection that an agent opened. */
  take(socket: Socket, agentId: string): void;
}

/** Whoever sees something tells it here. */
export interface Witness extends Ledger {
  readonly violations: string[];
  /** Notes that this has happened and must never. */
  break(what: string): void;
  uncaught(who: string, error: unknown): void;
  stored(verb: keyof TaskStore, args: unknown[], answer: unknown): void;
  look(): void;
  outcome(machine: MachinePart, context: RunContext, outcome: OutcomeInput, own: Work | undefined): void;
  runs(machine: MachinePart, running: number): void;
  written(machine: MachinePart, path: string, bytes: Uint8Array): void;
  unheard(work: Work): void;
  powerFailed(machine: MachinePart): void;
  rest(): void;
  finish(): void;
}
