/** What goes into a spool: bytes, or how many of them were passed over before those that come next. */
import { gapMarker } from "../domain/log_marker.ts";
import { joinBytes } from "./join_bytes.ts";

export type Part = Uint8Array | { passed: number };

const isBytes = (part: Part) => part instanceof Uint8Array;
/** Bytes of output that they stand for; the lines that say so are not output. */
export const outputOf = (parts: readonly Part[]): number =>
  parts.reduce((sum, part) => sum + (isBytes(part) ? part.length : part.passed), 0);
/** Those of them that are there. */
export const heldOf = (parts: readonly Part[]): number => outputOf(parts.filter(isBytes));

/** As they will stand in the log behind `lastByte`: a line that stands for what was passed over is on a line of its own. */
export function encodeParts(parts: readonly Part[], lastByte: number | undefined): Uint8Array {
  const encoded: Uint8Array[] = [];
  for (const part of parts) {
    const bytes = isBytes(part) ? part : encodeGap(part.passed, lastByte === undefined || lastByte === 10);
    encoded.push(bytes);
    lastByte = bytes.at(-1) ?? lastByte;
  }
  return joinBytes(encoded);
}

function encodeGap(bytes: number, beginsLine: boolean): Uint8Array {
  const line = gapMarker({ cause: "spool", bytes });
  return new TextEncoder().encode(beginsLine ? line : `\n${line}`);
}
