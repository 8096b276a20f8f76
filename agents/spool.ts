/**
 * The log of one attempt on disk, from the operator's hand until the master has it.
 *
 *   append -> bytes.<n> + a "written" mark -> cut into chunks, each a "cut" mark -> sent -> acknowledged -> removed
 *
 * `bytes.<n>` are the (masked) bytes in segments, so that acknowledged ones can go while the task runs on. `marks` are
 * fixed records behind them: `written` says up to where the bytes count and how far into its source the operator had
 * read, in one record, so that after a crash both agree and nothing is read twice or left out; `cut` fixes the borders
 * of a chunk before it is sent for the first time, so that it is sent again byte for byte under the same sequence.
 *
 * A crash leaves at most: bytes without their mark (cut off when opened), a torn mark (likewise), or marks for bytes
 * that a power failure took (marks beyond the bytes are dropped; the agent finds out when the master has more).
 */
import { joinBytes } from "./join_bytes.ts";
import type { Disk } from "../domain/ports.ts";
import { LOG_CHUNK_BYTES } from "../protocol/agent_messages.ts";
import { completeUtf8 } from "../protocol/chunk_encoding.ts";
import { createRecentBytes } from "./recent_bytes.ts";
import { decodeMarks, encodeMark, type Mark, MARK_BYTES } from "./spool_marks.ts";
import { encodeParts, heldOf, outputOf, type Part } from "./spool_parts.ts";

export const SEGMENT_BYTES = 4 * 1024 * 1024;
/** Kept in memory behind the bytes on disk, for each spool; a window of chunks fits. */
const RECENT_BYTES = 1024 * 1024;
const READ_AHEAD_BYTES = 512 * 1024;
/** The longest character. */
const UTF8_BYTES = 4;
/** Marks are rewritten as the few that still matter when the file grows beyond this. */
const MARKS_BYTES = 1024 * 1024;

/** What all spools of an agent share. Over the cap, output is passed over and counted until a quarter is free again. */
export interface SpoolBudget {
  used: number;
  cap: number;
}

export interface Cut {
  sequence: number;
  offset: number;
  end: number;
}

export interface Spool {
  /** Bytes that count. */
  readonly end: number;
  /** How far into its source the operator had read at `end`. */
  readonly position: number;
  readonly acknowledged: number;
  readonly finished: boolean;
  /** Chunks that were cut and are not acknowledged, in order. */
  readonly cuts: readonly Cut[];
  /** Where the next chunk begins. */
  readonly cutEnd: number;
  /** Resolves when the bytes are on disk (or were passed over); rejects when the disk refuses. */
  append(bytes: Uint8Array, position: number): Promise<void>;
  /** No more output; says how much was passed over, if any. */
  finish(): Promise<void>;
  /** The next chunk, at most LOG_CHUNK_BYTES and no further than `limit`, fixed on disk; undefined when there is nothing. */
  cut(limit: number): Promise<Cut | undefined>;
  read(cut: Cut): Promise<Uint8Array>;
  /** Forgets what the master has; how many chunks that were. */
  acknowledge(offset: number): number;
  /** Whether the master's offset is a border that can be continued from. */
  canContinueFrom(offset: number): boolean;
  remove(): Promise<void>;
}

/** What an agent before this one left: the first segment, the marks that count, and the last byte that does. */
interface Found {
  firstSegment: number;
  marks: Mark[];
  written: Extract<Mark, { kind: "written" }>;
  lastByte: number | undefined;
}
const NOTHING: Found = {
  firstSegment: 0,
  marks: [],
  written: { kind: "written", end: 0, position: 0, passed: 0 },
  lastByte: undefined,
};

const segmentOf = (offset: number) => Math.floor(offset / SEGMENT_BYTES);
const segmentPath = (folder: string, n: number) => `${folder}/bytes.${n}`;

/** First segment that was not removed, bytes behind it, marks that those bytes bear out. */
async function findOnDisk(disk: Disk, folder: string): Promise<Found> {
  const segments = (await disk.list(folder)).filter((name) => name.startsWith("bytes."))
    .map((name) => Number(name.slice(6))).sort((a, b) => a - b);
  const lastSegment = segments.at(-1);
  const onDisk = lastSegment === undefined
    ? 0
    : lastSegment * SEGMENT_BYTES + await disk.size(segmentPath(folder, lastSegment));
  const marks = decodeMarks(await disk.read(`${folder}/marks`) ?? new Uint8Array());
  const written = marks.findLast((m): m is Found["written"] => m.kind === "written" && m.end <= onDisk) ??
    NOTHING.written;
  const at = written.end - 1;
  const last = at < 0 ? [] : await disk.readRange(segmentPath(folder, segmentOf(at)), at % SEGMENT_BYTES, 1);
  return { firstSegment: segments[0] ?? 0, marks, written, lastByte: last[0] };
}

export async function openSpool(
  disk: Disk,
  folder: string,
  budget: SpoolBudget,
  onGrown: () => void,
): Promise<Spool> {
  return createSpool(disk, folder, budget, onGrown, await findOnDisk(disk, folder));
}

/** @param found without it, nothing is on disk, and nothing will be until there is output */
export function createSpool(
  disk: Disk,
  folder: string,
  budget: SpoolBudget,
  onGrown: () => void,
  found?: Found,
): Spool {
  const marksPath = `${folder}/marks`;
  const { marks, written } = found ?? NOTHING;
  let { firstSegment, lastByte } = found ?? NOTHING;

  /** What was written last: as long as the master keeps up, it is sent without being read back. */
  const recent = createRecentBytes(RECENT_BYTES);
  let ahead = createRecentBytes(READ_AHEAD_BYTES);
  let end = written.end;
  let { position, passed } = written;
  /** As of the last mark on disk. */
  let durable = { position, passed };
  let sequence = 0;
  let cutEnd = 0;
  let cuts: Cut[] = [];
  for (const mark of marks) {
    if (mark.kind !== "cut" || mark.end > end) continue;
    const { sequence: number, offset } = mark;
    // A segment goes only when all in it is acknowledged; an empty cut is the border that compaction left.
    if (mark.end > Math.max(offset, firstSegment * SEGMENT_BYTES)) {
      cuts.push({ sequence: number, offset, end: mark.end });
    }
    cutEnd = mark.end;
    sequence = mark.sequence + 1;
  }
  let acknowledged = cuts[0]?.offset ?? cutEnd;
  let marksSize = marks.length * MARK_BYTES;
  let finished = false;
  let removed = false;
  let passing = passed > 0;
  let opened = !found;
  let mended = !found;
  /** Nothing was ever written. */
  let untouched = !found;
  budget.used += end - acknowledged;

  /** Output that is not on disk yet; one batch is written while the next one gathers. */
  let gathering: { parts: Part[]; done: Promise<void> } | undefined;
  /** Everything that writes goes through here, one after the other. */
  let writing: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(write: () => Promise<T>): Promise<T> => {
    const turn = writing.then(write);
    writing = turn.catch(() => undefined); // each caller sees its own failure; the line goes on
    return turn;
  };

  async function readBytes(offset: number, length: number): Promise<Uint8Array> {
    const kept = recent.read(offset, length) ?? ahead.read(offset, length);
    if (kept) return kept;
    const n = segmentOf(offset);
    const within = offset - n * SEGMENT_BYTES;
    // Chunks are read one after the other: the next ones come along.
    const most = Math.max(length, Math.min(READ_AHEAD_BYTES, end - offset));
    const read = await disk.readRange(segmentPath(folder, n), within, Math.min(most, SEGMENT_BYTES - within));
    ahead = createRecentBytes(READ_AHEAD_BYTES);
    ahead.add(offset, read);
    const first = read.subarray(0, length);
    if (first.length === length || within + first.length < SEGMENT_BYTES) return first;
    const rest = await readBytes(offset + first.length, length - first.length);
    const whole = new Uint8Array(first.length + rest.length);
    whole.set(first);
    whole.set(rest, first.length);
    return whole;
  }

  async function addMark(mark: Mark): Promise<void> {
    untouched = false;
    mended = false; // behind a torn one nothing would be found again
    await disk.append(marksPath, encodeMark(mark));
    mended = true;
    marksSize += MARK_BYTES;
  }

  /** Cuts off what a crash or a refusing disk left behind the last mark. */
  async function mend(): Promise<void> {
    if (!opened && marksSize > 0) await compactMarks(); // marks without their bytes must not count later
    else await disk.truncate(marksPath, marksSize);
    opened = true;
    const n = segmentOf(end);
    await disk.truncate(segmentPath(folder, n), end - n * SEGMENT_BYTES);
    for (const later of (await disk.list(folder)).filter((name) => Number(name.slice(6)) > n)) {
      await disk.remove(`${folder}/${later}`);
    }
    mended = true;
  }

  async function writeBatch(parts: readonly Part[]): Promise<void> {
    const taken = heldOf(parts);
    if (removed) return void (budget.used -= taken);
    const bytes = encodeParts(parts, lastByte);
    const state = { position, passed };
    const saysNothing = bytes.length === 0 && position === durable.position && passed === durable.passed;
    if (saysNothing) return;
    budget.used += bytes.length - taken;
    let to = end;
    try {
      untouched = false;
      if (!mended) await mend();
      for (let at = 0; at < bytes.length;) {
        const n = segmentOf(to);
        const room = Math.min(bytes.length - at, (n + 1) * SEGMENT_BYTES - to);
        await disk.append(segmentPath(folder, n), bytes.subarray(at, at + room));
        at += room;
        to += room;
      }
      await addMark({ kind: "written", end: to, ...state });
    } catch (error: unknown) {
      mended = false;
      budget.used -= bytes.length;
      passOver(outputOf(parts));
      throw error;
    }
    recent.add(end, bytes);
    lastByte = bytes.at(-1) ?? lastByte;
    end = to;
    durable = state;
    onGrown();
  }

  /** A refused batch: said out loud like anything else that did not fit, as soon as the disk takes it, in its place. */
  function passOver(output: number): void {
    if (output === 0) return;
    if (gathering) return void gathering.parts.unshift({ passed: output });
    passed += output;
    passing = true;
  }

  function write(...parts: Part[]): Promise<void> {
    budget.used += heldOf(parts);
    if (!gathering) {
      const all: Part[] = [];
      const done = inTurn(() => {
        gathering = undefined;
        return writeBatch(all);
      });
      gathering = { parts: all, done };
    }
    gathering.parts.push(...parts);
    return gathering.done;
  }

  /** What was passed over until now, to be said before what comes next. */
  function takePassed(): Part {
    const part = { passed };
    passed = 0;
    passing = false;
    return part;
  }

  async function compactMarks(): Promise<void> {
    const kept: Mark[] = [{ kind: "written", end, ...durable }];
    // The last acknowledged border stays, so that sequences go on from it.
    if (cuts.length === 0) kept.push({ kind: "cut", sequence: sequence - 1, offset: cutEnd, end: cutEnd });
    for (const cut of cuts) kept.push({ kind: "cut", ...cut });
    await disk.writeAtomic(marksPath, joinBytes(kept.map(encodeMark)));
    marksSize = kept.length * MARK_BYTES;
  }

  return {
    get end() {
      return end;
    },
    get position() {
      return durable.position;
    },
    get acknowledged() {
      return acknowledged;
    },
    get finished() {
      return finished;
    },
    get cuts() {
      return cuts;
    },
    get cutEnd() {
      return cutEnd;
    },
    async append(bytes, at) {
      position = at;
      if (passing ? budget.used > budget.cap * 0.75 : budget.used + bytes.length > budget.cap) {
        passing = true;
        passed += bytes.length;
        return write(new Uint8Array());
      }
      return passing ? write(takePassed(), bytes) : write(bytes);
    },
    async finish() {
      try {
        await inTurn(async () => {}); // what is on its way may be refused
        if (passed > 0) await write(takePassed());
      } finally {
        finished = true;
        onGrown();
      }
    },
    cut: (limit) =>
      inTurn(async () => {
        const length = Math.min(end, limit, cutEnd + LOG_CHUNK_BYTES) - cutEnd;
        if (length <= 0 || removed) return undefined;
        if (!mended) await mend();
        const last = await readBytes(cutEnd + length - Math.min(length, UTF8_BYTES), Math.min(length, UTF8_BYTES));
        const rest = last.length - completeUtf8(last);
        const cut = { sequence, offset: cutEnd, end: cutEnd + (rest < length ? length - rest : length) };
        await addMark({ kind: "cut", ...cut });
        sequence++;
        cutEnd = cut.end;
        cuts.push(cut);
        return cut;
      }),
    read: (cut) => readBytes(cut.offset, cut.end - cut.offset),
    acknowledge(offset) {
      const known = Math.min(offset, cutEnd);
      if (known <= acknowledged) return 0;
      budget.used -= known - acknowledged;
      acknowledged = known;
      const before = cuts.length;
      cuts = cuts.filter((cut) => cut.end > known);
      recent.forget(known);
      inTurn(async () => {
        // The segment of the last byte stays: it says how long the log is.
        for (; firstSegment < segmentOf(known - 1) && !removed; firstSegment++) {
          await disk.remove(segmentPath(folder, firstSegment));
        }
        if (marksSize > MARKS_BYTES && !removed) await compactMarks();
      }).catch(() => undefined); // space that could not be freed now goes with the whole spool
      return before - cuts.length;
    },
    canContinueFrom: (offset) =>
      offset === cutEnd || offset === acknowledged || cuts.some((cut) => cut.offset === offset || cut.end === offset),
    remove: () => {
      removed = true;
      return inTurn(() => {
        budget.used -= end - acknowledged;
        acknowledged = end;
        return untouched ? Promise.resolve() : disk.remove(folder);
      });
    },
  };
}
