/**
 * A gate's script, measured every so often for so long:
 *
 *   measure --code 0, time left--> wait --> measure ...
 *           --code 0, the time is over--> passed        --any other code--> failed, at once
 *
 * What was measured is remembered with each run: a restart of the agent goes on in the middle, of a run too.
 */
import type { Operation, OutcomeInput, RenderedSpec } from "../../protocol/operation.ts";
import type { RunContext } from "../operator.ts";
import { stoppedOutcome, wait } from "../stopped.ts";
import type { AppFolder } from "./app_folder.ts";
import { lastLinesOf, openBundle, runBundleScript } from "./bundle_scripts.ts";
import type { BundleScript } from "./bundle_scripts.ts";
import { PmFailure } from "./failure.ts";
import { LAST_LINES } from "./follow_script.ts";
import type { KeptProcess } from "./machine.ts";
import type { PmParts } from "./pm_parts.ts";
import { HOOK_SECONDS } from "./run_hook.ts";
import { TaskLog } from "./task_log.ts";

const KEPT_MEASUREMENTS = 100;
const NOTE_CHARACTERS = 200;
const FIRST_LINE_BYTES = 4096;

export interface Measurement {
  /** RFC 3339. */
  at: string;
  ok: boolean;
  /** The first line that it printed, where that is a number. */
  value?: number;
  note: string;
}
interface Saved {
  begunAt: number;
  /** Of the run that is under way or over. */
  number: number;
  measurements: Measurement[];
}

export async function runGate(
  pm: PmParts,
  folder: AppFolder,
  operation: Operation,
  spec: RenderedSpec,
  context: RunContext,
): Promise<OutcomeInput> {
  const { gate, app, version } = operation;
  if (!gate) throw new PmFailure("operation.gate", `No script of ${app}'s gate is named, so nothing was measured.`);
  const { clock, node } = pm;
  const what = `The gate of ${app} ${version}`;
  const log = new TaskLog(context);
  const script: BundleScript = {
    ...{ what, path: gate.run, folder, operation, spec, context, log },
    env: { BOREAS_GATE: "1" },
    seconds: gate.timeoutSeconds ?? HOOK_SECONDS,
  };
  const everyMs = Math.max(1, gate.everySeconds) * 1000;
  const saved = context.resumed ? context.saved as Saved | undefined : undefined;
  const begunAt = saved?.begunAt ?? clock.now().getTime();
  const measurements = saved?.measurements ?? [];
  let number = saved?.number ?? 0;
  try {
    await openBundle(pm, script);
    const begin = clock.monotonic() - (clock.now().getTime() - begunAt);
    for (;; number++) {
      const state: Saved = { begunAt, number, measurements };
      const kept = await runBundleScript(pm, script, number, { ...state });
      const measured = await measure(kept, clock.now());
      measurements.push(measured);
      measurements.splice(0, measurements.length - KEPT_MEASUREMENTS);
      await log.say(`Measurement ${number + 1}: ${measured.note}`);
      if (!measured.ok) {
        throw new PmFailure(
          "gate.failed",
          `${what}, ${gate.run}, failed at measurement ${number + 1} on ${node.name}: ${measured.note}.`,
          { lastLines: await kept.lastLines(LAST_LINES), details: { measurements } },
        );
      }
      const next = begin + (number + 1) * everyMs;
      if (next > begin + gate.forSeconds * 1000) break;
      await wait(clock, Math.max(0, next - clock.monotonic()), context.signal);
      context.signal.throwIfAborted();
    }
    const count = number + 1;
    return {
      status: "success",
      message: `${what}, ${gate.run}, held on ${node.name}: ${count} good measurement${count === 1 ? "" : "s"}.`,
      details: { measurements },
    };
  } catch (error: unknown) {
    if (!context.signal.aborted) throw error;
    const stopped = stoppedOutcome(context.signal, `${what}, ${gate.run}, was stopped on ${node.name}.`);
    return { ...stopped, lastLines: await lastLinesOf(pm, script, number), details: { measurements } };
  }
}

async function measure(kept: KeptProcess, at: Date): Promise<Measurement> {
  const { code } = await kept.ended;
  const first = await firstLine(kept);
  const value = first !== "" && Number.isFinite(Number(first)) ? Number(first) : undefined;
  const last = (await kept.lastLines(1))[0]?.trim().slice(0, NOTE_CHARACTERS) ?? "";
  const how = code === 0 ? "good" : code === null ? "it ended, and nobody saw how" : `it ended with code ${code}`;
  const note = value !== undefined ? `${how}, ${value}` : last === "" ? how : `${how}: ${last}`;
  return { at: at.toISOString(), ok: code === 0, ...(value === undefined ? {} : { value }), note };
}

async function firstLine(kept: KeptProcess): Promise<string> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const { bytes } of kept.follow(0, AbortSignal.abort())) {
    text += decoder.decode(bytes, { stream: true });
    if (text.includes("\n") || text.length > FIRST_LINE_BYTES) break;
  }
  return text.split("\n", 1)[0]!.trim();
}
