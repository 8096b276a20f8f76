/** A master: the product's own scheduler core over a store on another machine, and its listening socket. */
import type { Hints, HintTopic } from "../../db/hints.ts";
import { createHints } from "../../db/hints.ts";
import type { FreeSlots } from "../../db/tasks/claim_tasks.ts";
import { pingSeconds } from "../../protocol/agent_messages.ts";
import { createCore } from "../../scheduler/core.ts";
import type { Core } from "../../scheduler/core.ts";
import { createOutflow } from "../../scheduler/outflow.ts";
import type { Outflow } from "../../scheduler/outflow.ts";
import { createWsLink } from "../../scheduler/ws_link.ts";
import { createFlakyStore } from "./flaky_store.ts";
import { Process } from "./process.ts";
import type { Socket } from "./sockets.ts";
import type { MasterPart } from "./parts.ts";
import type { World } from "./world.ts";

export class Master implements MasterPart {
  process: Process | undefined;
  core: Core | undefined;
  #local: Hints = createHints();
  #outflow: Outflow | undefined;
  #isEnding = false;
  constructor(readonly world: World, readonly name: string) {}

  /** Told to end, and not started anew yet. */
  get isEnding(): boolean {
    return this.#isEnding;
  }
  get isUp(): boolean {
    return this.process?.alive ?? false;
  }

  start(): void {
    if (this.isUp) return;
    const { world } = this;
    const clock = { rate: world.random.between(0.9, 1.1), wallOffset: world.random.between(-1e8, 1e8) };
    const process = new Process(
      this.name,
      world.timeline,
      world.random,
      clock,
      (error) => world.checker.uncaught(this.name, error),
    );
    this.process = process;
    this.#outflow = createOutflow(process.clock);
    const mayDie = world.crashPoint(() => this.process === process && this.crash());
    const { leaseSeconds, sweepSeconds, graceSeconds } = world.options;
    this.#isEnding = false;
    const store = createFlakyStore(
      world.store,
      process,
      world.random,
      world.weather,
      (verb, args, answer) => world.checker.stored(verb, args, answer),
    );
    this.core = createCore({
      store: {
        ...store,
        claimTasks: (agents, lease) => (this.#offers(agents), store.claimTasks(agents, lease)),
        finishAndHandOn: (results, chance, agents, lease) => (
          this.#offers(agents), store.finishAndHandOn(results, chance, agents, lease)
        ),
      },
      newId: world.newId,
      hints: this.#sharedHints(),
      clock: process.clock,
      chance: world.random,
      logger: world.loggerOf(this.name, process),
      crashPoint: (point) => process.alive && mayDie(point),
      masterId: "the-master",
      leaseSeconds,
      sweepSeconds,
      restartGraceSeconds: graceSeconds,
      makeDispatch: (task) =>
        Promise.resolve({
          type: "task.dispatch",
          taskId: task.id,
          fence: task.fence,
          attempt: task.attempt,
          operation: task.payload.operation as never,
          sealedSecrets: null,
          blobTicket: null,
          leaseSeconds,
        }),
    });
    world.trace.say(this.name, "starts");
    this.core.start();
  }

  crash(): void {
    if (!this.isUp) return;
    this.world.trace.say(this.name, "dies");
    this.process!.die();
    this.world.network.bury(this.process!, false);
  }
  /** SIGTERM. */
  async end(): Promise<void> {
    const { process, core } = this;
    if (!this.isUp || process!.paused) return;
    this.world.trace.say(this.name, "is told to end");
    this.#isEnding = true;
    await core!.stop();
    if (!process!.alive) return;
    this.world.trace.say(this.name, "has ended");
    process!.die();
    this.world.network.bury(process!, false);
  }
  take(socket: Socket, agentId: string): void {
    const link = createWsLink(socket.asWebSocket, {
      clock: this.process!.clock,
      outflow: this.#outflow!,
      pingSeconds: pingSeconds(this.world.options.leaseSeconds),
    });
    this.core!.gateway.accept(link, agentId);
  }

  /** Slots to a claim. */
  #offers(agents: readonly FreeSlots[]): void {
    if (!this.#isEnding || agents.length === 0) return;
    this.world.checker.break(`F18: ${this.name} asks for work for ${agents.length} agents after it was told to end`);
  }
  /** Told here at once, to the other masters a little later or never. */
  #sharedHints(): Hints {
    const { world, process } = this;
    const local = createHints();
    this.#local = local;
    return {
      on: local.on,
      announce: (topic: HintTopic, id?: string) => {
        if (!process!.alive) return;
        local.announce(topic, id);
        for (const other of world.masters) {
          if (other === this || topic !== "tasks" || world.random.happens(world.lostHints)) continue;
          world.timeline.after(world.random.between(1, 30), () => other.hear(topic));
        }
      },
    };
  }
  /** A hint from outside. */
  hear(topic: HintTopic): void {
    this.process?.enter(() => this.#local.announce(topic));
  }
}
