/** How bytes of a log travel in JSON, from agents and to viewers. */
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export interface EncodedBytes {
  encoding: "utf8" | "base64";
  data: string;
}

/** Text where that gives the same bytes back, base64 where a character is cut or was never one. */
export function encodeLogBytes(bytes: Uint8Array): EncodedBytes {
  try {
    return { encoding: "utf8", data: strict.decode(bytes) };
  } catch (error: unknown) {
    if (!(error instanceof TypeError)) throw error;
    return encodeBinary(bytes);
  }
}

/** The same for what is to be stored: NUL is valid UTF-8, but no text column takes it. */
export const encodeChunk = (bytes: Uint8Array): EncodedBytes =>
  bytes.includes(0) ? encodeBinary(bytes) : encodeLogBytes(bytes);

function encodeBinary(bytes: Uint8Array): EncodedBytes {
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
