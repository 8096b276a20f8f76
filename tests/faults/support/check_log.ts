/** I6: what is stored is what was emitted, byte by byte, but for markers that say exactly how much is missing. */
import { Buffer } from "node:buffer";
import { MARKER_MAX_BYTES, MARKER_START, parseGapMarker } from "../../../domain/log_marker.ts";

const NEWLINE = 10;

/** @returns what is wrong, in words; undefined when nothing is */
export function compareLog(emitted: Uint8Array | string, stored: Uint8Array | string): string | undefined {
  const [given, kept] = [Buffer.from(emitted as Uint8Array), Buffer.from(stored as Uint8Array)];
  if (given.equals(kept)) return undefined;
  const pieces = splitAtMarkers(kept);
  if (fits(given, pieces, 0, 0)) return undefined;
  if (pieces.length > 1) {
    const missing = pieces.reduce((sum, piece) => sum + piece.missing, 0);
    return `${given.length} bytes were emitted; the ${kept.length} stored ones, with markers for ${missing}, are not those`;
  }
  const at = firstDifference(given, kept);
  const line = countNewlines(given.subarray(0, at)) + 1;
  const show = (bytes: Buffer) => JSON.stringify(bytes.subarray(Math.max(0, at - 20), at + 20).toString("latin1"));
  return `emitted (${given.length} bytes) and stored (${kept.length}) part at byte ${at}, line ${line}: ` +
    `emitted ${show(given)}, stored ${show(kept)}`;
}

interface Piece {
  bytes: Buffer;
  /** Bytes, and newlines among them, as the marker behind it says; 0 for the last piece. */
  missing: number;
  lines?: number;
}

function splitAtMarkers(stored: Buffer): Piece[] {
  const pieces: Piece[] = [];
  let from = 0;
  for (let at = stored.indexOf(MARKER_START); at >= 0; at = stored.indexOf(MARKER_START, at + 1)) {
    if (at > 0 && stored[at - 1] !== NEWLINE) continue;
    const end = stored.indexOf(NEWLINE, at) + 1;
    if (end === 0 || end - at > MARKER_MAX_BYTES) continue;
    const marker = parseGapMarker(stored.subarray(at, end).toString("latin1"));
    if (!marker) continue;
    pieces.push({ bytes: stored.subarray(from, at), missing: marker.bytes, lines: marker.lines });
    from = end;
  }
  return [...pieces, { bytes: stored.subarray(from), missing: 0 }];
}

/** A newline before a marker is the program's, or was added to give the marker a line of its own: both are tried. */
function fits(given: Buffer, pieces: readonly Piece[], index: number, at: number): boolean {
  const { bytes, missing, lines } = pieces[index]!;
  const matches = (piece: Buffer) => given.subarray(at, at + piece.length).equals(piece);
  if (index === pieces.length - 1) return matches(bytes) && at + bytes.length === given.length;
  const goesOn = (length: number) => {
    const [from, to] = [at + length, at + length + missing];
    if (to > given.length || (lines !== undefined && countNewlines(given.subarray(from, to)) !== lines)) return false;
    return fits(given, pieces, index + 1, to);
  };
  if (matches(bytes) && goesOn(bytes.length)) return true;
  return bytes.at(-1) === NEWLINE && matches(bytes.subarray(0, -1)) && goesOn(bytes.length - 1);
}

const countNewlines = (bytes: Uint8Array) => bytes.reduce((count, byte) => count + (byte === NEWLINE ? 1 : 0), 0);

function firstDifference(a: Buffer, b: Buffer): number {
  const end = Math.min(a.length, b.length);
  for (let i = 0; i < end; i++) if (a[i] !== b[i]) return i;
  return end;
}
