/** `db/logs/append_chunks.ts`, without its cap: what is stored has no gap and no duplicate. */
import type { LogPosition, NewChunk } from "../../../db/logs/append_chunks.ts";
import { bytesOf as asBytes } from "../../../domain/log_data.ts";
import { bytesOf } from "./tables.ts";
import type { Tables, TaskRow } from "./tables.ts";

export function appendChunks(tables: Tables, chunks: readonly NewChunk[]): LogPosition[] {
  /** The last holder is believed, also when the task has ended meanwhile. */
  const taskOf = ({ taskId, fence, agentId }: NewChunk): TaskRow | undefined => {
    const task = tables.tasks.get(taskId);
    const isLive = task?.fence === fence || !tables.guards.fence;
    return task && isLive && task.lastAgentId === agentId ? task : undefined;
  };
  for (const chunk of [...chunks].sort((a, b) => a.sequence - b.sequence)) {
    const task = taskOf(chunk);
    if (!task) continue;
    const key = `${task.id}:${task.attempt}`;
    const log = tables.logs.get(key) ?? { chunks: [], bytes: 0 };
    if (chunk.sequence !== log.chunks.length || chunk.offset !== log.bytes) continue;
    const bytes = asBytes(chunk.data);
    log.chunks.push(bytes);
    log.bytes += bytes.length;
    tables.logs.set(key, log);
  }
  const live = new Set(chunks.flatMap((chunk) => taskOf(chunk) ?? []));
  return [...live].map((task) => ({
    taskId: task.id,
    fence: task.fence,
    agentId: task.lastAgentId!,
    attempt: task.attempt,
    offset: bytesOf(tables, task),
  }));
}
