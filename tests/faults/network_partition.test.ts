/**
 * F7 and F8: an agent that is cut off, in both directions or in one, with work under way and another agent that waits for
 * it. It must have stopped what it runs before the master hands that out again. Each task is one run of the race: it
 * begins at another moment, and its program notes every tenth of a second that it lives.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { numberedLines } from "../helpers/ledger_app.ts";
import type { LedgerLine } from "../helpers/ledger_app.ts";
import { createNamespace } from "../helpers/network_namespace.ts";
import type { Namespace } from "../helpers/network_namespace.ts";
import { component } from "../helpers/require_component.ts";
import type { RunningAgent } from "../helpers/start_product.ts";
import { expectSound } from "./support/history.ts";
import { openGate } from "./support/ledger_apps.ts";
import { firstSeed } from "../helpers/seed.ts";
import { isThorough, randomOf } from "./support/races.ts";
import { startRack } from "./support/rack.ts";
import type { Rack } from "./support/rack.ts";

const netns = component("netns");
/** A quick look runs beside other tests: an agent that gets no turn for a second is not cut off. */
const LEASE_SECONDS = isThorough() ? 1 : 3;
/** Of each cut-off agent. */
const TASKS = isThorough() ? 10 : 3;
const MOST_ATTEMPTS = 9;

describe.skipIf(!netns.available)(`agents that are cut off while they work${netns.reason}`, () => {
  const namespaces: Namespace[] = [];
  const far: RunningAgent[] = [];
  let rack: Rack;
  let round = 0;

  beforeAll(async () => {
    // Two machines that can be cut off, and one on the master's own side.
    namespaces.push(await createNamespace());
    namespaces.push(await createNamespace(namespaces[0]!.hostAddress));
    rack = await startRack({
      type: "mock",
      env: {
        BOREAS_PUBLIC_URL: `https://${namespaces[0]!.hostAddress}:PORT`,
        BOREAS_LEASE_SECONDS: String(LEASE_SECONDS),
      },
    });
    const port = new URL(rack.master.url).port;
    for (const [i, namespace] of namespaces.entries()) {
      const url = `https://${namespace.hostAddress}:${port}`;
      far.push(await rack.agent({ name: `far-${i}`, namespace: namespace.name, url, slots: TASKS }));
    }
    await rack.agent({ name: "near", slots: 2 * TASKS });
  }, 180_000);
  afterAll(async () => {
    for (const namespace of namespaces) await namespace.remove();
  });

  async function cutOff(direction: "both" | "to_host" | "from_host", seed: number) {
    const random = randomOf(seed);
    const names = Array.from({ length: 2 * TASKS }, (_, n) => `app-${n}`);
    await rack.setCordon("near", true);
    const release = await rack.push({ names, lines: 5, secondsBetween: 0.1, gates: "yes", tag: `round ${++round}` });
    const deployments: string[] = [];
    const tasks: string[] = [];
    for (const name of names) {
      const { id, leaves } = await rack.deploy(release, [name]);
      deployments.push(id);
      tasks.push(...leaves.map((leaf) => leaf.id));
    }
    // The master may hold a connection for open that the cut before this one has ended: then the first to work far away
    // is not attempt 1.
    const latest = (lines: LedgerLine[]) => {
      const begun = lines.filter((line) => line.what === "start");
      return new Map(begun.map(({ task, attempt }) => [task, attempt]));
    };
    const farAway = latest(await rack.ledger(release, (lines) => latest(lines).size === names.length, "far away"));
    await rack.setCordon("near", false);
    for (const namespace of namespaces) {
      await new Promise((done) => setTimeout(done, random() * LEASE_SECONDS * 1000));
      await namespace.cut(direction);
    }
    const cutAt = performance.now();
    await rack.ledger(
      release,
      (lines) => [...latest(lines)].every(([task, attempt]) => attempt > farAway.get(task)!),
      "every task runs on the other agent",
    );
    // Whoever is cut off has been so for three leases, and knew it before.
    const left = 3 * LEASE_SECONDS * 1000 - (performance.now() - cutAt);
    if (left > 0) await new Promise((done) => setTimeout(done, left));
    for (const namespace of namespaces) await namespace.clear();
    // A machine under load may cost even the other agent so short a lease: any attempt but the one far away may end.
    for (const [n, name] of names.entries()) {
      const first = farAway.get(tasks[n]!)! + 1;
      for (let attempt = first; attempt <= MOST_ATTEMPTS; attempt++) {
        await openGate(release.gates, `${name}.${attempt}`);
      }
    }
    for (const id of deployments) expect((await rack.ended(id)).status).toBe("completed");

    const ends = await Promise.all(tasks.map(async (id) => {
      const { attempt, fence, status } = await rack.task(id);
      expect({ id, status, fence }).toEqual({ id, status: "success", fence: attempt });
      return { task: id, attempt, emitted: numberedLines(release.lines), stored: await rack.storedLog(id, attempt) };
    }));
    const history = await rack.history(release, deployments, { exclusive: true, logs: ends });
    expectSound(history);
    // The attempts far away were held still and then killed: none of them came to its end.
    const isLate = (line: LedgerLine) => line.attempt <= farAway.get(line.task)!;
    expect(history.ledger!.filter((line) => line.what === "end" && isLate(line))).toEqual([]);
    expect(history.ledger!.filter((line) => line.what === "end").length).toBe(tasks.length);
  }

  const cases = [
    ["F7", "both", "cut off in both directions"],
    ["F8", "to_host", "that hear the master and are not heard"],
    ["F8", "from_host", "that are heard and do not hear the master"],
  ] as const;
  for (const [number, direction, what] of cases) {
    const seed = firstSeed();
    it(
      `${number}: ${2 * TASKS} tasks of agents ${what} never overlap with their next attempts (seed ${seed})`,
      async () => {
        const held = () => far.map((agent) => agent.output().split("the task is held still").length - 1);
        const before = held();
        await cutOff(direction, seed);
        held().forEach((count, i) => expect(count - before[i]!).toBeGreaterThanOrEqual(TASKS));
      },
      240_000,
    );
  }
});
