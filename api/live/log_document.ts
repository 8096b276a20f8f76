/**
 * A task's log as one run of bytes: of a leaf its attempt, of a parent its parts one after the other, each under a line
 * with its name. Offsets count the bytes of this document.
 */
import type { Database } from "../../db/database.ts";
import { readLogRange } from "../../db/logs/read_log.ts";
import type { LogSource, TaskLog } from "../../db/logs/read_log.ts";
import { LOG_PIECE_BYTES } from "./follow_log.ts";
import { pullStream } from "./pull_stream.ts";

type Segment = { start: number; length: number } & ({ text: Uint8Array } | { source: LogSource });
export interface LogDocument {
  /** Bytes that are durable now. */
  size: number;
  segments: Segment[];
}

export function logDocument(log: TaskLog): LogDocument {
  const segments: Segment[] = [];
  let size = 0;
  const add = (length: number, content: { text: Uint8Array } | { source: LogSource }) => {
    segments.push({ start: size, length, ...content });
    size += length;
  };
  log.sources.forEach((source, index) => {
    if (!log.isLeaf) {
      const text = new TextEncoder().encode(`${index === 0 ? "" : "\n"}==> ${source.name} <==\n`);
      add(text.length, { text });
    }
    add(source.bytes, { source });
  });
  return { size, segments };
}

/** Bytes `from` to `to` of the document, which lie within its size; read as they are asked for. */
export function streamDocument(
  db: Database,
  document: LogDocument,
  from: number,
  to: number,
): ReadableStream<Uint8Array> {
  let at = from;
  let index = 0;
  const next = async () => {
    if (at >= to) return undefined;
    while (at >= document.segments[index]!.start + document.segments[index]!.length) index++;
    const segment = document.segments[index]!;
    const first = at - segment.start;
    const last = Math.min(segment.length, to - segment.start, first + 4 * LOG_PIECE_BYTES);
    const bytes = "text" in segment
      ? segment.text.subarray(first, last)
      : await readLogRange(db, segment.source.taskId, segment.source.attempt, first, last);
    // The size that was promised is that of durable chunks; they do not go away while the task is there.
    if (bytes.length === 0) throw new Error(`the log ends before its head, at ${at} of ${to}`);
    at += bytes.length;
    return bytes;
  };
  return pullStream(() => ({ next, close: () => {} }));
}
