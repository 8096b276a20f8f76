/**
 * Sends the logs of all tasks, in turn, and keeps each until the master has it.
 *
 *   spool grows --32 KB, or 25 ms--> cut a chunk --window--> log.chunk --> log.ack moves on, or says where to go back to
 *
 * At most `window` chunks are on their way over all tasks. The window follows the link: it shrinks when acknowledgements
 * take long, so that on a thin line a renewal never waits behind a megabyte of log; and it never grows beyond what a
 * line that has just become thin would carry in a sixth of the lease. A lost connection forgets what was on its way; the
 * master's offset in the welcome says where each log goes on.
 */
import type { Clock, Logger, Timer } from "../domain/ports.ts";
import { type FromAgent, LOG_CHUNK_BYTES, LOG_WINDOW_CHUNKS } from "../protocol/agent_messages.ts";
import { encodeChunk } from "../protocol/chunk_encoding.ts";
import type { Spool } from "./spool.ts";

export const FLUSH_MS = 25;
/** An acknowledgement within this lets the window grow, one that takes longer than the second halves it. */
const QUICK_MS = 300;
const SLOW_MS = 1000;
/** What any line is trusted to carry, whatever it carried until now: two megabits per second. */
const THIN_BYTES_PER_SECOND = 250_000;
/** Of the lease; a renewal waits behind the log no longer. */
const RENEWAL_SHARE = 1 / 6;
/** With leases of a few seconds that would be next to nothing, on every line: then it is half a second of a thin one. */
const LEAST_CHUNKS = 4;
/** Chunks on their way and not a word about them: send them again. */
const SILENT_MS = 15_000;

export interface LogStreamer {
  add(taskId: string, fence: number, spool: Spool): void;
  remove(taskId: string): void;
  /** The spool has more, or is finished. */
  grown(taskId: string): void;
  acknowledged(taskId: string, fence: number, offset: number): void;
  /** The master's word on a task at the beginning of a connection; false when this log cannot go on from there. */
  align(taskId: string, offset: number): boolean;
  connected(leaseSeconds: number): void;
  disconnected(): void;
  /** Every byte was handed to this connection. */
  isSent(taskId: string): boolean;
  isDrained(taskId: string): boolean;
  status(): { window: number; inFlight: number };
}

interface Stream {
  taskId: string;
  fence: number;
  spool: Spool;
  /** Index in `spool.cuts` of the next chunk to send. */
  next: number;
  /** Up to here a chunk may be smaller than LOG_CHUNK_BYTES. */
  flushTo: number;
  flush?: Timer;
  inFlight: { end: number; sentAt: number }[];
  /** Asked to go back so many times in a row without getting on. */
  rewinds: number;
  waiting?: Timer;
  /** Grows whenever `next` is set anew, so that a step that was waiting for the disk notices. */
  epoch: number;
}

export interface LogStreamerOptions {
  clock: Clock;
  logger: Logger;
  send(message: FromAgent): void;
  bufferedAmount(): number;
  /** Everything of a finished log was sent; everything was acknowledged. */
  onSent(taskId: string): void;
  onDrained(taskId: string): void;
}

export function createLogStreamer(options: LogStreamerOptions): LogStreamer {
  const { clock, logger } = options;
  const streams = new Map<string, Stream>();
  /** Those that may have something to send; of many tasks most are silent, and nobody looks at them. */
  const ready = new Set<Stream>();
  let online = false;
  let window = 4;
  /** The window grows no further. */
  let mostChunks = LOG_WINDOW_CHUNKS;
  let inFlight = 0;
  let pumping = false;
  let again = false;
  let watch: Timer | undefined;

  const isSent = (s: Stream) => s.spool.finished && s.next >= s.spool.cuts.length && s.spool.cutEnd === s.spool.end;
  const isDrained = (s: Stream) => s.spool.finished && s.spool.acknowledged >= s.spool.end;
  const hasWork = (s: Stream) => {
    if (s.waiting) return false;
    if (s.next < s.spool.cuts.length) return true;
    const limit = Math.max(s.flushTo, s.spool.finished ? s.spool.end : 0);
    return s.spool.end - s.spool.cutEnd >= LOG_CHUNK_BYTES || s.spool.cutEnd < Math.min(limit, s.spool.end);
  };
  const hasRoom = () => inFlight === 0 || (inFlight < window && options.bufferedAmount() < window * LOG_CHUNK_BYTES);

  function forget(s: Stream) {
    inFlight -= s.inFlight.length;
    s.inFlight = [];
    s.next = 0;
    s.epoch++;
  }

  async function sendNext(s: Stream): Promise<void> {
    const epoch = s.epoch;
    const cut = s.spool.cuts[s.next] ?? await s.spool.cut(s.spool.end);
    if (!cut || s.epoch !== epoch) return;
    const bytes = await s.spool.read(cut);
    if (s.epoch !== epoch || !online || s.spool.cuts[s.next] !== cut) return;
    s.next++;
    s.inFlight.push({ end: cut.end, sentAt: clock.monotonic() });
    inFlight++;
    options.send({
      type: "log.chunk",
      taskId: s.taskId,
      fence: s.fence,
      sequence: cut.sequence,
      offset: cut.offset,
      ...encodeChunk(bytes),
    });
    watchSilence();
    if (isSent(s)) options.onSent(s.taskId);
  }

  /** One step per task in turn, as long as somebody has work and the window has room. */
  async function pump(): Promise<void> {
    if (pumping) return void (again = true);
    pumping = true;
    try {
      do {
        again = false;
        let moved = true;
        while (online && moved) {
          moved = false;
          for (const s of [...ready]) {
            if (!online || !hasRoom()) break;
            if (streams.get(s.taskId) !== s || !hasWork(s)) {
              ready.delete(s); // whatever gives it work puts it back
              continue;
            }
            moved = true;
            await sendNext(s);
          }
        }
      } while (again);
    } catch (error: unknown) {
      // The disk refused a read or a mark. The bytes stay where they are; the next growth or a second tries again.
      logger.log("ERROR", "the log could not be read back from the spool", { error: String(error) });
      clock.after(1000, () => void pump());
    } finally {
      pumping = false;
    }
  }

  function grown(taskId: string) {
    const s = streams.get(taskId);
    if (!s) return;
    if (s.spool.finished && isSent(s)) options.onSent(taskId);
    if (isDrained(s)) return options.onDrained(taskId);
    if (hasWork(s)) pumpFor(s);
    s.flush ??= clock.after(FLUSH_MS, () => {
      s.flush = undefined;
      s.flushTo = s.spool.end;
      pumpFor(s);
    });
  }

  function pumpFor(s: Stream) {
    ready.add(s);
    void pump();
  }

  /** Sends again from where the master is; a master that keeps asking is given ever more time. */
  function rewind(s: Stream) {
    if (s.waiting) return;
    const wait = Math.min(30_000, 50 * 2 ** s.rewinds++);
    forget(s);
    s.waiting = clock.after(wait, () => {
      s.waiting = undefined;
      pumpFor(s);
    });
  }

  function watchSilence() {
    watch ??= clock.after(SILENT_MS, () => {
      watch = undefined;
      const since = clock.monotonic() - SILENT_MS;
      for (const s of streams.values()) if (s.inFlight[0] && s.inFlight[0].sentAt <= since) rewind(s);
      if (inFlight > 0) watchSilence();
    });
  }

  function adapt(latency: number) {
    if (latency <= QUICK_MS) window = Math.min(mostChunks, window + 1);
    else if (latency > SLOW_MS) window = Math.max(1, Math.floor(window / 2));
  }

  return {
    add(taskId, fence, spool) {
      streams.set(taskId, { taskId, fence, spool, next: 0, flushTo: 0, inFlight: [], rewinds: 0, epoch: 0 });
    },
    remove(taskId) {
      const s = streams.get(taskId);
      if (!s) return;
      forget(s);
      s.flush?.cancel();
      s.waiting?.cancel();
      streams.delete(taskId);
      ready.delete(s);
      if (ready.size > 0) void pump();
    },
    grown,
    acknowledged(taskId, fence, offset) {
      const s = streams.get(taskId);
      if (!s || s.fence !== fence) return;
      if (offset > s.spool.acknowledged) {
        const answered = s.inFlight.filter((chunk) => chunk.end <= offset);
        s.inFlight = s.inFlight.filter((chunk) => chunk.end > offset);
        inFlight -= answered.length;
        s.next = Math.max(0, s.next - s.spool.acknowledge(offset));
        s.rewinds = 0;
        const last = answered.at(-1);
        if (last) adapt(clock.monotonic() - last.sentAt);
        // Also when what was to be sent again turns out to have arrived: nobody else would notice.
        if (isSent(s)) options.onSent(taskId);
        if (isDrained(s)) options.onDrained(taskId);
      } else if (offset === s.spool.acknowledged && s.inFlight.length > 0) {
        rewind(s);
      }
      pumpFor(s);
    },
    align(taskId, offset) {
      const s = streams.get(taskId);
      if (!s) return false;
      if (!s.spool.canContinueFrom(offset)) return false;
      s.spool.acknowledge(offset);
      forget(s);
      s.rewinds = 0;
      s.waiting?.cancel();
      s.waiting = undefined;
      return true;
    },
    connected(leaseSeconds) {
      online = true;
      const carried = leaseSeconds * RENEWAL_SHARE * THIN_BYTES_PER_SECOND;
      mostChunks = Math.min(LOG_WINDOW_CHUNKS, Math.max(LEAST_CHUNKS, Math.floor(carried / LOG_CHUNK_BYTES)));
      window = Math.min(4, mostChunks);
      for (const s of streams.values()) ready.add(s);
      for (const taskId of [...streams.keys()]) grown(taskId);
      void pump();
    },
    disconnected() {
      online = false;
      watch?.cancel();
      watch = undefined;
      for (const s of streams.values()) {
        forget(s);
        s.waiting?.cancel();
        s.waiting = undefined;
      }
    },
    isSent: (taskId) => {
      const s = streams.get(taskId);
      return !s || isSent(s);
    },
    isDrained: (taskId) => {
      const s = streams.get(taskId);
      return !s || isDrained(s);
    },
    status: () => ({ window, inFlight }),
  };
}
