/**
 * Results on disk until the master has them. A result that the disk refuses is kept in memory and sent all the same: a
 * full disk must not make finished work look lost.
 */
import type { Disk, Logger } from "../domain/ports.ts";
import type { Lease } from "../protocol/agent_messages.ts";
import type { Outcome } from "../protocol/operation.ts";
import { readJson, toJson } from "./journal.ts";
import { isTaskId } from "./task_id.ts";

export interface StoredResult extends Lease {
  attempt: number;
  /** Of the attempt's lease; absent in what an older agent wrote. */
  leaseSeconds?: number;
  outcome: Outcome;
}

export interface Outbox {
  load(): Promise<StoredResult[]>;
  put(result: StoredResult): Promise<void>;
  remove(taskId: string): Promise<void>;
}

export function openOutbox(disk: Disk, logger: Logger): Outbox {
  const path = (taskId: string) => `outbox/${taskId}.json`;
  /** What may be on disk: a task that ended without a result has nothing to remove. */
  const present = new Set<string>();
  return {
    async load() {
      const names = (await disk.list("outbox")).filter((name) => name.endsWith(".json"));
      const results = await Promise.all(
        names.map((name) => readJson<StoredResult | null>(disk, `outbox/${name}`, null)),
      );
      for (const name of names) present.add(name.slice(0, -".json".length));
      return results.filter((result) => result !== null && isTaskId(result.taskId)) as StoredResult[];
    },
    async put(result) {
      present.add(result.taskId); // also when the write fails: a part of it may be there
      try {
        await disk.writeAtomic(path(result.taskId), toJson(result));
      } catch (error: unknown) {
        logger.log("ERROR", "A result could not be written to disk; it is lost if the agent ends before it is sent.", {
          taskId: result.taskId,
          error: String(error),
        });
      }
    },
    async remove(taskId) {
      if (!present.delete(taskId)) return;
      try {
        await disk.remove(path(taskId));
      } catch (error: unknown) {
        present.add(taskId);
        throw error;
      }
    },
  };
}
