/**
 * F4, F6 and F9: the master is away for long, away when the work ends, or its connection is dead without a word.
 * The agent is the product's, on a machine of its own: a task that is lost here comes back to it.
 */
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { CHANGES, namesOf } from "../../agents/gathered_writes.ts";
import { numberedLines } from "../helpers/ledger_app.ts";
import { eventually } from "../helpers/start_product.ts";
import type { RunningAgent } from "../helpers/start_product.ts";
import { expectSound } from "./support/history.ts";
import { openGate } from "./support/ledger_apps.ts";
import { isThorough } from "./support/races.ts";
import { startRack, starts } from "./support/rack.ts";
import type { Rack, Release } from "./support/rack.ts";
import { startProxy } from "./support/tcp_proxy.ts";
import type { TcpProxy } from "./support/tcp_proxy.ts";

/** A quick look runs beside other tests: an agent that gets no turn for a second keeps its task. */
const LEASE_SECONDS = isThorough() ? 3 : 2;
/** Both ends give a silent connection up after two ping periods, each of two leases when those are short. */
const PING_SECONDS = 2 * LEASE_SECONDS;
/** What a machine may need that runs other tests as well. */
const LOADED_SECONDS = isThorough() ? 2 : 30;
const LINES = 30;
/** Longer than its agent believes in a lease, and than a slow machine needs to see that it began. */
const LONG_LINES = 80;

describe("a master that is away", () => {
  let rack: Rack;
  let proxy: TcpProxy;
  let agent: RunningAgent & { stateDir: string };

  beforeAll(async () => {
    rack = await startRack({ type: "pm", env: { BOREAS_LEASE_SECONDS: String(LEASE_SECONDS) } });
    proxy = await startProxy({ to: { host: "127.0.0.1", port: Number(new URL(rack.master.url).port) } });
    agent = await dial();
    return () => proxy.close();
  }, 180_000);

  const dial = (stateDir?: string) =>
    rack.agent({ name: "rack-1", url: `http://127.0.0.1:${proxy.port}`, ...(stateDir ? { stateDir } : {}) });
  async function begin(gates: boolean) {
    const release = await rack.push({
      names: ["ledger"],
      lines: gates ? LINES : LONG_LINES,
      secondsBetween: 0.1,
      ...(gates ? { gates: "yes" } : {}),
    });
    const { id, leaves } = await rack.deploy(release);
    await rack.ledger(release, (lines) => starts(lines, 1).length === 1, "the first attempt runs");
    return { release, deploymentId: id, taskId: leaves[0]!.id };
  }
  /** One attempt, begun once, with every line it printed. */
  async function expectOneWholeAttempt(release: Release, deploymentId: string, taskId: string) {
    const task = await rack.taskIs(taskId, "success");
    expect(task).toMatchObject({ attempt: 1, fence: 1 });
    await rack.ended(deploymentId);
    const stored = await rack.storedLog(taskId, 1);
    const logs = [{ task: taskId, attempt: 1, emitted: numberedLines(release.lines), stored }];
    const history = await rack.history(release, [deploymentId], { exclusive: true, logs });
    expectSound(history);
    const notes = history.ledger!.filter((line) => line.what !== "beat").map((line) => `${line.what} ${line.attempt}`);
    expect(notes).toEqual(["start 1", "end 1"]);
    expect(history.events!.map((event) => event.kind)).not.toContain("task.lost");
  }

  it("F4: gone for four leases and back, takes no task from the agent that returns", async () => {
    const { release, deploymentId, taskId } = await begin(false);
    await rack.master.kill("SIGKILL");
    const down = performance.now() + 4 * LEASE_SECONDS * 1000;
    await eventually(() => Promise.resolve(agent.output().includes("the task is held still")), "the agent holds still");
    await eventually(() => Promise.resolve(performance.now() >= down), "four leases are over");
    const held = await rack.ledger(release, () => true, "the ledger");
    await rack.master.restart();
    await expectOneWholeAttempt(release, deploymentId, taskId);
    // Nothing was done while no lease was believed in.
    expect(held.some((line) => line.what === "end")).toBe(false);
  }, 180_000);

  it("F6: away when the program ends, takes its result once from an agent that was restarted meanwhile", async () => {
    const { release, deploymentId, taskId } = await begin(true);
    await eventually(async () => (await rack.storedLog(taskId, 1)) === numberedLines(LINES), "all lines are stored");
    await rack.master.kill("SIGKILL");
    await openGate(release.gates, "all");
    const changes = join(agent.stateDir, CHANGES);
    const results = async () => namesOf(await Deno.readFile(changes)).filter((path) => path.startsWith("outbox/"));
    await eventually(async () => (await results()).length > 0, "the result is on disk");
    await agent.kill("SIGKILL");
    agent = await dialAway(agent.stateDir);
    await rack.master.restart();
    await expectOneWholeAttempt(release, deploymentId, taskId);
    await eventually(async () => (await results()).length === 0, "the agent keeps it no longer");
    expect((await rack.task(taskId)).reason.text).toContain("is deployed on rack-1");
  }, 180_000);

  /** An agent that starts while nobody is there has to say so and go on dialling. */
  const dialAway = async (stateDir: string) => {
    const away = await dial(stateDir);
    await eventually(() => Promise.resolve(/cannot be reached|ended \(/.test(away.output())), "it has dialled in vain");
    return away;
  };

  it("F9: a connection that died without a word is given up by both ends within two ping periods", async () => {
    const { release, deploymentId, taskId } = await begin(true);
    const id = await rack.agentId("rack-1");
    const status = async () => (await rack.master.api("GET", `/agents/${id}`)).status;
    const said = agent.output().length;
    proxy.blackhole(true);
    const since = performance.now();
    const noticed = async (isIt: () => Promise<boolean>, what: string) => {
      await eventually(isIt, what, 2 * PING_SECONDS + 60);
      return (performance.now() - since) / 1000;
    };
    const seconds = await Promise.all([
      noticed(() => Promise.resolve(agent.output().slice(said).includes("The master has gone silent")), "by the agent"),
      noticed(async () => (await status()) === "disconnected", "by the master"),
    ]);
    // What a loaded machine may need to tell a test of it is no matter of the product.
    for (const one of seconds) expect(one).toBeLessThan(2 * PING_SECONDS + LOADED_SECONDS);
    proxy.blackhole(false);
    proxy.cutAll();
    await openGate(release.gates, "all");
    await rack.taskIs(taskId, "success");
    await rack.ended(deploymentId);
    expectSound(await rack.history(release, [deploymentId], { exclusive: true }));
  }, 180_000);
});
