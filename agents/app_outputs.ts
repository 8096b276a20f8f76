/**
 * Shows what applications print to whoever looks: their last lines, then what comes.
 *
 *   asked --> masked, cut to messages, paced --> ended by the application | nobody reads | the connection ends
 *
 * A viewer must not hold anything up: what does not fit the pace, or a line that is busy with tasks' logs, is passed over
 * and counted. Nothing is kept: after a reconnection the master asks again.
 */
import type { Clock, Logger } from "../domain/ports.ts";
import type { AppOutput, Operator } from "../operators/operator.ts";
import type { FromAgent, ToAgent } from "../protocol/agent_messages.ts";
import { MAX_OUTPUT_TEXT } from "../protocol/observed.ts";
import { createRedactor } from "./redact.ts";

/** At one time, over all viewers. */
const MOST = 20;
/** Bytes per second of one output, and how much of it may come at once: its last lines. */
const PACE = 256 * 1024;
const BURST = 1024 * 1024;
/** Bytes that may wait in the socket before a viewer's are passed over. */
const BUSY_BYTES = 512 * 1024;
/** Bytes of one message: a character is at most three of them as text. */
const PIECE_BYTES = MAX_OUTPUT_TEXT;

type Ask = Extract<ToAgent, { type: "app.tail" }>;
type Lines = Extract<FromAgent, { type: "app.lines" }>;

export interface AppOutputsOptions {
  operators: readonly Operator[];
  clock: Clock;
  logger: Logger;
  send(message: Lines): void;
  bufferedAmount(): number;
}
export interface AppOutputs {
  ask(message: Ask): void;
  /** Nobody reads any of them any more. */
  stop(): void;
}

export function createAppOutputs(options: AppOutputsOptions): AppOutputs {
  const open = new Map<string, AbortController>();

  async function show(message: Ask, signal: AbortSignal): Promise<string> {
    const { application, environmentId, lines } = message;
    const stop = message.follow ? signal : AbortSignal.abort();
    for (const operator of options.operators) {
      const output = await operator.output?.({ application, environmentId: environmentId! }, lines, stop);
      if (output) return await pass(message.requestId, output, signal);
    }
    return `${application} prints nothing here that is kept: it does not run, or its own scripts started it.`;
  }

  async function pass(requestId: string, output: AppOutput, signal: AbortSignal): Promise<string> {
    const redactor = createRedactor(output.secrets);
    const decoder = new TextDecoder();
    const take = createPace(options.clock);
    let skipped = 0;
    const give = (bytes: Uint8Array) => {
      for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
        const piece = bytes.subarray(at, at + PIECE_BYTES);
        if (options.bufferedAmount() > BUSY_BYTES || !take(piece.length)) skipped += piece.length;
        else {
          options.send({
            type: "app.lines",
            requestId,
            lines: [],
            text: decoder.decode(piece, { stream: true }),
            ...(skipped > 0 && { skipped }),
          });
          skipped = 0;
        }
      }
    };
    for await (const { bytes, lostBytes } of output.parts) {
      if (signal.aborted) return "";
      skipped += lostBytes ?? 0;
      give(redactor.push(bytes));
    }
    give(redactor.flush());
    return "";
  }

  return {
    ask(message) {
      const { requestId, follow = false } = message;
      open.get(requestId)?.abort();
      open.delete(requestId);
      if (message.stop) return;
      const end = (ended: string) => options.send({ type: "app.lines", requestId, lines: [], ended });
      if (open.size >= MOST) return end(`${MOST} outputs of this machine are looked at already; close one.`);
      const over = new AbortController();
      open.set(requestId, over);
      show(message, over.signal).catch((error: unknown) => {
        options.logger.log("WARN", "The output of an application could not be read.", { error: String(error) });
        return `The output could not be read: ${error instanceof Error ? error.message : error}`;
      }).then((why) => {
        if (over.signal.aborted) return;
        open.delete(requestId);
        end(why.slice(0, 1000) || (follow ? "The application has ended." : "That is all."));
      });
    },
    stop() {
      for (const over of open.values()) over.abort();
      open.clear();
    },
  };
}

/** @returns whether so many bytes may go now */
function createPace(clock: Clock): (bytes: number) => boolean {
  let left = BURST;
  let at = clock.monotonic();
  return (bytes) => {
    const now = clock.monotonic();
    left = Math.min(BURST, left + (now - at) * PACE / 1000);
    at = now;
    if (bytes > left) return false;
    left -= bytes;
    return true;
  };
}
