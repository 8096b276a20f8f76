/**
 * Is it healthy? Every check is asked on its own rhythm:
 *
 *   starting --rise good answers--> good --fall bad answers--> starting
 *
 * All good, and the program alive, for `minTime` without a break: healthy. The program's end, or the deadline: not.
 * Until a check was good for the first time it is asked more often than `every`, so that a quick start is seen quickly.
 */
import { parseDuration } from "../../domain/duration.ts";
import type { Clock } from "../../domain/ports.ts";
import type { HealthCheck } from "../../protocol/config/application.ts";
import type { RenderedSpec } from "../../protocol/operation.ts";
import { aborted, wait } from "../stopped.ts";
import { PmFailure } from "./failure.ts";
import type { KeptProcess, Machine } from "./machine.ts";

const DEFAULTS = { every: "2s", timeout: "2s", rise: 1, fall: 3 };
const EAGER_MS = 100;
/** Without any check, being alive is all there is to see: for at least so long. */
const ALIVE_MS = 300;

export interface Probed {
  app: string;
  ports: Readonly<Record<string, number>>;
  cwd: string;
  env: Readonly<Record<string, string>>;
  user?: string | undefined;
}
export type Verdict =
  | { healthy: true; seconds: number }
  | { healthy: false; code: "process.exited" | "health.deadline"; why: string };

function portOf(check: { port: string | number }, { app, ports }: Probed): number {
  if (typeof check.port === "number") return check.port;
  const port = ports[check.port];
  if (port === undefined) {
    throw new PmFailure("health.port", `A health check of ${app} asks port ${check.port}, which it does not have.`);
  }
  return port;
}

/** undefined when the answer is good; else what was wrong with it. */
export async function probe(machine: Machine, check: HealthCheck, probed: Probed): Promise<string | undefined> {
  const timeoutMs = parseDuration(check.timeout ?? DEFAULTS.timeout)! * 1000;
  if ("http" in check) {
    const port = portOf(check.http, probed);
    const path = check.http.path ?? "/";
    const answer = await machine.probeHttp(port, path, timeoutMs);
    const what = `GET http://127.0.0.1:${port}${path}`;
    if ("error" in answer) return `${what}: ${answer.error}`;
    const expect = check.http.expect ?? "2xx";
    const isGood = String(answer.status).startsWith(expect.replace("xx", ""));
    return isGood ? undefined : `${what} answered ${answer.status}, expected ${expect}`;
  }
  if ("tcp" in check) {
    const port = portOf(check.tcp, probed);
    const answer = await machine.probeTcp(port, timeoutMs);
    return "error" in answer ? `connecting to port ${port}: ${answer.error}` : undefined;
  }
  const { cwd, env, user } = probed;
  const { code, output } = await machine.run({ command: check.exec, cwd, env, user, timeoutMs });
  if (code === 0) return undefined;
  const ending = code === null ? `did not end within ${timeoutMs} ms` : `ended with code ${code}`;
  return `${check.exec.join(" ")} ${ending}${output ? `: ${output.slice(-500)}` : ""}`;
}

export async function awaitHealthy(
  machine: Machine,
  clock: Clock,
  spec: Pick<RenderedSpec, "health" | "minTimeSeconds" | "deadlineSeconds">,
  probed: Probed,
  kept: KeptProcess,
  /** `trusted` waits while the lease is in doubt, and that time does not count; it rejects when the work must stop. */
  context: { trusted(): Promise<void>; signal: AbortSignal },
): Promise<Verdict> {
  const begin = clock.monotonic();
  let held = 0;
  const over = new AbortController();
  let change = Promise.withResolvers<void>();
  const states = spec.health.map((check) => ({ check, isGood: false, wasGood: false, trouble: "no answer yet" }));

  const watch = async (state: typeof states[number]) => {
    const { check } = state;
    const every = parseDuration(check.every ?? DEFAULTS.every)! * 1000;
    let good = 0;
    let bad = 0;
    while (!over.signal.aborted) {
      const trouble = await probe(machine, check, probed);
      if (trouble === undefined) {
        bad = 0;
        state.wasGood = true;
        if (++good >= (check.rise ?? DEFAULTS.rise)) state.isGood = true;
      } else {
        good = 0;
        state.trouble = trouble;
        if (++bad >= (check.fall ?? DEFAULTS.fall)) state.isGood = false;
      }
      change.resolve();
      await wait(clock, state.wasGood ? every : Math.min(every, EAGER_MS), over.signal);
    }
  };
  const broken = Promise.withResolvers<never>();
  broken.promise.catch(() => {}); // told to whoever races it below
  for (const state of states) watch(state).catch(broken.reject);

  const stopped = aborted(context.signal);
  try {
    const minTime = Math.max(spec.minTimeSeconds * 1000, spec.health.length === 0 ? ALIVE_MS : 0);
    let goodSince: number | undefined;
    while (true) {
      const asked = clock.monotonic();
      await context.trusted();
      context.signal.throwIfAborted();
      held += clock.monotonic() - asked;
      if (kept.hasEnded()) {
        const { code } = await kept.ended;
        const how = code === null ? "nobody saw how" : code > 128 ? `by signal ${code - 128}` : `with code ${code}`;
        return { healthy: false, code: "process.exited", why: `it ended (${how}) before it was healthy` };
      }
      const now = clock.monotonic();
      goodSince = states.every((state) => state.isGood) ? goodSince ?? now : undefined;
      if (goodSince !== undefined && now - goodSince >= minTime) {
        return { healthy: true, seconds: (now - begin - held) / 1000 };
      }
      const left = begin + held + spec.deadlineSeconds * 1000 - now;
      if (left <= 0) {
        const trouble = states.filter((state) => !state.isGood).map((state) => state.trouble).join("; ");
        const why = trouble || `it was good, but not for ${spec.minTimeSeconds} s`;
        return { healthy: false, code: "health.deadline", why: `not healthy within ${spec.deadlineSeconds} s: ${why}` };
      }
      change = Promise.withResolvers<void>();
      const next = goodSince === undefined ? left : Math.min(left, goodSince + minTime - now);
      const tick = new AbortController();
      try {
        const pause = wait(clock, Math.max(1, next), tick.signal);
        await Promise.race([kept.ended, change.promise, broken.promise, stopped, pause]);
      } finally {
        tick.abort();
      }
    }
  } finally {
    over.abort();
  }
}
