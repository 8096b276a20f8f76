/** The end of a growing run of bytes, kept in memory up to a limit. */
export interface RecentBytes {
  /** Bytes that follow what was added last. */
  add(offset: number, bytes: Uint8Array): void;
  /** @returns undefined where not all of it is kept */
  read(offset: number, length: number): Uint8Array | undefined;
  /** What lies before is not asked for again. */
  forget(before: number): void;
}

export function createRecentBytes(limit: number): RecentBytes {
  const pieces: { offset: number; bytes: Uint8Array }[] = [];
  let kept = 0;
  const dropFirst = () => kept -= pieces.shift()!.bytes.length;
  return {
    add(offset, bytes) {
      if (bytes.length === 0) return;
      pieces.push({ offset, bytes });
      kept += bytes.length;
      while (kept > limit) dropFirst();
    },
    read(offset, length) {
      const last = pieces.at(-1);
      if (!last || offset < pieces[0]!.offset || offset + length > last.offset + last.bytes.length) return undefined;
      const first = pieces.findLastIndex((piece) => piece.offset <= offset);
      const { offset: begin, bytes } = pieces[first]!;
      if (offset + length <= begin + bytes.length) return bytes.subarray(offset - begin, offset - begin + length);
      const whole = new Uint8Array(length);
      for (let i = first, filled = 0; filled < length; i++) {
        const piece = pieces[i]!;
        const part = piece.bytes.subarray(offset + filled - piece.offset).subarray(0, length - filled);
        whole.set(part, filled);
        filled += part.length;
      }
      return whole;
    },
    forget(before) {
      while (pieces[0] && pieces[0].offset + pieces[0].bytes.length <= before) dropFirst();
    },
  };
}
