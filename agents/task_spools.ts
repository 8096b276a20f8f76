/**
 * The spool of each attempt: taken over from an agent before this one, or begun with the first word of its log. Most tasks
 * of a busy agent say nothing, and cost neither the disk nor anybody else a thing.
 */
import type { Disk } from "../domain/ports.ts";
import type { LogStreamer } from "./log_streamer.ts";
import { createSpool, openSpool, type Spool, type SpoolBudget } from "./spool.ts";

interface Attempt {
  taskId: string;
  fence: number;
  attempt: number;
  spool?: Spool;
}

export function createTaskSpools(disk: Disk, budget: SpoolBudget, streamer: LogStreamer) {
  const nameOf = ({ taskId, attempt }: Attempt) => `${taskId}.${attempt}`;
  const folderOf = (attempt: Attempt) => `spool/${nameOf(attempt)}`;
  /** Those that the disk refused to remove. */
  const leftovers = new Set<string>();

  function attach(to: Attempt, spool: Spool): Spool {
    streamer.add(to.taskId, to.fence, spool);
    return to.spool = spool;
  }
  const grown = ({ taskId }: Attempt) => () => streamer.grown(taskId);

  return {
    begin: (one: Attempt): Spool => attach(one, createSpool(disk, folderOf(one), budget, grown(one))),
    reopen: async (one: Attempt): Promise<Spool> =>
      attach(one, await openSpool(disk, folderOf(one), budget, grown(one))),
    /** Before an attempt begins: of what is left under its name nothing was accepted, so it is no part of its log. */
    async clear(one: Attempt): Promise<void> {
      const folder = folderOf(one);
      if (!leftovers.has(folder)) return;
      await disk.remove(folder);
      leftovers.delete(folder);
    },
    async remove(one: Attempt): Promise<void> {
      if (!one.spool) return;
      const folder = folderOf(one);
      leftovers.add(folder);
      await one.spool.remove();
      leftovers.delete(folder);
    },
    async removeAllBut(attempts: Iterable<Attempt>): Promise<void> {
      const kept = new Set([...attempts].map(nameOf));
      for (const name of await disk.list("spool")) if (!kept.has(name)) await disk.remove(`spool/${name}`);
    },
  };
}
