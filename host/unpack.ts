/**
 * Unpacks a tar (ustar, pax, GNU long names), gzipped or not, that a stranger may have made. Nothing is ever written
 * outside the folder: no absolute or climbing name, no name twice, no write through a link, no link that leads out, no
 * device, hard link, FIFO or set-id bit, and bounds on entries and bytes. On any refusal the caller throws the folder away.
 */
import { isDiskTrouble } from "./process_files.ts";
import { readPax, readTarHeader, TarRefusal } from "./unpack_header.ts";
import type { TarEntry } from "./unpack_header.ts";

export interface UnpackLimits {
  entries: number;
  bytes: number;
}
export const UNPACK_LIMITS: UnpackLimits = { entries: 100_000, bytes: 8 * 1024 ** 3 };

const BLOCK = 512;
const META_BYTES = 1024 * 1024;

export async function unpack(
  archive: string,
  folder: string,
  limits: UnpackLimits = UNPACK_LIMITS,
): Promise<{ ok: true } | { error: string }> {
  const file = await Deno.open(archive);
  let reader: BlockReader | undefined;
  try {
    const magic = new Uint8Array(2);
    const isGzip = await file.read(magic) === 2 && magic[0] === 0x1f && magic[1] === 0x8b;
    await file.seek(0, Deno.SeekMode.Start);
    const bytes = isGzip ? file.readable.pipeThrough(new DecompressionStream("gzip")) : file.readable;
    reader = new BlockReader(bytes);
    await unpackEntries(reader, await Deno.realPath(folder), limits);
    return { ok: true };
  } catch (error: unknown) {
    if (!(error instanceof Error) || isDiskTrouble(error)) throw error; // no fault of the archive
    return { error: error instanceof TarRefusal ? error.message : `it cannot be unpacked: ${error.message}` };
  } finally {
    await reader?.cancel();
  }
}

async function unpackEntries(reader: BlockReader, root: string, limits: UnpackLimits): Promise<void> {
  const seen = new Set<string>();
  const links: string[] = [];
  let bytes = 0;
  let entries = 0;
  let next: Partial<TarEntry> = {};
  while (true) {
    const block = await reader.take(BLOCK);
    if (block.every((byte) => byte === 0)) break;
    const header = readTarHeader(block);
    if (++entries > limits.entries) throw new TarRefusal(`it has more than ${limits.entries} entries`);
    if ("xgLK".includes(header.type)) {
      if (header.size > META_BYTES) throw new TarRefusal("it has an entry with far too long a name");
      bytes += header.size;
      if (bytes > limits.bytes) throw new TarRefusal(`it holds more than ${limits.bytes} bytes`);
      const body = await reader.take(padded(header.size));
      const text = new TextDecoder().decode(body.subarray(0, header.size));
      if (header.type === "x") next = { ...next, ...readPax(text) };
      if (header.type === "L") next.name = text.replace(/\0.*$/s, "");
      if (header.type === "K") next.link = text.replace(/\0.*$/s, "");
      continue; // `g` speaks of the whole archive: git's commit id, nothing of ours
    }
    const entry: TarEntry = { ...header, ...next };
    next = {};
    bytes += entry.size;
    if (bytes > limits.bytes) throw new TarRefusal(`it holds more than ${limits.bytes} bytes`);
    const name = checkName(entry.name);
    if (name !== "") {
      const isFolder = entry.type === "5";
      if (seen.has(name) && !isFolder) throw new TarRefusal(`it has ${say(name)} twice`);
      seen.add(name);
      if (entry.mode & 0o7000 && !isFolder) throw new TarRefusal(`${say(name)} has a set-id or sticky bit`);
      await makeParents(root, name);
      if (isFolder) await makeFolder(root, name);
      else if (entry.type === "0") await writeFile(reader, `${root}/${name}`, name, entry);
      else if (entry.type === "2") {
        await makeLink(root, name, entry.link);
        links.push(name);
      } else throw new TarRefusal(`${say(name)} is ${KINDS[entry.type] ?? "of an unknown kind"}, which is not allowed`);
    }
    // A file's body is read where it is written; what else has one is skipped.
    if (entry.type !== "0" || name === "") await reader.skip(padded(entry.size));
  }
  for (const name of links) await checkLink(root, name);
}

const KINDS: Record<string, string> = { "1": "a hard link", "3": "a device", "4": "a device", "6": "a FIFO" };
const padded = (size: number) => Math.ceil(size / BLOCK) * BLOCK;
const say = (name: string) => JSON.stringify(name.length > 200 ? `${name.slice(0, 200)}...` : name);

/** The name without `./` and the last slash; empty for the folder itself. */
function checkName(name: string): string {
  // deno-lint-ignore no-control-regex
  if (/[\x00-\x1f\\]/.test(name)) throw new TarRefusal(`${say(name)} has a character that no name may have`);
  if (name.startsWith("/")) throw new TarRefusal(`${say(name)} is an absolute name`);
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..")) throw new TarRefusal(`${say(name)} leads out of its folder`);
  return parts.join("/");
}

async function lstat(path: string): Promise<Deno.FileInfo | undefined> {
  try {
    return await Deno.lstat(path);
  } catch (error: unknown) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

async function makeFolder(root: string, name: string): Promise<void> {
  const there = await lstat(`${root}/${name}`);
  if (there === undefined) await Deno.mkdir(`${root}/${name}`, { mode: 0o755 });
  else if (!there.isDirectory) throw new TarRefusal(`${say(name)} is a folder and something else`);
}

/** Every folder above, each a real one: a link there would carry the write elsewhere. */
async function makeParents(root: string, name: string): Promise<void> {
  const parts = name.split("/");
  for (let depth = 1; depth < parts.length; depth++) await makeFolder(root, parts.slice(0, depth).join("/"));
}

async function writeFile(reader: BlockReader, path: string, name: string, entry: TarEntry): Promise<void> {
  const there = await lstat(path);
  if (there?.isDirectory) throw new TarRefusal(`${say(name)} is a file and a folder`);
  if (there) await Deno.remove(path); // an earlier archive's: ours is the later word, and never goes through its link
  const file = await Deno.open(path, { write: true, createNew: true, mode: entry.mode & 0o111 ? 0o755 : 0o644 });
  try {
    for (let left = entry.size; left > 0;) {
      const chunk = await reader.takeSome(left);
      for (let written = 0; written < chunk.length;) written += await file.write(chunk.subarray(written));
      left -= chunk.length;
    }
  } finally {
    file.close();
  }
  await reader.skip(padded(entry.size) - entry.size);
}

async function makeLink(root: string, name: string, target: string): Promise<void> {
  if (target === "" || target.startsWith("/") || target.includes("\0")) {
    throw new TarRefusal(`${say(name)} links to ${say(target)}, which is not inside its folder`);
  }
  if (await lstat(`${root}/${name}`)) throw new TarRefusal(`it has ${say(name)} twice`);
  await Deno.symlink(target, `${root}/${name}`);
}

/** Asked when all is there, so that a chain of links is followed as the system follows it. */
async function checkLink(root: string, name: string): Promise<void> {
  let real: string;
  try {
    real = await Deno.realPath(`${root}/${name}`);
  } catch (error: unknown) {
    if (!(error instanceof Error)) throw error;
    throw new TarRefusal(`${say(name)} is a link that leads nowhere`);
  }
  if (real !== root && !real.startsWith(`${root}/`)) throw new TarRefusal(`${say(name)} is a link out of its folder`);
}

/** Takes exact lengths from a stream. */
class BlockReader {
  #reader: ReadableStreamDefaultReader<Uint8Array>;
  #rest: Uint8Array = new Uint8Array();

  constructor(stream: ReadableStream<Uint8Array>) {
    this.#reader = stream.getReader();
  }

  /** What is at hand, at least one byte and at most `most`. */
  async takeSome(most: number): Promise<Uint8Array> {
    while (this.#rest.length === 0) {
      const { done, value } = await this.#reader.read();
      if (done) throw new TarRefusal("it ends too early");
      this.#rest = value;
    }
    const some = this.#rest.subarray(0, most);
    this.#rest = this.#rest.subarray(some.length);
    return some;
  }

  async take(length: number): Promise<Uint8Array> {
    const whole = new Uint8Array(length);
    for (let at = 0; at < length;) {
      const some = await this.takeSome(length - at);
      whole.set(some, at);
      at += some.length;
    }
    return whole;
  }

  async skip(length: number): Promise<void> {
    for (let left = length; left > 0;) left -= (await this.takeSome(left)).length;
  }

  async cancel(): Promise<void> {
    await this.#reader.cancel().catch((error: unknown) => {
      if (!(error instanceof Error)) throw error; // a stream that already failed has nothing left to release
    });
  }
}
