/**
 * What this agent has taken on, on disk before it says so to the master. An entry is written when a task is accepted and
 * removed when its result is in the outbox, so a crash leaves it in at least one of them. Secrets stay sealed in it.
 */
import type { Disk } from "../domain/ports.ts";
import { isTaskId } from "./task_id.ts";
import type { Dispatch } from "../protocol/agent_messages.ts";

export interface JournalEntry {
  dispatch: Dispatch;
  /** Wall clock, to measure the attempt's timeout over a restart. */
  startedAt: string;
  /** The operator's own, by `RunContext.save`. */
  saved: unknown;
  /** How often it was taken up again by agents that ended soon after (adoption.ts). */
  adoptions?: number | undefined;
}

export interface Journal {
  load(): Promise<JournalEntry[]>;
  put(entry: JournalEntry): Promise<void>;
  remove(taskId: string): Promise<void>;
  /** The newest generation taken on for an application in a place, 0 when none was. */
  generation(place: string): number;
  /** Remembers it, durably when this returns. */
  raiseGeneration(place: string, generation: number): Promise<void>;
}

/** Where an application lives: newer generations of it replace older ones there. */
export const placeOf = (operation: Dispatch["operation"]) =>
  `${operation.applicationId}/${operation.environmentId}/${operation.target?.id ?? "-"}`;

/** A line per change, so that remembering one does not cost what all of them weigh. */
const GENERATIONS = "generations";

export async function openJournal(disk: Disk): Promise<Journal> {
  const path = (taskId: string) => `journal/${taskId}.json`;
  const generations = await loadGenerations(disk);
  /** One write per task at a time, in the order they were asked for. */
  const turns = new Map<string, Promise<void>>();
  const inTurn = (key: string, write: () => Promise<void>): Promise<void> => {
    const turn = (turns.get(key) ?? Promise.resolve()).then(write);
    const settled = turn.catch(() => undefined); // the asker sees the failure; the next write is tried all the same
    turns.set(key, settled);
    settled.then(() => turns.get(key) === settled && turns.delete(key));
    return turn;
  };

  return {
    async load() {
      const names = (await disk.list("journal")).filter((name) => name.endsWith(".json"));
      const entries = await Promise.all(
        names.map((name) => readJson<JournalEntry | null>(disk, `journal/${name}`, null)),
      );
      return entries.filter((entry) => entry !== null && isTaskId(entry.dispatch.taskId)) as JournalEntry[];
    },
    put: (entry) => inTurn(entry.dispatch.taskId, () => disk.writeAtomic(path(entry.dispatch.taskId), toJson(entry))),
    remove: (taskId) => inTurn(taskId, () => disk.remove(path(taskId))),
    generation: (place) => generations.get(place) ?? 0,
    raiseGeneration(place, generation) {
      if (generation <= (generations.get(place) ?? 0)) return Promise.resolve();
      generations.set(place, generation);
      return inTurn(GENERATIONS, async () => {
        await disk.append(GENERATIONS, generationLine(place, generation));
        await disk.sync(GENERATIONS);
      });
    },
  };
}

const generationLine = (place: string, generation: number) => toJson([place, generation], "\n");

/** Each place once; a line that a crash tore is dropped, with the task it was written for. */
async function loadGenerations(disk: Disk): Promise<Map<string, number>> {
  const generations = new Map<string, number>();
  const lines = new TextDecoder().decode(await disk.read(GENERATIONS)).split("\n");
  for (const line of lines.slice(0, -1)) {
    const [place, generation] = JSON.parse(line) as [string, number];
    generations.set(place, Math.max(generation, generations.get(place) ?? 0));
  }
  if (lines.length > generations.size + 1 || lines.at(-1) !== "") {
    const whole = [...generations].map(([place, generation]) => JSON.stringify([place, generation]) + "\n").join("");
    await disk.writeAtomic(GENERATIONS, new TextEncoder().encode(whole));
  }
  return generations;
}

export const toJson = (value: unknown, end = ""): Uint8Array => new TextEncoder().encode(JSON.stringify(value) + end);

/** Files are written whole or not at all, so one that does not parse was damaged from outside: worth stopping for. */
export async function readJson<T>(disk: Disk, path: string, otherwise: T): Promise<T> {
  const bytes = await disk.read(path);
  if (!bytes) return otherwise;
  try {
    return JSON.parse(new TextDecoder().decode(bytes)) as T;
  } catch (error: unknown) {
    throw new Error(`${path} in the agent's state folder is damaged; remove it to go on without it.`, { cause: error });
  }
}
