/**
 * A task's log as one run of bytes: of a leaf its attempt, of a parent its parts one after the other, each under a line
 * with its name. Where a log outgrew its cap, a marker stands between its first and its last part.
 *
 * Offsets of a leaf count the bytes of its attempt, dropped ones included, so they stay what they are while the log
 * grows; those of a parent count the bytes of the document.
 */
import type { Database } from "../../db/database.ts";
import { droppedMarker, gapOf, readLog } from "../../db/logs/read_log.ts";
import type { LogSource, TaskLog } from "../../db/logs/read_log.ts";
import { gapMarker } from "../../domain/log_marker.ts";
import { encodeFrames } from "./event_frame.ts";

import { pullStream } from "./pull_stream.ts";

const READ_BYTES = 128 * 1024;

type Segment = { text: Uint8Array } | { source: LogSource; from: number; to: number };
export interface LogAnswer {
  segments: Segment[];
  /** undefined while more of the middle may be dropped before these bytes are read. */
  size: number | undefined;
  /** Where the next bytes will be. */
  nextOffset: number;
}

/** @param limit bytes of the log; with one, an answer that begins before a dropped part ends there */
export function logAnswer(log: TaskLog, offset: number, limit: number | undefined): LogAnswer {
  const { segments, nextOffset } = log.isLeaf
    ? leafSegments(log.sources[0]!, offset, limit)
    : cutDocument(partSegments(log.sources), offset, limit);
  const mayDrop = !log.isFinal && segments.some((s) => "source" in s && s.source.dropped && s.to > s.source.dropped.to);
  const size = segments.reduce((sum, s) => sum + lengthOf(s), 0);
  return { segments, nextOffset, size: mayDrop ? undefined : size };
}

const lengthOf = (segment: Segment) => "text" in segment ? segment.text.length : segment.to - segment.from;

function leafSegments(
  source: LogSource,
  offset: number,
  limit = Infinity,
): { segments: Segment[]; nextOffset: number } {
  const { dropped, bytes } = source;
  const from = Math.min(offset, bytes);
  if (!dropped || from >= dropped.to) {
    const to = Math.min(bytes, from + limit);
    return { segments: [{ source, from, to }], nextOffset: to };
  }
  const first: Segment[] = from < dropped.from ? [{ source, from, to: Math.min(dropped.from, from + limit) }] : [];
  if (first.length > 0 && limit < Infinity) {
    return { segments: first, nextOffset: Math.min(dropped.from, from + limit) };
  }
  const to = Math.min(bytes, dropped.to + limit);
  const marker = { text: droppedMarker(dropped, Math.max(from, dropped.from)) };
  return { segments: [...first, marker, { source, from: dropped.to, to }], nextOffset: to };
}

function partSegments(sources: readonly LogSource[]): Segment[] {
  return sources.flatMap((source, index) => [
    { text: new TextEncoder().encode(`${index === 0 ? "" : "\n"}==> ${source.name} <==\n`) },
    ...leafSegments(source, 0).segments,
  ]);
}

function cutDocument(all: readonly Segment[], offset: number, limit = Infinity) {
  const total = all.reduce((sum, s) => sum + lengthOf(s), 0);
  const from = Math.min(offset, total);
  const to = Math.min(total, from + limit);
  const segments: Segment[] = [];
  let at = 0;
  for (const segment of all) {
    const [first, last] = [Math.max(0, from - at), Math.min(lengthOf(segment), to - at)];
    at += lengthOf(segment);
    if (first >= last) continue;
    if ("text" in segment) segments.push({ text: segment.text.subarray(first, last) });
    else segments.push({ source: segment.source, from: segment.from + first, to: segment.from + last });
  }
  return { segments, nextOffset: to };
}

/** The bytes of an answer, read as they are asked for. */
export function streamAnswer(db: Database, answer: LogAnswer): ReadableStream<Uint8Array> {
  const rest = answer.segments.filter((s) => lengthOf(s) > 0);
  const next = async (): Promise<Uint8Array | undefined> => {
    const segment = rest[0];
    if (!segment) return undefined;
    if ("text" in segment) {
      rest.shift();
      return segment.text;
    }
    const { source, from, to } = segment;
    const at = { attempt: source.attempt, offset: from };
    const part = await readLog(db, source.taskId, at, Math.min(to - from, READ_BYTES));
    const isThere = part?.attempt === source.attempt && part.next > from;
    // Where a size was promised, those bytes were there to stay.
    if (!isThere || (part.isMarker && answer.size !== undefined)) {
      throw new Error(`the log of ${source.taskId} ends before its head, at ${from} of ${to}`);
    }
    if (part.next < to) rest[0] = { ...segment, from: part.next };
    else rest.shift();
    // What is dropped beyond this answer is told to whoever asks for it.
    return part.next > to
      ? encodeFrames(gapMarker({ ...(source.dropped ? gapOf(source.dropped) : { cause: "cap" }), bytes: to - from }))
      : part.bytes;
  };
  return pullStream(() => ({ next, close: () => {} }));
}
