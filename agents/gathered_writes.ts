/**
 * Small files that must each be durable at once, written together: a disk on which some folders are one file of changes,
 * so that any number of writers wait for one append and one sync.
 *
 *   writeAtomic | remove -> gathered -> appended to `changes` -> synced (if anything was written) -> answered
 *                             '--while one batch is on its way, the next one gathers
 *   `changes` has grown, and most of it is of the past -> written anew, with what is there now
 *
 * A change is a line, `[path, text]` or, of a removal, `[path]`. A crash leaves all lines that somebody was told of, and
 * perhaps some that nobody was, the last of them torn: that one is dropped when the disk is opened again, and whatever
 * stands behind it. Files of these folders that an agent before this one wrote by themselves are taken over.
 */
import type { Disk } from "../domain/ports.ts";

export const CHANGES = "changes";
/** What an agent writes at the beginning and at the end of each task (journal.ts, outbox.ts). */
export const GATHERED = ["journal", "outbox"];
/** Bytes of the past that are worth writing the rest anew. */
const PAST_BYTES = 1024 * 1024;

interface Change {
  path: string;
  /** undefined: it goes. */
  text: string | undefined;
}
interface Batch {
  changes: Change[];
  done: Promise<void>;
}

/** @param folders that hold nothing but small files of text, which are only ever written whole */
export async function gatherWrites(disk: Disk, folders: readonly string[]): Promise<Disk> {
  const isGathered = (path: string) => folders.some((folder) => path === folder || path.startsWith(`${folder}/`));
  const encoder = new TextEncoder();
  const decoder = new TextDecoder("utf-8", { fatal: true });

  const stored = await disk.read(CHANGES) ?? new Uint8Array();
  const { files, isWhole } = replay(stored);
  let size = stored.length;
  /** A part of a batch that failed may be there: nothing is appended behind it. */
  let isTorn = !isWhole;
  let gathering: Batch | undefined;
  let turn: Promise<unknown> = Promise.resolve();

  async function writeAnew(changes: readonly Change[]): Promise<void> {
    const next = new Map(files);
    for (const each of changes) apply(next, each);
    const bytes = encoder.encode([...next].map(([path, text]) => toLine({ path, text })).join(""));
    await disk.writeAtomic(CHANGES, bytes);
    size = bytes.length;
    isTorn = false;
  }
  async function write(changes: readonly Change[]): Promise<void> {
    const mostIsPast = size > PAST_BYTES && size > PAST_BYTES + 2 * weigh(files);
    if (isTorn || mostIsPast) return await writeAnew(changes);
    const bytes = encoder.encode(changes.map(toLine).join(""));
    isTorn = true;
    await disk.append(CHANGES, bytes);
    // A removal that a power failure takes back is made again.
    if (changes.some((change) => change.text !== undefined)) await disk.sync(CHANGES);
    size += bytes.length;
    isTorn = false;
  }
  function change(one: Change): Promise<void> {
    if (!gathering) {
      const changes: Change[] = [];
      const done = turn.then(async () => {
        gathering = undefined;
        await write(changes);
        for (const each of changes) apply(files, each);
      });
      turn = done.catch(() => undefined); // each who waits is told; the next batch is tried all the same
      gathering = { changes, done };
    }
    gathering.changes.push(one);
    return gathering.done;
  }

  await takeOver();
  return {
    ...disk,
    read: async (path) => isGathered(path) ? encodeIfAny(files.get(path)) : await disk.read(path),
    readRange: async (path, from, length) =>
      isGathered(path)
        ? (encodeIfAny(files.get(path)) ?? new Uint8Array()).subarray(from, from + length)
        : await disk.readRange(path, from, length),
    size: async (path) => isGathered(path) ? encodeIfAny(files.get(path))?.length ?? 0 : await disk.size(path),
    list: async (folder) => isGathered(folder) ? namesIn(files, folder) : await disk.list(folder),
    writeAtomic: (path, bytes) =>
      isGathered(path) ? change({ path, text: decoder.decode(bytes) }) : disk.writeAtomic(path, bytes),
    remove: async (path) => await (isGathered(path) ? change({ path, text: undefined }) : disk.remove(path)),
    append: (path, bytes) => isGathered(path) ? refuse(path) : disk.append(path, bytes),
    truncate: (path, length) => isGathered(path) ? refuse(path) : disk.truncate(path, length),
  };

  async function takeOver(): Promise<void> {
    const found: Change[] = [];
    for (const folder of folders) {
      for (const name of await disk.list(folder)) {
        const path = `${folder}/${name}`;
        const bytes = await disk.read(path);
        if (bytes) found.push({ path, text: decoder.decode(bytes) });
      }
    }
    if (found.length === 0) return;
    await writeAnew(found);
    for (const one of found) apply(files, one);
    for (const { path } of found) await disk.remove(path);
  }
  function encodeIfAny(text: string | undefined): Uint8Array | undefined {
    return text === undefined ? undefined : encoder.encode(text);
  }
}

/** The paths of what is there, of the bytes of `changes`. */
export const namesOf = (changes: Uint8Array): string[] => [...replay(changes).files.keys()];

const toLine = ({ path, text }: Change) => JSON.stringify(text === undefined ? [path] : [path, text]) + "\n";

function replay(bytes: Uint8Array): { files: Map<string, string>; isWhole: boolean } {
  const files = new Map<string, string>();
  const lines = new TextDecoder().decode(bytes).split("\n");
  for (const line of lines.slice(0, -1)) {
    const change = parseLine(line);
    if (!change) return { files, isWhole: false };
    apply(files, change);
  }
  return { files, isWhole: lines.at(-1) === "" };
}

function parseLine(line: string): Change | undefined {
  try {
    const [path, text] = JSON.parse(line) as [string, string?];
    return { path, text };
  } catch {
    return undefined; // torn
  }
}

function apply(files: Map<string, string>, { path, text }: Change): void {
  if (text !== undefined) return void files.set(path, text);
  if (files.delete(path)) return;
  for (const each of [...files.keys()]) if (each.startsWith(`${path}/`)) files.delete(each);
}

function namesIn(files: Map<string, string>, folder: string): string[] {
  const below = [...files.keys()].filter((path) => path.startsWith(`${folder}/`));
  return [...new Set(below.map((path) => path.slice(folder.length + 1).split("/")[0]!))];
}

function weigh(files: Map<string, string>): number {
  let sum = 0;
  for (const [path, text] of files) sum += path.length + text.length;
  return sum;
}

const refuse = (path: string) => Promise.reject(new Error(`${path} is only ever written as a whole`));
