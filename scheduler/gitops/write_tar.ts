/** A tar that depends on names, modes and contents alone: the same files give the same bytes, so the same sha256. */
export interface TarFile {
  path: string;
  executable: boolean;
  content: Uint8Array;
}
const BLOCK = 512;
const text = new TextEncoder();

export function writeTar(files: readonly TarFile[]): Uint8Array<ArrayBuffer> {
  const sorted = [...files].sort((a, b) => (a.path < b.path ? -1 : 1));
  const parts = sorted.flatMap((file) => {
    const path = text.encode(file.path);
    // Names that the old header cannot hold (100 bytes, ASCII) travel in an extended one.
    const isPlain = path.length <= 100 && path.every((byte) => byte >= 0x20 && byte < 0x7f);
    return isPlain ? entry(path, file, "0") : [...extended(path), ...entry(path.slice(0, 100), file, "0")];
  });
  return join([...parts, new Uint8Array(2 * BLOCK)]);
}

function extended(path: Uint8Array): Uint8Array[] {
  // The record counts its own length, which may change the number of its digits.
  const rest = path.length + " path=\n".length;
  let length = rest + 1;
  while (length !== rest + String(length).length) length = rest + String(length).length;
  const record = join([text.encode(`${length} path=`), path, text.encode("\n")]);
  return entry(text.encode("PaxHeader"), { path: "", executable: false, content: record }, "x");
}

function entry(name: Uint8Array, file: TarFile, type: "0" | "x"): Uint8Array[] {
  const header = new Uint8Array(BLOCK);
  const put = (at: number, value: string) => header.set(text.encode(value), at);
  const octal = (value: number, digits: number) => value.toString(8).padStart(digits, "0") + "\0";
  header.set(name, 0);
  put(100, octal(file.executable ? 0o755 : 0o644, 7));
  put(108, octal(0, 7));
  put(116, octal(0, 7));
  put(124, octal(file.content.length, 11));
  put(136, octal(0, 11));
  put(148, "        ");
  put(156, type);
  put(257, "ustar\x0000");
  put(148, `${header.reduce((sum, byte) => sum + byte, 0).toString(8).padStart(6, "0")}\0 `);
  return [header, file.content, new Uint8Array((BLOCK - (file.content.length % BLOCK)) % BLOCK)];
}

function join(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
