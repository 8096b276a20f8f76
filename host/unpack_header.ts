/** The head of a tar entry: POSIX ustar, with what pax and GNU add to it. */
export class TarRefusal extends Error {
  override readonly name = "TarRefusal";
}

export interface TarEntry {
  name: string;
  /** `0` file, `1` hard link, `2` symbolic link, `3` `4` devices, `5` folder, `6` FIFO, `x` `g` pax, `L` `K` GNU long names. */
  type: string;
  size: number;
  mode: number;
  link: string;
}

const latin = new TextDecoder("latin1");
const utf8 = new TextDecoder();

function textAt(block: Uint8Array, from: number, length: number): string {
  const field = block.subarray(from, from + length);
  const end = field.indexOf(0);
  return utf8.decode(end < 0 ? field : field.subarray(0, end));
}

/** Octal text, or GNU's base 256 when the first bit is set. */
function numberAt(block: Uint8Array, from: number, length: number): number {
  const field = block.subarray(from, from + length);
  if (field[0]! & 0x80) {
    let value = field[0]! & 0x7f;
    for (const byte of field.subarray(1)) value = value * 256 + byte;
    return checkSize(value);
  }
  const text = latin.decode(field).replace(/[\0 ]+$/, "").trim();
  if (!/^[0-7]*$/.test(text)) throw new TarRefusal("it is not a tar archive, or a damaged one");
  return parseInt(text || "0", 8);
}

function checkSize(size: number): number {
  if (!Number.isSafeInteger(size) || size < 0) throw new TarRefusal("it has an entry of an impossible size");
  return size;
}

export function readTarHeader(block: Uint8Array): TarEntry {
  let sum = 0;
  block.forEach((byte, index) => sum += index >= 148 && index < 156 ? 32 : byte);
  if (sum !== numberAt(block, 148, 8)) throw new TarRefusal("it is not a tar archive, or a damaged one");
  const prefix = textAt(block, 257, 6) === "ustar" ? textAt(block, 345, 155) : "";
  const name = textAt(block, 0, 100);
  const type = String.fromCharCode(block[156]!).replace("\0", "0").replace("7", "0");
  return {
    name: prefix ? `${prefix}/${name}` : name,
    // Before ustar a folder was a file whose name ends in a slash.
    type: type === "0" && name.endsWith("/") ? "5" : type,
    size: type === "2" || type === "5" ? 0 : checkSize(numberAt(block, 124, 12)),
    mode: numberAt(block, 100, 8),
    link: textAt(block, 157, 100),
  };
}

/** pax records, `LENGTH key=value\n`; the lengths count bytes. */
export function readPax(text: string): Partial<TarEntry> {
  const bytes = new TextEncoder().encode(text);
  const found: Partial<TarEntry> = {};
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(32, at);
    const length = Number(utf8.decode(bytes.subarray(at, space)));
    if (space < 0 || !Number.isInteger(length) || length < 5) throw new TarRefusal("it has a damaged pax entry");
    const record = utf8.decode(bytes.subarray(space + 1, at + length - 1));
    const value = record.slice(record.indexOf("=") + 1);
    const key = record.slice(0, record.indexOf("="));
    if (key === "path") found.name = value;
    if (key === "linkpath") found.link = value;
    if (key === "size") found.size = checkSize(Number(value));
    if (key.startsWith("GNU.sparse")) throw new TarRefusal("it holds a sparse file, which is not allowed");
    at += length;
  }
  return found;
}
