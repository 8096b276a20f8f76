/** Hooks and the scripts of gates, as a mock environment plays them: it never runs what a bundle brings. */
import type { Clock } from "../../domain/ports.ts";
import type { MockScript } from "../../protocol/config/application.ts";
import type { Operation, OutcomeInput } from "../../protocol/operation.ts";
import type { RunContext } from "../operator.ts";
import { wait } from "../stopped.ts";

const KEPT_MEASUREMENTS = 100;

export async function playHook(operation: Operation, script: MockScript, context: RunContext): Promise<OutcomeInput> {
  const { app, version, environment, hook, target, isRollback } = operation;
  const what = `The ${hook?.name} hook of ${app} ${version}`;
  const lines = [
    `Running ${hook?.run} for ${target?.name ?? environment} (mock: it is not really run).`,
    `BOREAS_HOOK=${hook?.name} BOREAS_IS_ROLLBACK=${isRollback ? 1 : 0}`,
  ];
  for (const [index, line] of lines.entries()) {
    if (index < context.logPosition) continue;
    await context.trusted();
    await context.log(`${line}\n`, index + 1);
  }
  if (script.failHook !== undefined && script.failHook === hook?.name) {
    const message = script.message ?? `${what} failed, as its script says.`;
    return { status: "failed", message, code: "hook.failed", lastLines: lines };
  }
  return { status: "success", message: `${what}, ${hook?.run}, has run.` };
}

/** As often, and for as long, as a real one. */
export async function playGate(
  operation: Operation,
  script: MockScript,
  context: RunContext,
  clock: Clock,
): Promise<OutcomeInput> {
  const { app, version, gate } = operation;
  const what = `The gate of ${app} ${version}, ${gate?.run},`;
  const everySeconds = Math.max(1, gate?.everySeconds ?? 1);
  const count = 1 + Math.floor((gate?.forSeconds ?? 0) / everySeconds);
  const measurements: { at: string; ok: boolean; note: string }[] = [];
  for (let number = 1; number <= count; number++) {
    await context.trusted();
    const ok = script.failGate !== number;
    const note = ok ? "good" : script.message ?? "it failed, as its script says";
    measurements.push({ at: clock.now().toISOString(), ok, note });
    measurements.splice(0, measurements.length - KEPT_MEASUREMENTS);
    if (number > context.logPosition) await context.log(`Measurement ${number}: ${note}\n`, number);
    const details = { measurements };
    if (!ok) {
      const message = `${what} failed at measurement ${number}: ${note.replace(/\.?$/, ".")}`;
      return { status: "failed", message, code: "gate.failed", details };
    }
    if (number === count) return { status: "success", message: `${what} held: ${count} good.`, details };
    const isPlayed = number < context.logPosition; // by this attempt, before its agent ended
    if (!isPlayed) await wait(clock, everySeconds * 1000, context.signal);
    context.signal.throwIfAborted();
  }
  throw new Error("a gate has at least one measurement");
}
