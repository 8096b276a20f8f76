/**
 * Cuts the batches of one application anew while it is being rolled out. What has begun stays as it is; the targets whose
 * turn has not come are dealt out again in the same order, behind what stays. Pure.
 *
 *   m1 m2 | pause | m3 m4 | pause | m5 m6      (m1 runs; new batch size 4)
 *   m1 m2 | pause | m3 m4 m5 m6
 */
import { batchSize } from "./strategy.ts";

export interface CutPart {
  id: string;
  /** A wait between batches; else a target's part. */
  isPause: boolean;
  /** Its turn has not come: nothing has begun it, and nothing will before what stands in front of it is over. */
  isWaiting: boolean;
  /** Of a target's part: the batch it is in. */
  batch: number;
}
export interface NewBatch {
  number: number;
  /** Parts of targets. */
  ids: string[];
  /** A wait stands in front of it that must be made: the first batch behind what stays may have one already. */
  hasNewPause: boolean;
}
export interface Recut {
  /** What the first new batch, or the wait in front of it, comes behind; empty: what the application itself waits for. */
  behind: string[];
  batches: NewBatch[];
  /** Waits that go. */
  dropped: string[];
}

/** @param parts of one application in their order, without what watches it and without targets that were left out */
export function cutBatches(parts: readonly CutPart[], batch: number | string, hasWait: boolean): Recut {
  const applies = parts.filter((part) => !part.isPause);
  const begun = new Set(applies.filter((part) => !part.isWaiting).map((part) => part.batch));
  const ahead = applies.filter((part) => !begun.has(part.batch));
  const kept = applies.filter((part) => begun.has(part.batch));
  const last = Math.max(0, ...kept.map((part) => part.batch));
  const dropped = parts.filter((part) => part.isPause && part.isWaiting).map((part) => part.id);
  // A wait that runs, or is over, stands in front of the first of the new ones.
  const from = parts.findLastIndex((part) => !part.isPause && begun.has(part.batch));
  const standing = parts.slice(from + 1).find((part) => part.isPause && !part.isWaiting);
  const size = batchSize(batch, applies.length);
  const batches: NewBatch[] = [];
  for (let at = 0; at < ahead.length; at += size) {
    batches.push({
      number: last + 1 + batches.length,
      ids: ahead.slice(at, at + size).map((part) => part.id),
      hasNewPause: hasWait && (at > 0 || (kept.length > 0 && !standing)),
    });
  }
  const behind = standing ? [standing.id] : kept.filter((part) => part.batch === last).map((part) => part.id);
  return { behind, batches, dropped };
}
