import { describe, expect, it } from "vitest";
import type { Operator } from "../operators/operator.ts";
import type { FromAgent } from "../protocol/agent_messages.ts";
import { FromAgent as Message } from "../protocol/agent_messages.ts";
import type { Observed } from "../protocol/observed.ts";
import { createVirtualClock } from "../tests/helpers/virtual_clock.ts";
import { createStateReporter } from "./state_reporter.ts";

const order: Observed = {
  application: "order",
  environmentId: "e1",
  target: "m1",
  version: "v1",
  health: "healthy",
  resources: [],
  differences: [],
  details: {},
};
const user = { ...order, application: "user" };

function setUp(...first: Observed[]) {
  const clock = createVirtualClock();
  const sent: Extract<FromAgent, { type: "state.report" }>[] = [];
  let runs = first;
  let changed = () => {};
  let scans = 0;
  const asked: string[][] = [];
  let mayGoOn = Promise.resolve();
  const operator: Operator = {
    kind: "test",
    run: () => Promise.reject(new Error("nothing is run here")),
    async *observe(wants) {
      scans++;
      const wanted = runs.filter((one) => !wants || wants(one));
      asked.push(wanted.map(({ application }) => application));
      await mayGoOn;
      yield* wanted;
    },
    onChange(call) {
      changed = call;
      return () => changed = () => {};
    },
  };
  const reporter = createStateReporter({
    operators: [operator],
    clock,
    chance: () => 0.5,
    logger: { log: () => {} },
    scanSeconds: 60,
    send: (message) => void sent.push(Message.parse(message) as typeof sent[0]),
  });
  return {
    clock,
    reporter,
    take: () => sent.splice(0),
    scans: () => scans,
    asked: () => asked.splice(0),
    /** As an operator that watches would. */
    change: (...now: Observed[]) => (runs = now, changed()),
    drift: (...now: Observed[]) => void (runs = now),
    /** Looks end when what it returns is called. */
    hold() {
      const { promise, resolve } = Promise.withResolvers<void>();
      mayGoOn = promise;
      return resolve;
    },
  };
}

describe("an agent's reports", () => {
  it("begin with all that runs, and then say nothing while nothing changes", async () => {
    const { clock, reporter, take, scans } = setUp(order, user);
    reporter.connected();
    await clock.advance(3000);
    expect(take()).toEqual([{
      type: "state.report",
      observed: [order, user],
      present: [{ environmentId: "e1", application: "order" }, { environmentId: "e1", application: "user" }],
    }]);
    await clock.advance(600_000);
    expect(take()).toEqual([]);
    expect(scans()).toBeGreaterThan(8);
  });

  it("tell what changed by hand within a scan, and at once what an operator saw change", async () => {
    const { clock, reporter, take, drift, change } = setUp(order, user);
    reporter.connected();
    await clock.advance(3000);
    take();
    const differing = { ...order, differences: [{ path: "env.A", expected: "1", actual: "2" }] };
    drift(differing, user);
    await clock.advance(75_000);
    expect(take()).toEqual([{ type: "state.report", observed: [differing] }]);
    change({ ...order, health: "degraded" }, user);
    await clock.advance(1);
    expect(take()).toMatchObject([{ observed: [{ application: "order", health: "degraded" }] }]);
  });

  it("hold nothing that no database can, whatever a program says of itself", async () => {
    const { clock, reporter, take } = setUp({ ...order, details: { status: `\u{1F9CA}`.slice(1) + "\0 up" } });
    reporter.connected();
    await clock.advance(3000);
    expect(take()).toMatchObject([{ observed: [{ details: { status: "\uFFFD\uFFFD up" } }] }]);
  });

  it("name what is left when something is gone, also when it was the last", async () => {
    const { clock, reporter, take, change } = setUp(order, user);
    reporter.connected();
    await clock.advance(3000);
    take();
    change(user);
    await clock.advance(1000);
    expect(take()).toEqual([{
      type: "state.report",
      observed: [],
      present: [{ environmentId: "e1", application: "user" }],
    }]);
    change();
    await clock.advance(1000);
    expect(take()).toEqual([{ type: "state.report", observed: [], present: [] }]);
  });

  it("repeat what a task was about after its end, and everything to the next connection", async () => {
    const { clock, reporter, take } = setUp(order, user);
    reporter.connected();
    await clock.advance(3000);
    take();
    reporter.look(order);
    await clock.advance(1000);
    expect(take()).toEqual([{ type: "state.report", observed: [order] }]);
    reporter.disconnected();
    await clock.advance(600_000);
    expect(take()).toEqual([]);
    reporter.connected();
    await clock.advance(3000);
    expect(take()).toMatchObject([{ observed: [order, user] }]);
  });

  it("are of what runs after somebody has asked, also when a look was under way then", async () => {
    const { clock, reporter, take, drift, hold } = setUp(order);
    const goOn = hold();
    reporter.connected();
    await clock.advance(3000);
    const newer = { ...order, version: "v9" };
    drift(newer);
    reporter.look();
    goOn();
    await clock.advance(3000);
    expect(take().at(-1)?.observed).toEqual([newer]);
  });

  it("look after a result only at what it was about, and at all where something is gone", async () => {
    const { clock, reporter, take, asked, drift } = setUp(order, user);
    reporter.connected();
    await clock.advance(3000);
    take();
    asked();
    reporter.look(order);
    await clock.advance(1000);
    expect([asked(), take()]).toEqual([[["order"]], [{ type: "state.report", observed: [order] }]]);
    drift(user);
    reporter.look(order);
    await clock.advance(1000);
    const present = [{ environmentId: "e1", application: "user" }];
    expect([asked(), take()]).toEqual([[[], ["user"]], [{ type: "state.report", observed: [], present }]]);
    drift(order, user);
    for (let seconds = 0; seconds < 90; seconds++) {
      reporter.look(user); // a busy agent looks at all in its time as well
      await clock.advance(1000);
    }
    expect(take().flatMap((report) => report.observed)).toContainEqual(order);
  });

  it("answer a question also when there is no news", async () => {
    const { clock, reporter, take } = setUp(order);
    reporter.connected();
    await clock.advance(3000);
    take();
    reporter.answer("q1");
    await clock.advance(1);
    expect(take()).toEqual([{ type: "state.report", observed: [], requestId: "q1" }]);
  });

  it("stay within the bounds of the wire however much there is", async () => {
    const long = (n: number): Observed => ({
      ...order,
      application: `app-${n}`,
      details: { status: "x".repeat(20_000) },
      resources: Array.from({ length: 80 }, (_, i) => ({
        ...{ kind: "process" as const, name: `pid ${i}`, state: "running", startedAt: null, restarts: 0 },
        details: { note: "y".repeat(3000) },
      })),
    });
    const { clock, reporter, take } = setUp(...Array.from({ length: 210 }, (_, n) => long(n)));
    reporter.connected();
    await clock.advance(3000);
    const reports = take(); // each was parsed by the wire's own schema
    expect(reports.flatMap((r) => r.observed)).toHaveLength(210);
    expect(Math.max(...reports.map((r) => JSON.stringify(r).length))).toBeLessThan(256 * 1024);
    expect(reports.map((r) => r.present?.length)).toEqual([...reports.slice(1).map(() => undefined), 210]);
  });
});
