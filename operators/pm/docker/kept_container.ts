/** A container as the program that a deploy waits for: the same to health checks, logs and signals as one with a keeper. */
import type { Clock } from "../../../domain/ports.ts";
import { aborted, wait } from "../../stopped.ts";
import type { Ended, KeptProcess, OutputPart } from "../machine.ts";
import { isEngineError } from "./engine.ts";
import type { ContainerFacts, Engine } from "./engine.ts";

/** An engine that dies does not always end the question that waits for it: so it is asked anew. */
const LOOK_MS = 2000;
/** Between two looks while the engine itself is away. */
const AWAY_MS = 1000;

export const isUp = ({ State }: ContainerFacts): boolean => State.Running || State.Paused || State.Restarting;

export function keepContainer(engine: Engine, clock: Clock, facts: ContainerFacts): KeptProcess {
  const { Id: id } = facts;
  const forgotten = new AbortController();
  let hasEnded = false;

  /** Also through a restart of the engine: the container has its own end, and the engine remembers it. */
  async function watch(): Promise<Ended> {
    while (!forgotten.signal.aborted) {
      try {
        const now = await engine.findContainer(id);
        if (!now) return { code: null };
        if (!isUp(now)) return { code: now.State.ExitCode };
        const round = new AbortController();
        const asked = engine.waitForEnd(id, AbortSignal.any([round.signal, forgotten.signal]));
        await Promise.race([asked, wait(clock, LOOK_MS, forgotten.signal)]).finally(() => {
          asked.catch(() => {}); // what it says later is nobody's business
          round.abort();
        });
      } catch (error: unknown) {
        if (!isEngineError(error)) throw error;
        await wait(clock, AWAY_MS, forgotten.signal);
      }
    }
    return new Promise(() => {});
  }
  const ended = watch().then((end) => {
    hasEnded = true;
    return end;
  });
  ended.catch(() => {}); // told to whoever waits for it

  async function* follow(from: number, stop: AbortSignal): AsyncGenerator<OutputPart> {
    let position = from;
    const isOver = () => stop.aborted || hasEnded;
    while (true) {
      const last = isOver();
      const over = new AbortController();
      const end = () => over.abort();
      if (!last) stop.addEventListener("abort", end, { once: true });
      let at = 0;
      try {
        for await (const bytes of engine.readOutput(id, { follow: !last, signal: over.signal })) {
          const fresh = bytes.subarray(Math.max(0, Math.min(bytes.length, position - at)));
          at += bytes.length;
          if (fresh.length === 0) continue;
          position = at;
          yield { bytes: fresh, position, lostBytes: 0 };
        }
      } catch (error: unknown) {
        if (!isEngineError(error)) throw error;
        if (last) return; // the engine is away: what it holds is not lost, but nobody waits for it
        await Promise.race([wait(clock, AWAY_MS, stop), aborted(stop)]);
      } finally {
        stop.removeEventListener("abort", end);
      }
      if (last) return;
      if (!isOver()) await Promise.race([wait(clock, AWAY_MS, stop), ended]);
    }
  }

  return {
    folder: "",
    container: id,
    pid: facts.State.Pid,
    ended,
    hasEnded: () => hasEnded,
    follow,
    lastLines: (count) => lastLinesOf(engine, id, count),
    followLast: (lines, stop) => followLast(engine, id, lines, stop),
    forget: () => forgotten.abort(),
    async signal(signal) {
      if (signal === "STOP") return engine.pauseContainer(id);
      if (signal !== "CONT") return engine.signalContainer(id, `SIG${signal}`);
      if ((await engine.findContainer(id))?.State.Paused) await engine.unpauseContainer(id);
    },
  };
}

/** Ends with the container's output: after a restart whoever follows asks again. */
async function* followLast(engine: Engine, id: string, tail: number, stop: AbortSignal): AsyncGenerator<OutputPart> {
  let position = 0;
  const signal = stop.aborted ? new AbortController().signal : stop;
  for await (const bytes of engine.readOutput(id, { follow: !stop.aborted, tail, signal })) {
    position += bytes.length;
    yield { bytes, position, lostBytes: 0 };
  }
}

export async function lastLinesOf(engine: Engine, id: string, count: number): Promise<string[]> {
  const decoder = new TextDecoder();
  let text = "";
  const signal = new AbortController().signal;
  for await (const bytes of engine.readOutput(id, { follow: false, tail: count, signal })) {
    text += decoder.decode(bytes, { stream: true });
  }
  return text.split("\n").slice(0, text.endsWith("\n") ? -1 : undefined).slice(-count);
}
