/** A tar archive (ustar) of a few files, written as it is read. */
export interface TarEntry {
  name: string;
  /** Octal, such as 0o755. */
  mode: number;
  size: number;
  body: AsyncIterable<Uint8Array<ArrayBuffer>>;
}

const BLOCK = 512;

export async function* tarOf(entries: readonly TarEntry[]): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  for (const entry of entries) {
    yield headerOf(entry);
    let written = 0;
    for await (const part of entry.body) {
      written += part.length;
      yield part;
    }
    if (written !== entry.size) throw new Error(`${entry.name} has ${written} bytes and should have ${entry.size}`);
    if (written % BLOCK > 0) yield new Uint8Array(BLOCK - written % BLOCK);
  }
  yield new Uint8Array(2 * BLOCK);
}

function headerOf({ name, mode, size }: TarEntry): Uint8Array<ArrayBuffer> {
  const header = new Uint8Array(BLOCK);
  const put = (at: number, text: string) => header.set(new TextEncoder().encode(text), at);
  const octal = (value: number, digits: number) => value.toString(8).padStart(digits, "0");
  if (name.length > 99) throw new Error(`${name} is too long for an archive`);
  put(0, name);
  put(100, `${octal(mode, 7)}\0${octal(0, 7)}\0${octal(0, 7)}\0${octal(size, 11)}\0${octal(0, 11)}\0        0`);
  put(257, "ustar\0" + "00");
  const sum = header.reduce((all, byte) => all + byte, 0);
  put(148, `${octal(sum, 6)}\0 `);
  return header;
}
