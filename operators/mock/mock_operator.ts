/** Plays what its operation says: log lines, waits, failures. Real in all but that nothing is deployed. */
import { parseDuration } from "../../domain/duration.ts";
import type { Clock, Timer } from "../../domain/ports.ts";
import type { MockScript } from "../../protocol/config/application.ts";
import type { Operation, OutcomeInput } from "../../protocol/operation.ts";
import type { Observed, Operator, RunContext } from "../operator.ts";
import { aborted, stoppedOutcome, wait } from "../stopped.ts";

type Step = NonNullable<MockScript["steps"]>[number];

function defaultSteps(operation: Operation): Step[] {
  const { app, version, environment } = operation;
  return [
    { log: [`Deploying ${app} ${version} to ${environment} (mock: nothing really runs).`] },
    { name: "prepare", log: ["Fetched and unpacked the release."] },
    { name: "start", log: [`Started ${app}.`, "Health check passed."] },
  ];
}

export function createMockOperator({ clock }: { clock: Clock }): Operator {
  /** By environment and application: what would run if this were not a mock. */
  const running = new Map<string, Observed>();
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

  async function play(operation: Operation, context: RunContext): Promise<OutcomeInput> {
    const { app, version, environment } = operation;
    const key = `${operation.environmentId}/${app}`;
    const runtime = operation.spec?.runtime;
    if (operation.action === "remove" || runtime === undefined) {
      await context.trusted();
      running.delete(key);
      forget(key);
      await context.log(`Removed ${app} from ${environment} (mock: nothing really ran).\n`);
      return { status: "success", message: `${app} is removed from ${environment}.` };
    }
    const script: MockScript = runtime.mode === "mock" ? runtime.script : {};
    const said = script.message;
    const fail = (message: string): OutcomeInput => ({ status: "failed", message, code: "mock.failed" });

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
        return fail(said ?? `Step ${index + 1}${name} of ${app} failed, as its script says.`);
      }
    }
    if (script.hang) {
      await aborted(context.signal);
      context.signal.throwIfAborted();
    }
    if (context.attempt <= (script.failAttempts ?? 0)) {
      return fail(said ?? `Attempt ${context.attempt} of ${app} failed, as its script says.`);
    }
    await context.trusted();
    const target = operation.target?.name ?? "mock";
    forget(key);
    running.set(key, {
      application: app,
      environmentId: operation.environmentId,
      target,
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
    return {
      status: "success",
      message: `${app} ${version} is deployed to ${environment}.`,
      details: { release: operation.versionId },
    };
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
    async *observe() {
      yield* running.values();
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
