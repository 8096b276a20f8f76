/**
 * Reads what a keeper keeps, by position: `position = file number * 1 MiB + offset in it`. Waits on the folder's own
 * change events, so an idle program costs nothing and a line arrives within milliseconds.
 */
import { watchFolder } from "./process_watch.ts";

const FILE_BYTES = 1024 * 1024;
const READ_BYTES = 64 * 1024;
const SERIES_FILES = 2 ** 20;
/** Change events are a hint: look by ourselves now and then. */
const LOOK_MS = 1000;
/** How long after the end a child that still holds the output is listened to. */
const LINGER_MS = 1500;

export interface OutputPart {
  bytes: Uint8Array;
  position: number;
  lostBytes: number | null;
}

/** `o.1000.aaaaab` -> 1; a later series counts from 2^20 on. undefined for any other name. */
export function fileNumber(name: string): number | undefined {
  const match = /^o\.(\d{4})\.([a-z]{6})$/.exec(name);
  if (!match) return undefined;
  let index = 0;
  for (const letter of match[2]!) index = index * 26 + letter.charCodeAt(0) - 97;
  return (Number(match[1]) - 1000) * SERIES_FILES + index;
}

async function listFiles(folder: string): Promise<{ number: number; path: string }[]> {
  const files: { number: number; path: string }[] = [];
  try {
    for await (const entry of Deno.readDir(folder)) {
      const number = fileNumber(entry.name);
      if (number !== undefined) files.push({ number, path: `${folder}/${entry.name}` });
    }
  } catch (error: unknown) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return files.sort((a, b) => a.number - b.number);
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error: unknown) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** From a position to the end of the output, or, once `stop` is aborted, to what is there by then. */
export async function* followOutput(
  folder: string,
  from: number,
  stop: AbortSignal,
  process: { ended: Promise<unknown>; hasEnded(): boolean },
): AsyncGenerator<OutputPart> {
  const out = `${folder}/out`;
  await Deno.mkdir(out, { recursive: true });
  const watch = watchFolder(out);
  stop.addEventListener("abort", watch.poke);
  process.ended.then(watch.poke);
  let position = from;
  let quietSince: number | undefined;
  let open: { number: number; file: Deno.FsFile } | undefined;
  const buffer = new Uint8Array(READ_BYTES);
  try {
    while (true) {
      // Asked before the read, so that what came before the answer is read after it.
      const last = stop.aborted || await exists(`${folder}/drained`);
      const ended = process.hasEnded();
      let moved = false;
      const files = await listFiles(out);
      for (const { number, path } of files) {
        if ((number + 1) * FILE_BYTES <= position) continue;
        let lostBytes: number | null = 0;
        if (number * FILE_BYTES > position) {
          const sameSeries = Math.floor(number / SERIES_FILES) === Math.floor(position / FILE_BYTES / SERIES_FILES);
          lostBytes = sameSeries ? number * FILE_BYTES - position : null;
          position = number * FILE_BYTES;
        }
        if (open?.number !== number) {
          open?.file.close();
          open = undefined;
          try {
            open = { number, file: await Deno.open(path) };
          } catch (error: unknown) {
            if (error instanceof Deno.errors.NotFound) continue; // pruned since it was listed: the next one tells
            throw error;
          }
        }
        await open.file.seek(position - number * FILE_BYTES, Deno.SeekMode.Start);
        for (let length = await open.file.read(buffer); length; length = await open.file.read(buffer)) {
          position += length;
          moved = true;
          yield { bytes: buffer.slice(0, length), position, lostBytes };
          lostBytes = 0;
        }
      }
      if (last) return;
      if (moved) quietSince = undefined;
      else if (ended) {
        quietSince ??= performance.now();
        if (performance.now() - quietSince > LINGER_MS) return;
      }
      // After the end only the keeper's last word is missing, and that is in another folder.
      if (!moved) await watch.change(ended ? 20 : LOOK_MS);
    }
  } finally {
    stop.removeEventListener("abort", watch.poke);
    open?.file.close();
    watch.close();
  }
}

/** Where the last lines begin, not further back than TAIL_BYTES. */
export async function findLastLines(folder: string, count: number): Promise<number> {
  let missing = TAIL_BYTES;
  let lines = count;
  let at = 0;
  for (const { number, path } of (await listFiles(`${folder}/out`)).reverse()) {
    const bytes = await Deno.readFile(path);
    const first = Math.max(0, bytes.length - missing);
    if (at === 0 && bytes.at(-1) === NEWLINE) lines++; // the end of the last line begins none
    for (let i = bytes.length - 1; i >= first; i--) {
      if (bytes[i] === NEWLINE && --lines <= 0) return number * FILE_BYTES + i + 1;
    }
    at = number * FILE_BYTES + first;
    missing -= bytes.length - first;
    if (missing <= 0) break;
  }
  return at;
}

const NEWLINE = 10;
const TAIL_BYTES = 256 * 1024;
const LINE_CHARACTERS = 2000;

/** The last lines, as text: invalid bytes become U+FFFD, long lines are cut. */
export async function readLastLines(folder: string, count: number, hasEnded: boolean): Promise<string[]> {
  // The exit code may be there before the last output is; a child that goes on holding it is not waited for.
  for (let waited = 0; hasEnded && waited < LINGER_MS && !await exists(`${folder}/drained`); waited += 20) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const parts: Uint8Array[] = [];
  let missing = TAIL_BYTES;
  for (const { path } of (await listFiles(`${folder}/out`)).reverse()) {
    const bytes = await Deno.readFile(path);
    parts.unshift(bytes.slice(Math.max(0, bytes.length - missing)));
    missing -= bytes.length;
    if (missing <= 0) break;
  }
  const text = new TextDecoder().decode(await new Blob(parts as BlobPart[]).arrayBuffer());
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines.slice(-count).map((line) => line.replace(/\r$/, "").slice(0, LINE_CHARACTERS));
}
