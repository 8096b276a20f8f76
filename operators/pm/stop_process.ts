/**
 * Ends a program and everything it started: its group, and what left the group by its environment's tags.
 * The signal first, then the grace, then KILL until nobody is left.
 */
import type { Clock } from "../../domain/ports.ts";
import { wait } from "../stopped.ts";
import { PmFailure } from "./failure.ts";
import type { KeptProcess, Machine, SignalName } from "./machine.ts";

const LOOK_MS = 100;
const KILL_MS = 10_000;

export async function stopProcess(
  machine: Machine,
  clock: Clock,
  /** undefined when only strays may be left. */
  kept: KeptProcess | undefined,
  tags: string[],
  { signal = "TERM", graceSeconds }: { signal?: SignalName; graceSeconds: number },
): Promise<void> {
  const isOver = async () => (kept === undefined || kept.hasEnded()) && (await machine.findTagged(tags)).length === 0;
  const untilOver = async (milliseconds: number) => {
    const end = clock.monotonic() + milliseconds;
    while (!await isOver()) {
      const left = end - clock.monotonic();
      if (left <= 0) return false;
      const ended = kept && !kept.hasEnded() ? [kept.ended] : [];
      await Promise.race([...ended, wait(clock, Math.min(LOOK_MS, left))]);
    }
    return true;
  };
  const send = async (name: SignalName) => {
    await kept?.signal(name);
    // Its group has the signal already: a second TERM means "at once" to many a program.
    const group = kept && !kept.hasEnded() ? kept.pid : undefined;
    for (const stray of await machine.findTagged(tags)) {
      if (stray.group !== group) machine.signalProcess(stray.pid, name);
    }
  };
  if (await isOver()) return;
  await send(signal);
  await send("CONT"); // one that is held still hears nothing else
  if (await untilOver(graceSeconds * 1000)) return;
  const end = clock.monotonic() + KILL_MS;
  while (clock.monotonic() < end) {
    await send("KILL");
    if (await untilOver(LOOK_MS * 5)) return;
  }
  throw new PmFailure(
    "process.unkillable",
    "A process of this application did not end even by KILL; look at the machine: its disk or its kernel holds it.",
  );
}
