/** A machine with an agent on it: what survives the agent's death, what survives the machine's, and how each comes back. */
import { createAgent } from "../../agents/agent.ts";
import type { Agent } from "../../agents/agent.ts";
import type { Link } from "../../domain/ports.ts";
import { createSocketLink } from "../../host/dial.ts";
import type { RunContext } from "../../operators/operator.ts";
import { MachineDisk } from "./machine_disk.ts";
import { createOperator } from "./operator.ts";
import { Process } from "./process.ts";
import type { MachineClock } from "./process.ts";
import type { MachinePart } from "./parts.ts";
import type { World } from "./world.ts";
import { planWork, Work } from "./work.ts";

/** Work goes on this much after a machine that stood still: its agent is awake by then. */
const WAKE_MS = 30;

export class Machine implements MachinePart {
  readonly disk: MachineDisk;
  readonly work = new Set<Work>();
  readonly clock: MachineClock;
  process: Process | undefined;
  agent: Agent | undefined;
  frozen = false;

  constructor(readonly world: World, readonly id: string, readonly name: string, readonly slots: number) {
    this.clock = world.drawAgentClock();
    this.disk = new MachineDisk(world.timeline, world.random, {
      onWritten: (path, bytes) => world.checker.written(this, path, bytes),
      forgets: (path) => !world.options.outbox && path.startsWith("outbox/"),
    });
  }
  get isUp(): boolean {
    return this.process?.alive ?? false;
  }

  start(): void {
    if (this.isUp) return;
    const { world } = this;
    const process = new Process(
      this.name,
      world.timeline,
      world.random,
      this.clock,
      (error) => world.checker.uncaught(this.name, error),
    );
    this.process = process;
    const mayDie = world.crashPoint(() => this.process === process && this.crash());
    const agent = createAgent({
      identity: {
        agentId: this.id,
        name: this.name,
        masterId: null,
        sign: () => Promise.resolve(""),
        openSecrets: () => Promise.resolve({}),
      },
      kind: "simulated",
      versions: {},
      slots: this.slots,
      operators: [this.#operator(process)],
      dialer: { dial: () => this.#dial(process) },
      clock: process.clock,
      disk: this.disk.open(process),
      logger: world.loggerOf(this.name, process),
      chance: world.random,
      facts: { hostname: this.name, os: "simulated", arch: "none", cpus: 1, memoryBytes: 1, bootId: "", modes: [] },
      fetchBlob: () => Promise.reject(new Error("there are no blobs")),
      crashPoint: (point) => process.alive && mayDie(point),
      suspendedBoundMs: world.options.leaseSeconds * 6000,
    });
    this.agent = agent;
    world.trace.say(this.name, "starts");
    agent.start().catch((error: unknown) => world.checker.uncaught(this.name, error));
  }

  /** kill -9: what runs beside the agent goes on, what runs within it does not. */
  crash(silently = false): void {
    if (!this.isUp) return;
    const process = this.process!;
    this.world.trace.say(this.name, silently ? "loses its power" : "dies");
    process.die();
    this.disk.crash();
    this.world.network.bury(process, silently);
    for (const one of this.work) {
      if (!one.inside && !silently) continue;
      one.end();
      this.work.delete(one);
      this.world.checker.unheard(one);
    }
  }
  failPower(): void {
    this.crash(true);
    for (const one of this.work) one.end();
    this.work.clear();
    this.disk.loseUnsynced();
    this.world.checker.powerFailed(this);
  }
  /** The whole machine stands still, or the agent's process alone where no work lives in it. */
  pause(whole: boolean): void {
    if (!this.isUp || this.frozen) return;
    this.frozen = true;
    this.world.trace.say(this.name, whole ? "stands still" : "is stopped (SIGSTOP)");
    this.process!.pause();
    for (const one of this.work) if (whole || one.inside) one.freeze();
  }
  resume(): void {
    if (!this.frozen) return;
    this.frozen = false;
    this.world.trace.say(this.name, "goes on");
    this.process?.resume();
    this.world.timeline.after(WAKE_MS, () => this.frozen ? undefined : this.work.forEach((one) => one.thaw()));
  }
  /** SIGTERM: leaves its tasks to the next process, or tells them to stop. */
  async end(cancel: boolean): Promise<void> {
    const { process, agent } = this;
    if (!this.isUp || this.frozen) return;
    this.world.trace.say(this.name, cancel ? "is told to end its tasks" : "is told to end");
    await agent!.stop({ drain: cancel, cancel });
    if (!process!.alive) return;
    this.world.trace.say(this.name, "has ended");
    process!.die();
    this.disk.crash();
    this.world.network.bury(process!, false);
    for (const one of this.work) {
      if (!one.inside) continue;
      one.end();
      this.work.delete(one);
      this.world.checker.unheard(one);
    }
  }

  #dial(process: Process): Promise<Link> {
    const { world } = this;
    const master = world.random.pick(world.masters);
    return process.wait<Link>(({ resolve, reject }) => {
      const latency = world.network.latency();
      const isOpen = () =>
        master.process && world.network.isOpen(process, master.process) &&
        world.network.isOpen(master.process, process);
      if (!master.isUp) return void world.timeline.after(latency, () => reject(new Error("connection refused")));
      world.timeline.after(latency, () => {
        if (!isOpen()) return void world.timeline.after(10_000, () => reject(new Error("timed out")));
        const far = master.process!;
        if (!far.alive || !process.alive) return reject(new Error("connection refused"));
        const [near, there] = world.network.join(process, far);
        resolve(createSocketLink(near.asWebSocket));
        far.enter(() => master.take(there, this.id));
      });
    });
  }

  #operator(process: Process) {
    const { world } = this;
    return createOperator({
      process,
      random: world.random,
      work: this.work,
      begin: (context: RunContext, inside: boolean) => {
        const { taskId, attempt, fence } = context;
        const plan = planWork(
          world.random,
          world.options.leaseSeconds * 1000,
          `${taskId.slice(-3)}.${attempt}`,
          world.mayHang(taskId),
        );
        const one = new Work(taskId, attempt, fence, this.name, inside, plan, world.timeline, world.checker);
        this.work.add(one);
        return one;
      },
      onOutcome: (context, outcome, own) => world.checker.outcome(this, context, outcome, own),
      onRuns: (running) => world.checker.runs(this, running),
    });
  }
}
