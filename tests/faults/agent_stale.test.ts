/**
 * F1, F2 and F12: a task that another agent takes over when its agent died, and an agent that speaks about a lease which
 * has passed on, to another agent or to itself. Every late word is answered as stale, counted, and leaves nothing behind:
 * the task and its log are the same before and after.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { numberedLines, readLedger } from "../helpers/ledger_app.ts";
import { eventually } from "../helpers/start_product.ts";
import type { RunningAgent } from "../helpers/start_product.ts";
import { startFrameProxy, wordsOf } from "./support/frame_proxy.ts";
import type { FrameProxy } from "./support/frame_proxy.ts";
import { expectSound } from "./support/history.ts";
import type { TaskView } from "./support/history.ts";
import { openGate } from "./support/ledger_apps.ts";
import { isThorough, race } from "./support/races.ts";
import { startRack, starts } from "./support/rack.ts";
import type { Rack, Release } from "./support/rack.ts";

const LEASE_SECONDS = 2;
const SWEEP_SECONDS = 1;
/** What a machine may need that runs other tests as well. */
const LOADED_SECONDS = isThorough() ? 1 : 30;
const LINES = 8;
/** The fault itself, its moment and its length; what comes of it is looked for, never slept for. */
const outage = (seconds: number) => new Promise<void>((done) => setTimeout(done, seconds * 1000));

describe("a lease that has passed on", () => {
  let rack: Rack;
  let proxy: FrameProxy;
  let first: RunningAgent & { stateDir: string };
  let runs = 0;

  beforeAll(async () => {
    // The master is not what goes away here; its grace would put off the end of a lease for as long as it has just begun.
    const env = { BOREAS_LEASE_SECONDS: String(LEASE_SECONDS), BOREAS_RESTART_GRACE_SECONDS: "0" };
    rack = await startRack({ type: "mock", env });
    proxy = await startFrameProxy(rack.master.url);
    first = await rack.agent({ name: "first", url: proxy.url });
    await rack.agent({ name: "second" });
    await rack.setCordon("second", true);
  }, 180_000);
  afterAll(() => proxy?.close());

  /** One task that runs on the first agent, and ends when its gate is opened. */
  async function begin() {
    const name = `app-${++runs}`;
    const release = await rack.push({ names: [name], lines: LINES, secondsBetween: 0.05, gates: "yes" });
    const { id, leaves } = await rack.deploy(release);
    await rack.ledger(release, (lines) => starts(lines, 1).length === 1, "the first attempt runs");
    return { name, release, deploymentId: id, taskId: leaves[0]!.id };
  }
  /** All that a late word could have touched; of a live lease not when it ends, for its holder renews it. */
  const traces = async (taskId: string) => {
    const task = await rack.task(taskId);
    const logs = [await rack.storedLog(taskId, 1), await rack.storedLog(taskId, 2)];
    const deployment = await rack.master.api("GET", `/deployments/${task.deploymentId}`);
    const isLive = task.status === "running";
    const text = JSON.stringify(
      { task, logs, deployment },
      (key, value) => isLive && key === "leaseExpiresAt" ? undefined : value,
    );
    return JSON.parse(text) as { task: TaskView };
  };
  /** Says the words of the first attempt once more, on the agent's own connection; each is answered as stale. */
  async function sayItAgain(taskId: string, random: () => number) {
    const [renewal] = wordsOf(proxy.said, "lease.renew", taskId, 1);
    const chunks = wordsOf(proxy.said, "log.chunk", taskId, 1);
    const [chunk] = chunks;
    const [result] = wordsOf(proxy.said, "task.result", taskId, 1);
    const text = JSON.stringify;
    const end = chunks.reduce((most, { message }) => Math.max(most, message.offset + message.data.length), 0);
    const next = { ...chunk!.message, sequence: chunks.at(-1)!.message.sequence + 1, offset: end, data: "too late\n" };
    const said = result?.message ??
      {
        type: "task.result",
        taskId,
        fence: 1,
        outcome: { status: "success", message: "Too late.", code: "", retryable: false, lastLines: [], details: {} },
      };
    const words: (() => Promise<void>)[] = [
      async () => {
        const round = 1_000_000 + Math.floor(random() * 1e6);
        const answer = await proxy.say(
          text({ ...renewal!.message, round, leases: [{ taskId, fence: 1 }] }),
          "lease.renewed",
          (heard) => heard.round === round,
        );
        expect(answer).toMatchObject({ taskIds: [], lost: [taskId] });
      },
      async () => void await proxy.say(text(chunk!.message), "log.ack", (a) => a.taskId === taskId && a.fence === 1),
      async () => void await proxy.say(text(next), "log.ack", (a) => a.taskId === taskId && a.fence === 1),
      async () => {
        const answer = await proxy.say(text(said), "result.ack", (a) => a.taskId === taskId && a.fence === 1);
        expect(answer.accepted).toBe(false);
      },
    ];
    while (words.length > 0) await words.splice(Math.floor(random() * words.length), 1)[0]!();
  }
  async function expectNoTrace(taskId: string, sayLate: () => Promise<void>) {
    const [before, counted] = [await traces(taskId), await rack.staleWrites()];
    await sayLate();
    const [after, counts] = [await traces(taskId), await rack.staleWrites()];
    const refused = Object.fromEntries(Object.entries(counts).map(([kind, n]) => [kind, n - (counted[kind] ?? 0)]));
    for (const kind of ["renew", "log", "result"]) expect(refused[kind], kind).toBeGreaterThanOrEqual(1);
    return { before, after, refused: Object.values(refused).reduce((sum, n) => sum + n, 0) };
  }
  const letGo = (taskId: string) =>
    eventually(
      () => Promise.resolve(/someone else's now/.test(first.output().split(taskId).at(-2) ?? "")),
      "the agent has let go of it",
    );
  const judge = async (release: Release, deploymentId: string, taskId: string, staleWrites: object) => {
    const logs = [{ task: taskId, attempt: 2, emitted: numberedLines(LINES), stored: await rack.storedLog(taskId, 2) }];
    expectSound(await rack.history(release, [deploymentId], { staleWrites: staleWrites as never, logs }));
  };

  it("F1: killed with a task, an agent loses it to another one as soon as its lease is over", async () => {
    const { name, release, deploymentId, taskId } = await begin();
    await rack.setCordon("second", false);
    await first.kill("SIGKILL");
    const killedAt = Date.now();
    await rack.ledger(release, (lines) => starts(lines, 2).length === 1, "the other agent runs it");
    await rack.setCordon("second", true);
    expect(await rack.task(taskId)).toMatchObject({ attempt: 2, fence: 2, agentId: await rack.agentId("second") });
    // Killed in the middle of its work, an agent comes back and ends what it had started and no longer holds.
    first = await rack.agent({ name: "first", url: proxy.url, stateDir: first.stateDir });
    await letGo(taskId);
    const beats = (await readLedger(release.ledger)).filter((line) => line.attempt === 1).length;
    await openGate(release.gates, `${name}.2`);
    await rack.ended(deploymentId);
    const logs = [{ task: taskId, attempt: 2, emitted: numberedLines(LINES), stored: await rack.storedLog(taskId, 2) }];
    const history = await rack.history(release, [deploymentId], { logs });
    expectSound(history);
    expect(history.ledger!.filter((line) => line.attempt === 1).length).toBe(beats);
    const [again] = history.events!.filter((event) =>
      event.kind === "task.leased" && event.reason.params.attempt === 2
    );
    const seconds = (Date.parse(again!.at) - killedAt) / 1000;
    expect(seconds).toBeLessThanOrEqual(LEASE_SECONDS + SWEEP_SECONDS + LOADED_SECONDS);
  }, 180_000);

  race(
    "F2: stopped for three leases and set going again, an agent's late words leave no trace",
    20,
    async (_, random) => {
      await rack.setCordon("first", false);
      const { name, release, deploymentId, taskId } = await begin();
      await rack.setCordon("first", true);
      await rack.setCordon("second", false);
      // Stopped at a moment of chance: sometimes while it still prints, sometimes when it waits for its gate.
      await outage(random() * LINES * 0.05);
      first.signal("SIGSTOP");
      const stoppedAt = performance.now();
      try {
        await openGate(release.gates, `${name}.2`);
        // The program of the stopped agent goes on, and often comes to its end: then there is a late result as well.
        if (random() < 0.5) await openGate(release.gates, `${name}.1`);
        await rack.taskIs(taskId, "success");
        await outage(Math.max(0, 3 * LEASE_SECONDS - (performance.now() - stoppedAt) / 1000));
      } finally {
        await rack.setCordon("second", true);
      }
      const staleWrites = await expectNoTrace(taskId, async () => {
        const from = proxy.said.length;
        first.signal("SIGCONT");
        // It says of itself whatever it has to say, and hears that this is someone else's now.
        await letGo(taskId);
        expect(proxy.said.length).toBeGreaterThan(from);
        await sayItAgain(taskId, random);
      });
      expect(staleWrites.after.task).toMatchObject({ status: "success", attempt: 2, fence: 2 });
      await judge(release, deploymentId, taskId, staleWrites);
    },
    { quick: 2, timeout: 600_000 },
  );

  race(
    "F12: an agent that is handed the same task again replays its old result, which the fence refuses",
    20,
    async (seed, random) => {
      await rack.setCordon("second", true);
      await rack.setCordon("first", false);
      const { name, release, deploymentId, taskId } = await begin();
      // The result of the first attempt is recorded and does not arrive.
      proxy.keepBack((message) => message.type === "task.result" && message.taskId === taskId);
      await openGate(release.gates, `${name}.1`);
      await eventually(
        () => Promise.resolve(wordsOf(proxy.said, "task.result", taskId, 1).length > 0 || undefined),
        "the first attempt has ended",
      );
      proxy.keepBack((message) =>
        message.type === "lease.renew"
          ? message.leases.some((lease) => lease.taskId === taskId && lease.fence === 1)
          : "taskId" in message && message.taskId === taskId && message.fence === 1
      );
      await rack.ledger(release, (lines) => starts(lines, 2).length === 1, "the same agent runs the second attempt");
      proxy.keepBack((message) => "taskId" in message && message.taskId === taskId && message.fence === 1);
      const { agentId } = await rack.task(taskId);
      expect(agentId).toBe(await rack.agentId("first"));
      // By turns while the second attempt runs and after it.
      const isOver = seed % 2 === 0;
      if (isOver) {
        await openGate(release.gates, `${name}.2`);
        await rack.taskIs(taskId, "success");
      } else {
        await eventually(
          async () => (await rack.storedLog(taskId, 2)) === numberedLines(LINES),
          "all lines are stored",
        );
        expect(await rack.task(taskId)).toMatchObject({ status: "running", attempt: 2, fence: 2, agentId });
      }
      const staleWrites = await expectNoTrace(taskId, () => sayItAgain(taskId, random));
      if (!isOver) await openGate(release.gates, `${name}.2`);
      const ended = await rack.taskIs(taskId, "success");
      expect(ended).toMatchObject({ attempt: 2, fence: 2, agentId });
      proxy.keepBack(() => false);
      await judge(release, deploymentId, taskId, staleWrites);
    },
    { quick: 2, timeout: 600_000 },
  );
});
