/** The task's log: what programs print, byte for byte, and between it our own sentences on lines of their own. */
import type { RunContext } from "../operator.ts";
import type { KeptProcess } from "./machine.ts";

/** Positions of one program stay below this; each program of an attempt has a range of its own. */
export const PROGRAM_RANGE = 2 ** 44;

export class TaskLog {
  #endsLine = true;

  constructor(private readonly context: Pick<RunContext, "log" | "logPosition">) {}

  say(text: string): Promise<void> {
    const lead = this.#endsLine ? "" : "\n";
    this.#endsLine = true;
    return this.context.log(`${lead}[boreas] ${text}\n`);
  }

  /**
   * Copies a program's output as it comes. `number` counts the programs of the attempt; one begun before goes on, and of
   * one before that nothing is left to copy, unless the numbers come round again (`inTurn`).
   */
  stream(kept: KeptProcess, number: number, inTurn = false): OutputStream {
    const base = number * PROGRAM_RANGE;
    const at = this.context.logPosition - base;
    const from = inTurn && at >= PROGRAM_RANGE ? 0 : Math.max(0, at);
    const stop = new AbortController();
    const copy = async () => {
      for await (const { bytes, position, lostBytes } of kept.follow(from, stop.signal)) {
        if (lostBytes !== 0) {
          const lost = lostBytes === null ? "Some" : `${lostBytes} bytes of`;
          await this.say(`${lost} output is missing here: the disk was full, or there was more than is kept.`);
        }
        this.#endsLine = bytes.at(-1) === 10;
        await this.context.log(bytes, base + position);
      }
    };
    const done = copy();
    done.catch(() => {}); // told to whoever waits for `done` or `finish`
    return {
      done,
      finish() {
        stop.abort();
        return done;
      },
    };
  }
}

export interface OutputStream {
  /** Settles when the output has ended and all of it is spooled. */
  done: Promise<void>;
  /** Copies what is there by now, and no more. */
  finish(): Promise<void>;
}
