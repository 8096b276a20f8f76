/** Everything a stream needs to go on exactly where its reader stands, as the `id` of each event. */
import type { EventCursor } from "../../db/events/read_events.ts";
import type { LogPosition } from "../../db/logs/read_log.ts";

export interface ResumePoint {
  cursor: EventCursor;
  /** By task. */
  logs: ReadonlyMap<string, LogPosition>;
}

/** `XID.ID` and, per log, `~TASK@ATTEMPT:OFFSET`. Plain, short, and safe in a header. */
export const formatResumePoint = ({ cursor, logs }: ResumePoint): string =>
  [`${cursor.xid}.${cursor.id}`, ...[...logs].map(([task, at]) => `${task}@${at.attempt}:${at.offset}`)].join("~");

/** @returns undefined for anything that is not ours */
export function parseResumePoint(text: string): ResumePoint | undefined {
  const [head = "", ...parts] = text.split("~");
  const [, xid, id] = head.match(/^(\d{1,18})\.(\d{1,15})$/) ?? [];
  if (xid === undefined) return undefined;
  const logs = new Map<string, LogPosition>();
  for (const part of parts) {
    const [, task, attempt, offset] = part.match(/^([0-9a-f-]{36})@(\d{1,9}):(\d{1,15})$/) ?? [];
    if (task === undefined) return undefined;
    logs.set(task, { attempt: Number(attempt), offset: Number(offset) });
  }
  return { cursor: { xid, id: Number(id) }, logs };
}
