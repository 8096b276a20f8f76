/** Archives as a stranger may write them: tar entries byte by byte. */
export interface Entry {
  name: string;
  /** `0` a file, `1` a hard link, `2` a link, `3` and `4` devices, `5` a folder, `6` a FIFO, `x` a pax header, `L` a long name. */
  type?: string;
  body?: string;
  link?: string;
  mode?: number;
  /** What the header says, when it lies. */
  size?: number;
}
const encode = (text: string) => new TextEncoder().encode(text);

export function tarEntry({ name, type = "0", body = "", link = "", mode = 0o644, size }: Entry): Uint8Array {
  const block = new Uint8Array(512);
  const put = (at: number, text: string) => block.set(encode(text), at);
  put(0, name);
  put(100, mode.toString(8).padStart(7, "0"));
  put(124, (size ?? encode(body).length).toString(8).padStart(11, "0"));
  put(156, type);
  put(157, link);
  put(257, "ustar\x0000");
  put(148, "        ");
  put(148, block.reduce((sum, byte) => sum + byte, 0).toString(8).padStart(6, "0") + "\0 ");
  const bytes = new Uint8Array(512 + Math.ceil(encode(body).length / 512) * 512);
  bytes.set(block);
  bytes.set(encode(body), 512);
  return bytes;
}

export const tarOf = async (entries: Entry[]): Promise<Uint8Array<ArrayBuffer>> =>
  new Uint8Array(
    await new Blob([...entries.map(tarEntry), new Uint8Array(1024)] as BlobPart[]).arrayBuffer(),
  );
