/**
 * Holds what is kept of all attempts of a task within its cap. Of an attempt that is alone that is the cap; of several
 * each keeps at least its equal share, if it wrote so much, and what others leave of theirs:
 *
 *   the log that grows + the attempts before it > cap
 *      -> the middle of the oldest that has more than a share goes, then of the next, by what is too much
 *      -> of the one that grows, what is still too much
 *
 * Within the append that made it too much: a crash leaves either both or neither.
 */
import type { Tx } from "../database.ts";
import { dropMiddle } from "./drop_middle.ts";
import type { DroppedRange } from "./drop_middle.ts";

interface Log {
  taskId: string;
  attempt: number;
  bytes: number;
  dropped: DroppedRange | undefined;
}
/** A first and a last byte: no attempt is cut to less. */
const LEAST = 2;

/** @param attempt the one that grows, the latest that has a log */
export async function keepWithinCap(tx: Tx, taskId: string, attempt: number, capBytes: number): Promise<void> {
  const rows = await tx<(Omit<Log, "dropped"> & { from: number | null; to: number; lines: number })[]>`
    select task_id, attempt, bytes, dropped_from as "from", dropped_to as "to", dropped_lines as lines
    from log_head where task_id = ${taskId} and attempt <= ${attempt} order by attempt for update`;
  const logs = rows.map(({ from, to, lines, ...log }) => ({
    ...log,
    dropped: from === null ? undefined : { from, to, lines },
  }));
  const share = Math.max(LEAST, Math.floor(capBytes / logs.length));
  const own = logs.pop()!;
  let before = logs.reduce((sum, log) => sum + keptOf(log), 0);
  for (const log of logs) {
    const [kept, excess] = [keptOf(log), before + keptOf(own) - capBytes];
    if (excess <= 0) return;
    if (kept <= share) continue;
    const dropped = await dropMiddle(tx, log, log.dropped, Math.max(share, kept - excess));
    before += keptOf({ ...log, dropped }) - kept;
  }
  if (before + keptOf(own) > capBytes) await dropMiddle(tx, own, own.dropped, Math.max(LEAST, capBytes - before));
}

const keptOf = ({ bytes, dropped }: Pick<Log, "bytes" | "dropped">): number =>
  bytes - (dropped ? dropped.to - dropped.from : 0);
