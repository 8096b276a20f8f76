/** The invariants, one function each: every sentence begins with the number of what is broken. */
import { isEnded } from "../../../domain/deployment_state.ts";
import { FINAL_STATES } from "../../../domain/task_state.ts";
import type { LedgerLine } from "../../helpers/ledger_app.ts";
import { compareLog } from "./check_log.ts";
import type { History, TaskEvent, TaskView } from "./history_parts.ts";

const MEMORY_GROWTH = 64 * 1024 * 1024;
const BOUND_SECONDS = 120;
const FINAL: readonly string[] = FINAL_STATES;
const TERMINAL_TASK = new Set(FINAL_STATES.map((state) => `task.${state}`));
const TERMINAL_DEPLOYMENT = new Set(
  ["completed", "failed", "cancelled", "rolled_back", "rollback_failed", "superseded"].map((s) => `deployment.${s}`),
);
const FOR_EVER = new Set(["deployment.superseded", "deployment.rolled_back"]);
/** The lease has ended; `task.retrying` and `task.lost` hand the task back. */
const ENDS_LEASE = new Set([...TERMINAL_TASK, "task.retrying", "task.lost"]);

/** @returns one sentence per broken invariant; empty when all hold */
export function checkHistory(history: History): string[] {
  return INVARIANTS.flatMap((check) => [...check(history)]);
}

function* oneLease({ events = [], tasks = [] }: History): Iterable<string> {
  for (const [task, own] of byTask(events)) {
    let live: TaskEvent | undefined;
    const leased = new Set<unknown>();
    for (const event of own) {
      if (event.kind === "task.leased") {
        const { agent, attempt } = event.reason.params;
        if (live) {
          const { agent: first, attempt: firstAttempt } = live.reason.params;
          yield `I1: ${task} was leased to ${agent} (attempt ${attempt}) while ${first} held it (attempt ${firstAttempt}).`;
        }
        if (leased.has(attempt)) yield `I1: attempt ${attempt} of ${task} was leased twice.`;
        leased.add(attempt);
        live = event;
      } else if (ENDS_LEASE.has(event.kind)) live = undefined;
    }
  }
  for (const task of tasks) {
    if (FINAL.includes(task.status) && task.leaseExpiresAt) yield `I1: ${task.id} has ended and is still leased.`;
  }
}

function* staleWritesLeaveNothing({ staleWrites }: History): Iterable<string> {
  if (!staleWrites) return;
  const [before, after] = [JSON.stringify(staleWrites.before, null, 1), JSON.stringify(staleWrites.after, null, 1)];
  if (before !== after) yield `I2: a late write left a trace: ${firstDifference(before, after)}.`;
  if (staleWrites.refused < 1) yield "I2: no late write was counted as refused.";
}

function* noOverlap({ ledger = [], exclusive }: History): Iterable<string> {
  if (!exclusive) return;
  const keyOf = typeof exclusive === "function" ? exclusive : (line: LedgerLine) => line.task;
  for (const [key, lines] of Map.groupBy(ledger, keyOf)) {
    // An attempt that was killed wrote no end: it lived at least to its last line.
    const attempts = [...Map.groupBy(lines, attemptOf)].map(([name, own]) => ({ name, ...spanOf(own) }))
      .sort((a, b) => (a.from < b.from ? -1 : 1));
    let longest = attempts[0];
    for (const next of attempts.slice(1)) {
      if (next.from <= longest!.to) {
        yield `I3: of ${key}, ${next.name} began ${longest!.to - next.from} ns before the last sign of ${
          longest!.name
        }.`;
      }
      if (next.to > longest!.to) longest = next;
    }
  }
}

function* deploymentsEnd(history: History): Iterable<string> {
  const { deployments = [], tasks = [], boundSeconds = BOUND_SECONDS } = history;
  for (const { id, status, startedAt, completedAt } of deployments) {
    if (status === "paused" && history.mayPause) continue;
    if (!isEnded(status)) {
      yield `I4: deployment ${id} has not ended; it is ${status}.`;
      continue;
    }
    const seconds = startedAt && completedAt ? (Date.parse(completedAt) - Date.parse(startedAt)) / 1000 : 0;
    if (seconds > boundSeconds) yield `I4: deployment ${id} took ${seconds} s, more than ${boundSeconds} s.`;
    if (status === "superseded") continue;
    for (const task of tasks) {
      if (task.deploymentId === id && !FINAL.includes(task.status)) {
        yield `I4: deployment ${id} is ${status} and its task ${task.id} is ${task.status}.`;
      }
    }
  }
}

/** Only a person opens again what has ended: a retry takes up what did not succeed, a rollback the deployment alone. */
function* terminalIsFinal({ events = [], tasks = [] }: History): Iterable<string> {
  const final = new Map<string, string>();
  const deploymentOf = new Map(events.map((event) => [event.taskId, event.deploymentId]));
  for (const event of events) {
    const subject = event.taskId ?? event.deploymentId;
    const isRetry = event.kind === "deployment.running" && event.reason.code === "deployment.resumed";
    const isRollback = event.kind === "deployment.rolling_back" &&
      event.reason.code === "deployment.rolling_back_asked";
    if (isRetry || (isRollback && !FOR_EVER.has(final.get(subject) ?? ""))) final.delete(subject);
    if (isRetry) {
      for (const [id, was] of final) {
        if (was !== "task.success" && deploymentOf.get(id) === event.deploymentId) final.delete(id);
      }
    }
    const was = final.get(subject);
    if (was) yield `I5: ${event.kind} of ${subject} came after ${was}.`;
    if (TERMINAL_TASK.has(event.kind) || TERMINAL_DEPLOYMENT.has(event.kind)) final.set(subject, event.kind);
  }
  for (const { id, status } of tasks) {
    const was = final.get(id);
    if (was && was !== `task.${status}`) yield `I5: ${id} is ${status} after ${was}.`;
  }
}

function* logsAreWhole({ logs = [] }: History): Iterable<string> {
  for (const { task, attempt, emitted, stored } of logs) {
    const difference = compareLog(emitted, stored);
    if (difference) yield `I6: log of ${task}, attempt ${attempt}: ${difference}.`;
  }
}

function* memoryIsBounded({ memory = [] }: History): Iterable<string> {
  for (const { process, beforeBytes, peakBytes } of memory) {
    const grown = peakBytes - beforeBytes;
    if (grown > MEMORY_GROWTH) yield `I7: ${process} grew by ${(grown / 1024 / 1024).toFixed(1)} MB, more than 64.`;
  }
}

function* oneStartPerAttempt({ ledger = [] }: History): Iterable<string> {
  const starts = ledger.filter((line) => line.what === "start");
  for (const [attempt, lines] of Map.groupBy(starts, attemptOf)) {
    if (lines.length > 1) yield `I8: ${attempt} was started ${lines.length} times.`;
  }
  for (const [fence, lines] of Map.groupBy(starts, (line) => `fence ${line.fence} of ${line.task}`)) {
    if (new Set(lines.map((line) => line.attempt)).size > 1) yield `I8: ${fence} was given to several attempts.`;
  }
}

function* dependenciesComeFirst({ tasks = [], events, ledger = [] }: History): Iterable<string> {
  const known = new Map(tasks.map((task) => [task.id, task]));
  const eventsOf = byTask(events ?? []);
  const lastEnd = (id: string, before: number) =>
    (eventsOf.get(id) ?? []).findLast((e) => e.id < before && TERMINAL_TASK.has(e.kind))?.kind;
  const isTolerated = ({ parentId }: TaskView, before: number) => {
    if (!parentId) return false;
    const failed = tasks.filter((t) => t.parentId === parentId && lastEnd(t.id, before) === "task.failed").length;
    return failed <= (known.get(parentId)?.maxFailures ?? 0);
  };
  for (const task of tasks) {
    const starts = (eventsOf.get(task.id) ?? []).filter((e) => e.kind === "task.leased" || e.kind === "task.running");
    for (const dependency of task.dependencies) {
      const other = known.get(dependency);
      for (const start of starts) {
        const last = lastEnd(dependency, start.id);
        // A failed part may be tolerated by its whole; a rollback goes on whatever became of what it waits for.
        const isEnough = last === "task.success" || last && (task.isRollback || !other) ||
          last === "task.failed" && other && isTolerated(other, start.id);
        if (events && !isEnough) {
          yield `I9: ${task.id} was ${start.kind.slice(5)} before ${dependency} had succeeded.`;
          break;
        }
      }
      const begun = ledger.filter((line) => line.task === task.id && line.what === "start").map((line) => line.at);
      const end = ledger.filter((line) => line.task === dependency).map((line) => line.at).reduce(max, 0n);
      if (begun.some((at) => at < end)) yield `I9: ${task.id} started before the program of ${dependency} had ended.`;
    }
  }
}

const INVARIANTS = [
  oneLease,
  staleWritesLeaveNothing,
  noOverlap,
  deploymentsEnd,
  terminalIsFinal,
  logsAreWhole,
  memoryIsBounded,
  oneStartPerAttempt,
  dependenciesComeFirst,
];

const max = (a: bigint, b: bigint) => (a > b ? a : b);
const attemptOf = (line: LedgerLine) => `attempt ${line.attempt} (fence ${line.fence}) of ${line.task}`;
const spanOf = (lines: LedgerLine[]) => ({
  from: lines.map((line) => line.at).reduce((a, b) => (a < b ? a : b)),
  to: lines.map((line) => line.at).reduce(max),
});

function byTask(events: readonly TaskEvent[]): Map<string, TaskEvent[]> {
  return Map.groupBy(events.filter((event) => event.taskId !== null), (event) => event.taskId!);
}

function firstDifference(before: string, after: string): string {
  const [a, b] = [before.split("\n"), after.split("\n")];
  const at = a.findIndex((line, i) => line !== b[i]);
  return at < 0 ? `${b[a.length]?.trim()} was added` : `${a[at]!.trim()} became ${b[at]?.trim()}`;
}
