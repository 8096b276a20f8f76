/**
 * Plays what its operation says: log lines, waits, failures. Real in all but that nothing is deployed, and that all is
 * forgotten when its process ends: a `switch` whose `prepare` it has forgotten is played all the same.
 */
import { parseDuration } from "../../domain/duration.ts";
import type { Clock, Timer } from "../../domain/ports.ts";
import type { MockScript } from "../../protocol/config/application.ts";
import type { Operation, OutcomeInput } from "../../protocol/operation.ts";
import type { Observed, Operator, RunContext } from "../operator.ts";
import { aborted, stoppedOutcome, wait } from "../stopped.ts";
import { playGate, playHook } from "./play_scripts.ts";

type Step = NonNullable<MockScript["steps"]>[number];

function defaultSteps(operation: Operation): Step[] {
  const { app, version, environment, action } = operation;
  const doing = action === "prepare" ? "Preparing" : "Deploying";
  return [
    { log: [`${doing} ${app} ${version} to ${environment} (mock: nothing really runs).`] },
    { name: "prepare", log: ["Fetched and unpacked the release."] },
    { name: "start", log: [`Started ${app}.`, "Health check passed."] },
  ];
}
/** An environment of machines that are only names has each application on each of them. */
const keyOf = ({ environmentId, app, target }: Operation) => `${environmentId}/${app}/${target?.name ?? ""}`;
const whereOf = ({ environment, target }: Operation) => target ? `${target.name} of ${environment}` : environment;

/** What of the script goes wrong is told of one target, or of all. */
export function scriptFor({ spec, target }: Operation): MockScript {
  const script = spec?.runtime.mode === "mock" ? spec.runtime.script : {};
  const { failTarget, ...told } = script;
  if (failTarget === undefined) return script;
  const { failAtStep, failAttempts, failHook, failGate, unhealthyAfter, hang, ...calm } = told;
  if (target?.name !== failTarget) return calm;
  const isTold = [failAtStep, failAttempts, failHook, failGate, unhealthyAfter, hang].some((is) => is !== undefined);
  return isTold ? told : { ...told, failAttempts: Infinity };
}

export function createMockOperator({ clock }: { clock: Clock }): Operator {
  /** By environment, application and target: what would run if this were not a mock. */
  const running = new Map<string, Observed>();
  /** Versions that would run beside: started for a switch, or left running by one. */
  const beside = new Map<string, string>();
  /** What will yet happen to them, as their scripts say. */
  const ahead = new Map<string, Timer[]>();
  const listeners = new Set<() => void>();

  function happen(key: string, after: string, change: (seen: Observed) => Observed): void {
    const timer = clock.after(parseDuration(after)! * 1000, () => {
      running.set(key, change(running.get(key)!));
      for (const call of listeners) call();
    });
    ahead.set(key, [...ahead.get(key) ?? [], timer]);
  }
  function forget(key: string): void {
    for (const timer of ahead.get(key) ?? []) timer.cancel();
    ahead.delete(key);
  }

  /** @returns why it failed */
  async function playSteps(
    operation: Operation,
    script: MockScript,
    context: RunContext,
  ): Promise<string | undefined> {
    const { app } = operation;
    // A log position is a number of lines, so that an attempt that is taken up again repeats none.
    const stepsDone = context.resumed && typeof context.saved === "number" ? context.saved : 0;
    let lines = 0;
    for (const [index, step] of (script.steps ?? defaultSteps(operation)).entries()) {
      for (const line of step.log ?? []) {
        if (++lines <= context.logPosition) continue;
        await context.trusted();
        await context.log(`${line}\n`, lines);
      }
      const seconds = parseDuration(step.duration ?? "0s") ?? 0;
      if (seconds > 0 && index >= stepsDone) {
        await context.trusted();
        await wait(clock, seconds * 1000, context.signal);
        context.signal.throwIfAborted();
        await context.save(index + 1);
      }
      if (script.failAtStep === index + 1) {
        const name = step.name ? ` (${step.name})` : "";
        return script.message ?? `Step ${index + 1}${name} of ${app} failed, as its script says.`;
      }
    }
    if (script.hang) {
      await aborted(context.signal);
      context.signal.throwIfAborted();
    }
    if (context.attempt <= (script.failAttempts ?? 0)) {
      return script.message ?? `Attempt ${context.attempt} of ${app} failed, as its script says.`;
    }
    await context.trusted();
    return undefined;
  }

  /** From now on this version runs there, and what its script says will happen to it. */
  function serve(operation: Operation, script: MockScript): void {
    const { app, version } = operation;
    const key = keyOf(operation);
    forget(key);
    running.set(key, {
      application: app,
      environmentId: operation.environmentId,
      target: operation.target?.name ?? "mock",
      version,
      health: "healthy",
      resources: [{
        kind: "process",
        name: `${app} (mock)`,
        state: "running",
        startedAt: clock.now().toISOString(),
        restarts: 0,
        details: {},
      }],
      differences: [],
      details: { versionId: operation.versionId },
    });
    if (script.unhealthyAfter) {
      const turnedBad = "it turned bad, as its script says";
      happen(key, script.unhealthyAfter, (seen) => ({
        ...seen,
        health: "degraded",
        details: { ...seen.details, turnedBad },
      }));
    }
    if (script.drift && !operation.reapply) {
      const { after, ...difference } = script.drift;
      happen(key, after, (seen) => ({ ...seen, differences: [difference] }));
    }
  }

  async function play(operation: Operation, context: RunContext): Promise<OutcomeInput> {
    const { app, version, action } = operation;
    const key = keyOf(operation);
    const where = whereOf(operation);
    const script = scriptFor(operation);
    const details = { release: operation.versionId };
    const say = (text: string) => context.log(`${text}\n`);
    switch (action) {
      case "hook":
        return await playHook(operation, script, context);
      case "gate":
        return await playGate(operation, script, context, clock);
      case "remove":
        await context.trusted();
        running.delete(key);
        beside.delete(key);
        forget(key);
        await say(`Removed ${app} from ${where} (mock: nothing really ran).`);
        return { status: "success", message: `${app} is removed from ${where}.` };
      case "deploy":
      case "prepare": {
        const failure = await playSteps(operation, script, context);
        if (failure) return { status: "failed", message: failure, code: "mock.failed" };
        if (action === "prepare") {
          beside.set(key, version);
          return { status: "success", message: `${app} ${version} is prepared on ${where} and waits for its switch.` };
        }
        beside.delete(key);
        serve(operation, script);
        return { status: "success", message: `${app} ${version} is deployed to ${where}.`, details };
      }
      case "switch": {
        await context.trusted();
        const old = running.get(key)?.version;
        await say(`Requests on ${where} go to ${version} now (mock: there are none).`);
        if (operation.hold && old && old !== version) {
          beside.set(key, old);
          await say(`${old} goes on running behind it.`);
        } else beside.delete(key);
        serve(operation, script);
        return { status: "success", message: `${app} ${version} serves on ${where}.`, details };
      }
      case "finish": {
        await context.trusted();
        const old = beside.get(key);
        beside.delete(key);
        const message = old === undefined
          ? `Nothing of ${app} was held on ${where}.`
          : `${app} ${old} ended on ${where}.`;
        await say(message);
        return { status: "success", message };
      }
    }
  }

  return {
    kind: "mock",
    async run(operation, context) {
      try {
        context.signal.throwIfAborted();
        return await play(operation, context);
      } catch (error: unknown) {
        if (!context.signal.aborted) throw error;
        return stoppedOutcome(context.signal, `The mock of ${operation.app} has stopped.`);
      }
    },
    async *observe(wants) {
      for (const one of running.values()) if (!wants || wants(one)) yield one;
    },
    onChange(call) {
      listeners.add(call);
      return () => void listeners.delete(call);
    },
    async stop() {
      for (const key of [...ahead.keys()]) forget(key);
    },
  };
}
