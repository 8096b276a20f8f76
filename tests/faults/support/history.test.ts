/** The checker must be able to say no: one sound history, and for each invariant forged ones that it names. */
import { describe, expect, it } from "vitest";
import { gapMarker } from "../../../domain/log_marker.ts";
import type { LedgerLine } from "../../helpers/ledger_app.ts";
import { checkHistory, expectSound, expectStories } from "./history.ts";
import type { DeploymentView, History, TaskEvent, TaskView } from "./history.ts";

const MB = 1024 * 1024;
const DEPLOYMENT = "d1";
let eventId = 0;
const task = (kind: string, id = "t1", params: TaskEvent["reason"]["params"] = {}): TaskEvent => ({
  id: ++eventId,
  at: "2026-01-01T00:00:00Z",
  taskId: id,
  deploymentId: DEPLOYMENT,
  kind: `task.${kind}`,
  reason: { code: `task.${kind}`, params },
});
const leased = (attempt: number, agent = "rack-1", id = "t1") => task("leased", id, { agent, attempt });
const deployment = (kind: string, code = `deployment.${kind}`): TaskEvent => ({
  ...task("", "none"),
  taskId: null,
  kind: `deployment.${kind}`,
  reason: { code, params: {} },
});
const view = (given: Partial<TaskView> = {}): TaskView => ({
  id: "t1",
  deploymentId: DEPLOYMENT,
  status: "success",
  attempt: 1,
  fence: 1,
  leaseExpiresAt: null,
  dependencies: [],
  ...given,
});
const ended = (given: Partial<DeploymentView> = {}): DeploymentView => ({
  id: DEPLOYMENT,
  status: "completed",
  startedAt: "2026-01-01T00:00:00Z",
  completedAt: "2026-01-01T00:00:10Z",
  ...given,
});
const line = (what: LedgerLine["what"], at: number, attempt = 1, id = "t1"): LedgerLine => ({
  what,
  task: id,
  attempt,
  fence: attempt,
  at: BigInt(at),
});
const log = (emitted: string, stored: string): History => ({ logs: [{ task: "t1", attempt: 1, emitted, stored }] });

/** A whole of three parts, of which the third waits for the second; it is handed out when the first two have ended. */
function partly({ failed, maxFailures }: { failed: string[]; maxFailures: number }): History {
  const outcomeOf = (id: string) => (failed.includes(id) ? "failed" : "success");
  const ends = ["b0", "b1"].flatMap((id) => [leased(1, "rack-1", id), task(outcomeOf(id), id)]);
  return {
    events: [...ends, leased(1, "rack-1", "b2"), task("success", "b2")],
    tasks: [
      view({ id: "whole", status: failed.length > maxFailures ? "failed" : "success", maxFailures }),
      ...["b0", "b1"].map((id) => view({ id, parentId: "whole", status: outcomeOf(id) })),
      view({ id: "b2", parentId: "whole", dependencies: ["b1"] }),
    ],
  };
}

/** A lost attempt, a second one that succeeds, a dependent that runs after it, a log with a marker. */
function soundHistory(): History {
  return {
    exclusive: true,
    events: [
      deployment("running", "deployment.started"),
      leased(1),
      task("running"),
      task("lost"),
      leased(2, "rack-2"),
      task("running"),
      task("success"),
      task("pending", "t2"),
      leased(1, "rack-1", "t2"),
      task("success", "t2"),
      deployment("completed"),
    ],
    ledger: [
      line("start", 10),
      line("beat", 20),
      line("start", 30, 2),
      line("end", 40, 2),
      line("start", 50, 1, "t2"),
      line("end", 60, 1, "t2"),
    ],
    tasks: [view({ attempt: 2, fence: 2 }), view({ id: "t2", dependencies: ["t1"] })],
    deployments: [ended()],
    ...log("one\ntwo\nthree\n", `one\n${gapMarker({ bytes: 4, cause: "spool" })}three\n`),
    memory: [{ process: "master", beforeBytes: 100 * MB, peakBytes: 160 * MB }],
    staleWrites: { before: { status: "success" }, after: { status: "success" }, refused: 3 },
  };
}

it("accepts a history in which everything went as it may", () => {
  expect(checkHistory(soundHistory())).toEqual([]);
  expectSound(soundHistory());
});

it("throws with every broken invariant and the history behind it", () => {
  expect(() => expectSound({ ...soundHistory(), deployments: [ended({ status: "running" })] })).toThrow(
    /^I4: deployment d1 has not ended; it is running\.\n\ndeployment d1 running/,
  );
});

it("does not take nothing for a good sign", () => {
  expect(() => expectSound({})).toThrow("says nothing");
  expect(() => expectSound({ events: [], tasks: [], ledger: [], exclusive: true, boundSeconds: 30 })).toThrow(
    "says nothing",
  );
  const { events, tasks, deployments } = soundHistory();
  const read = (history: History, ids = [DEPLOYMENT]) => () => expectStories(history, ids);
  expect(read({ events, tasks, deployments })).not.toThrow();
  expect(read({ events, tasks, deployments }, [])).toThrow("no deployment");
  expect(read({ events, tasks })).toThrow("no row of deployment d1");
  expect(read({ events, deployments, tasks: [] })).toThrow("no task of deployment d1");
  expect(read({ events: [], tasks, deployments })).toThrow("no event of deployment d1");
});

const forged: Record<string, () => History> = {
  "I1: leased to a second agent while the first holds it": () => ({ events: [leased(1), leased(2, "rack-2")] }),
  "I1: one attempt handed out twice": () => ({ events: [leased(1), task("lost"), leased(1, "rack-2")] }),
  "I1: ended and still leased": () => ({ tasks: [view({ leaseExpiresAt: "2026-01-01T00:00:00Z" })] }),
  "I2: a late write that changed the task": () => ({
    staleWrites: { before: { log: "a" }, after: { log: "ab" }, refused: 1 },
  }),
  "I2: a late write that nobody refused": () => ({ staleWrites: { before: {}, after: {}, refused: 0 } }),
  "I3: two attempts at once": () => ({
    exclusive: true,
    ledger: [line("start", 10), line("start", 20, 2), line("end", 30), line("end", 40, 2)],
  }),
  "I3: a killed attempt that still beat after the next had begun": () => ({
    exclusive: true,
    ledger: [line("start", 10), line("start", 20, 2), line("beat", 21), line("end", 30, 2)],
  }),
  "I3: two tasks of what a key says is one place": () => ({
    exclusive: () => "shop in production",
    ledger: [line("start", 10), line("start", 20, 1, "t2"), line("end", 30), line("end", 40, 1, "t2")],
  }),
  "I4: a deployment that has not ended": () => ({
    deployments: [ended({ status: "cancelling", completedAt: null })],
  }),
  "I4: a deployment that waits for nobody": () => ({ deployments: [ended({ status: "paused", completedAt: null })] }),
  "I4: a deployment that took too long": () => ({ deployments: [ended()], boundSeconds: 9 }),
  "I4: a task that outlives its deployment": () => ({ deployments: [ended()], tasks: [view({ status: "running" })] }),
  "I5: a task that goes on after its end": () => ({ events: [leased(1), task("success"), task("failed")] }),
  "I5: a deployment that goes on after its end": () => ({
    events: [deployment("completed"), deployment("running", "deployment.started")],
  }),
  "I5: a retry that takes up what had succeeded": () => ({
    events: [leased(1), task("success"), deployment("running", "deployment.resumed"), leased(2)],
  }),
  "I5: a task that is another than its last word": () => ({
    events: [leased(1), task("success")],
    tasks: [view({ status: "failed" })],
  }),
  "I6: a line that is missing": () => log("1\n2\n3\n", "1\n3\n"),
  "I6: a line that is there twice": () => log("1\n2\n3\n", "1\n2\n2\n3\n"),
  "I6: lines in another order": () => log("1\n2\n3\n", "1\n3\n2\n"),
  "I6: an end that is missing": () => log("1\n2\n3\n", "1\n2\n"),
  "I6: a marker with the wrong count": () => log("1\n2\n3\n", `1\n${gapMarker({ bytes: 1, cause: "cap" })}3\n`),
  "I6: a marker with the wrong count of lines": () =>
    log("1\n2\n3\n", `1\n${gapMarker({ bytes: 2, lines: 2, cause: "cap" })}3\n`),
  "I6: a marker and still a byte too few": () =>
    log("1\n2\n345\n", `1\n${gapMarker({ bytes: 2, cause: "spool" })}35\n`),
  "I7: memory that grows beyond 64 MB": () => ({
    memory: [{ process: "agent", beforeBytes: 100 * MB, peakBytes: 165 * MB }],
  }),
  "I8: one attempt started twice": () => ({ ledger: [line("start", 10), line("end", 11), line("start", 12)] }),
  "I8: one fence for two attempts": () => ({
    ledger: [line("start", 10), line("end", 11), { ...line("start", 12, 2), fence: 1 }],
  }),
  "I9: handed out before its dependency had succeeded": () => ({
    events: [leased(1), leased(1, "rack-1", "t2"), task("success")],
    tasks: [view(), view({ id: "t2", dependencies: ["t1"] })],
  }),
  "I9: handed out after its dependency had failed": () => ({
    events: [leased(1), task("failed"), leased(1, "rack-1", "t2")],
    tasks: [view({ status: "failed" }), view({ id: "t2", status: "running", dependencies: ["t1"] })],
  }),
  "I9: handed out after a part had failed and nothing was tolerated": () => {
    const history = partly({ failed: ["b1"], maxFailures: 0 });
    return { ...history, events: [...history.events!, task("failed", "whole")] };
  },
  "I9: handed out after more parts had failed than are tolerated": () =>
    partly({ failed: ["b0", "b1"], maxFailures: 1 }),
  "I9: handed out after a part of a whole that nobody knows had failed": () => {
    const { events, tasks } = partly({ failed: ["b1"], maxFailures: 1 });
    return { events, tasks: tasks!.filter(({ id }) => id !== "whole") };
  },
  "I9: a program that began before that of its dependency had ended": () => ({
    ledger: [line("start", 10), line("start", 20, 1, "t2"), line("end", 30), line("end", 40, 1, "t2")],
    tasks: [view(), view({ id: "t2", dependencies: ["t1"] })],
  }),
};

describe("a forged history is rejected, and the invariant named", () => {
  for (const [what, forge] of Object.entries(forged)) {
    it(what, () => {
      const broken = checkHistory(forge());
      expect(broken).toHaveLength(1);
      expect(broken[0]!.slice(0, 3)).toBe(what.slice(0, 3));
    });
  }

  it("covers every invariant", () => {
    const named = new Set(Object.keys(forged).map((what) => what.slice(0, 2)));
    expect([...named].sort()).toEqual(["I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I9"]);
  });
});

describe("what looks odd and is right", () => {
  it("a person's retry of what had failed, and a rollback that was asked for", () => {
    expect(checkHistory({
      events: [
        leased(1),
        task("failed"),
        deployment("failed"),
        deployment("running", "deployment.resumed"),
        leased(2),
        task("success"),
        deployment("completed"),
        deployment("rolling_back", "deployment.rolling_back_asked"),
        deployment("rolled_back"),
      ],
      tasks: [view()],
    })).toEqual([]);
  });

  it("a pause that the test wants, and a superseded deployment whose tasks wait for nothing", () => {
    expect(checkHistory({ deployments: [ended({ status: "paused" })], mayPause: true })).toEqual([]);
    expect(checkHistory({ deployments: [ended({ status: "superseded" })], tasks: [view({ status: "pending" })] }))
      .toEqual([]);
  });

  it("a rollback after a failure", () => {
    expect(checkHistory({
      events: [leased(1), task("failed"), leased(1, "rack-1", "undo"), task("success", "undo")],
      tasks: [view({ status: "failed" }), view({ id: "undo", dependencies: ["t1"], isRollback: true })],
    })).toEqual([]);
  });

  it("a part that begins after one that failed, as long as their whole tolerates it", () => {
    expect(checkHistory(partly({ failed: ["b1"], maxFailures: 1 }))).toEqual([]);
    expect(checkHistory(partly({ failed: ["b0", "b1"], maxFailures: 2 }))).toEqual([]);
  });

  it("a marker on a line of its own, and a program that prints what looks like one", () => {
    const marker = gapMarker({ bytes: 5, lines: 0, cause: "cap" });
    expect(checkHistory(log("ab\ncdef", `ab\n${gapMarker({ cause: "spool", bytes: 4 })}`))).toEqual([]);
    expect(checkHistory(log("abc56789def", `abc\n${marker}def`))).toEqual([]);
    expect(checkHistory(log(`a\n${marker}b`, `a\n${marker}b`))).toEqual([]);
  });
});
