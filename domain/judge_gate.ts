/**
 * Whether a release may go on, from what is measured of it. Pure: the loop measures, this judges.
 *
 *   waiting --pass, and enough of them--> passed
 *      |  '--pass | no data that may wait--> waiting (measured again after `every`)
 *      '--fail | no data that fails | no data for too long--> failed
 *
 * A gate `for: 5m, every: 1m` takes six measurements, a minute apart. Time in which nothing is measured (the deployment
 * is paused, no master leads) counts for nothing, so that nobody waits a gate out.
 */
import { parseDuration } from "./duration.ts";
import { reason } from "./reason.ts";
import type { Reason } from "./reason.ts";
import type { GateInput } from "./strategy.ts";

/** `error`: who should have answered did not, or not so that it could be read. It counts as no data, but never passes. */
export const MEASUREMENT_VERDICTS = ["pass", "fail", "no_data", "error"] as const;
export type MeasurementVerdict = (typeof MEASUREMENT_VERDICTS)[number];
export interface Measured {
  verdict: MeasurementVerdict;
  /** What was compared, as it is shown; null where there was nothing. */
  value: number | null;
  /** A sentence: what it was, or why there is none. */
  note: string;
}

/** A gate that the master measures. */
export type MeasuredGate = Exclude<GateInput, { script: string }>;
export interface GateTiming {
  everySeconds: number;
  /** Measurements that must pass. */
  needed: number;
  noData: "fail" | "pass" | "wait";
  timeoutSeconds: number;
  /** With `noData: wait`, measurements in a row without data before it fails. */
  patience: number;
}
/** Since the gate began: measurements that passed, and those without data since the last that had some. */
export interface GateProgress {
  passed: number;
  missed: number;
}
export interface Judgement {
  state: "success" | "failed" | "pending";
  progress: GateProgress;
  reason: Reason;
}

const EVERY_SECONDS = 60;
const TIMEOUT_SECONDS = 10;
/** With `noData: wait`: as long as `for`, and five minutes at least. */
const LEAST_PATIENCE_SECONDS = 300;

export function timingOf(gate: GateInput): GateTiming {
  const forSeconds = gate.for === undefined ? 0 : parseDuration(gate.for)!;
  const asked = gate.every === undefined ? undefined : parseDuration(gate.every)!;
  // A short window with no rhythm of its own is measured at its beginning and its end.
  const everySeconds = Math.max(1, asked ?? (forSeconds > 0 ? Math.min(EVERY_SECONDS, forSeconds) : EVERY_SECONDS));
  return {
    everySeconds,
    needed: Math.ceil(forSeconds / everySeconds) + 1,
    noData: gate.noData ?? "fail",
    timeoutSeconds: gate.timeout === undefined
      ? TIMEOUT_SECONDS
      : Math.min(60, Math.max(1, parseDuration(gate.timeout)!)),
    patience: Math.ceil(Math.max(LEAST_PATIENCE_SECONDS, forSeconds) / everySeconds) + 1,
  };
}

/** @param now what `until` is counted from */
export function judgeGate(
  gate: MeasuredGate,
  progress: Readonly<GateProgress>,
  measured: Readonly<Measured>,
  now: Date,
): Judgement {
  const timing = timingOf(gate);
  const said: Record<string, string | number> = { note: measured.note, rule: sayRule(gate) };
  const later = (count: number) => sayInstant(now.getTime() + count * timing.everySeconds * 1000);
  if (measured.verdict === "fail") return { state: "failed", progress, reason: reason("task.gate_failed", said) };
  const hasData = measured.verdict === "pass";
  if (!hasData && timing.noData === "fail") {
    return { state: "failed", progress, reason: reason("task.gate_no_data", said) };
  }
  // A server that is away has not said that there is nothing: with `noData: pass` it is waited for, and never passes.
  if (!hasData && (timing.noData === "wait" || measured.verdict === "error")) {
    const missed = progress.missed + 1;
    const next = { passed: progress.passed, missed };
    if (missed >= timing.patience) {
      const seconds = (missed - 1) * timing.everySeconds;
      return { state: "failed", progress: next, reason: reason("task.gate_no_data_long", { ...said, seconds }) };
    }
    const until = later(timing.patience - missed);
    return { state: "pending", progress: next, reason: reason("task.gate_waiting_for_data", { ...said, until }) };
  }
  const passed = progress.passed + 1;
  const next = { passed, missed: 0 };
  const params = { ...said, passed, count: timing.needed };
  if (passed >= timing.needed) return { state: "success", progress: next, reason: reason("task.gate_passed", params) };
  const until = later(timing.needed - passed);
  return { state: "pending", progress: next, reason: reason("task.gate_measuring", { ...params, until }) };
}

/** What must hold, in a few words. */
export function sayRule(gate: MeasuredGate): string {
  if ("http" in gate) return `answers ${gate.expect ?? "2xx"}`;
  const { min, max } = gate;
  if (min !== undefined && max !== undefined) return `from ${min} to ${max}`;
  return max !== undefined ? `at most ${max}` : `at least ${min}`;
}

/** The sample that counts is the worst: with both bounds, the one that is furthest outside or nearest to a bound. */
export function judgeSamples(
  gate: Readonly<{ max?: number; min?: number }>,
  samples: readonly { value: number; name: string }[],
): Measured {
  const present = samples.filter(({ value }) => !Number.isNaN(value));
  if (present.length === 0) {
    const note = samples.length === 0 ? "the query has no result" : "the result is not a number (NaN)";
    return { verdict: "no_data", value: null, note };
  }
  const excess = ({ value }: { value: number }) =>
    Math.max(
      gate.max === undefined ? -Infinity : value - gate.max,
      gate.min === undefined ? -Infinity : gate.min - value,
    );
  const worst = present.reduce((one, other) => (excess(other) > excess(one) ? other : one));
  const isGood = (gate.max === undefined || worst.value <= gate.max) &&
    (gate.min === undefined || worst.value >= gate.min);
  const of = present.length > 1 ? `, the worst of ${present.length}${worst.name && `: ${worst.name}`}` : "";
  return {
    verdict: isGood ? "pass" : "fail",
    value: Number.isFinite(worst.value) ? worst.value : null,
    note: `${sayNumber(worst.value)}${of}`,
  };
}

const sayNumber = (value: number): string =>
  Number.isFinite(value) ? String(Number(value.toPrecision(6))) : value > 0 ? "+Inf" : "-Inf";
const sayInstant = (milliseconds: number) => new Date(milliseconds).toISOString().replace(/\.\d+Z$/, "Z");
