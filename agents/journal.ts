/**
 * What this agent has taken on, on disk before it says so to the master. An entry is written when a task is accepted and
 * removed when its result is in the outbox, so a crash leaves it in at least one of them. Secrets stay sealed in it.
 */
import type { Disk } from "../domain/ports.ts";
import { joinBytes } from "./join_bytes.ts";
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

  /** What may be on disk: most removals are of what is gone already, and cost nothing. */
  const present = new Set<string>();
  /** Lines that wait for the one write and sync of all that come while another is under way. */
  let gathering: { lines: Uint8Array[]; done: Promise<void> } | undefined;
  /** A write of lines failed: a part of one may stand there, and some that are remembered do not. All is written anew. */
  let isTorn = false;

  async function writeGenerations(lines: Uint8Array[]): Promise<void> {
    const wasTorn = isTorn;
    isTorn = true;
    if (wasTorn) await disk.writeAtomic(GENERATIONS, allLines(generations));
    else {
      await disk.append(GENERATIONS, joinBytes(lines));
      await disk.sync(GENERATIONS);
    }
    isTorn = false;
  }

  return {
    async load() {
      const names = (await disk.list("journal")).filter((name) => name.endsWith(".json"));
      const entries = await Promise.all(
        names.map((name) => readJson<JournalEntry | null>(disk, `journal/${name}`, null)),
      );
      for (const name of names) present.add(name.slice(0, -".json".length));
      return entries.filter((entry) => entry !== null && isTaskId(entry.dispatch.taskId)) as JournalEntry[];
    },
    put(entry) {
      const { taskId } = entry.dispatch;
      present.add(taskId); // also when the write fails: a part of it may be there
      return inTurn(taskId, () => disk.writeAtomic(path(taskId), toJson(entry)));
    },
    async remove(taskId) {
      if (!present.has(taskId)) await turns.get(taskId); // a removal is under way: should it fail, this one tries again
      if (!present.delete(taskId)) return; // a later put brings it back in
      try {
        await inTurn(taskId, () => disk.remove(path(taskId)));
      } catch (error: unknown) {
        present.add(taskId);
        throw error;
      }
    },
    generation: (place) => generations.get(place) ?? 0,
    raiseGeneration(place, generation) {
      if (generation <= (generations.get(place) ?? 0) && !isTorn) return Promise.resolve();
      generations.set(place, Math.max(generation, generations.get(place) ?? 0));
      if (!gathering) {
        const lines: Uint8Array[] = [];
        const done = inTurn(GENERATIONS, () => {
          gathering = undefined;
          return writeGenerations(lines);
        });
        gathering = { lines, done };
      }
      gathering.lines.push(generationLine(place, generation));
      return gathering.done;
    },
  };
}

const allLines = (generations: ReadonlyMap<string, number>) =>
  joinBytes([...generations].map(([place, generation]) => generationLine(place, generation)));
const generationLine = (place: string, generation: number) => toJson([place, generation], "\n");

/** Each place once; a line that a crash tore is dropped: the task it was written for raises it again, or was never taken on. */
async function loadGenerations(disk: Disk): Promise<Map<string, number>> {
  const generations = new Map<string, number>();
  const lines = new TextDecoder().decode(await disk.read(GENERATIONS)).split("\n");
  for (const line of lines.slice(0, -1)) {
    const [place, generation] = JSON.parse(line) as [string, number];
    generations.set(place, Math.max(generation, generations.get(place) ?? 0));
  }
  if (lines.length > generations.size + 1 || lines.at(-1) !== "") {
    await disk.writeAtomic(GENERATIONS, allLines(generations));
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
