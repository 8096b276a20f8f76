/** How bytes of a log travel in JSON: as text where that gives the same bytes back, else as base64. */

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export function encodeChunk(bytes: Uint8Array): { encoding: "utf8" | "base64"; data: string } {
  // NUL is valid UTF-8, but no text column and few viewers take it.
  if (!bytes.includes(0)) {
    try {
      return { encoding: "utf8", data: strict.decode(bytes) };
    } catch (error: unknown) {
      if (!(error instanceof TypeError)) throw error;
    }
  }
  let binary = "";
  for (let i = 0; i < bytes.length; i += 8192) binary += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return { encoding: "base64", data: btoa(binary) };
}

/** Length without a character that is cut off at the end; all of it when the end is no beginning of a character. */
export function completeUtf8(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back]!;
    if (byte < 0x80) break;
    if (byte < 0xc0) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
    return length > back ? bytes.length - back : bytes.length;
  }
  return bytes.length;
}
