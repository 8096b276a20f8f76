/** The records behind a spool's bytes: four numbers each, so that a torn one is found by its length. */
export type Mark =
  | { kind: "written"; end: number; position: number; passed: number }
  | { kind: "cut"; sequence: number; offset: number; end: number };

export const MARK_BYTES = 32;
const WRITTEN = 1;
const CUT = 2;

export function encodeMark(mark: Mark): Uint8Array<ArrayBuffer> {
  const values = mark.kind === "written"
    ? [WRITTEN, mark.end, mark.position, mark.passed]
    : [CUT, mark.sequence, mark.offset, mark.end];
  const view = new DataView(new ArrayBuffer(MARK_BYTES));
  values.forEach((value, i) => view.setFloat64(i * 8, value, true));
  return new Uint8Array(view.buffer);
}

/** Stops at the first record that is torn, or blank as a power failure may leave it. */
export function decodeMarks(bytes: Uint8Array): Mark[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const marks: Mark[] = [];
  for (let at = 0; at + MARK_BYTES <= bytes.length; at += MARK_BYTES) {
    const [kind, a, b, c] = [0, 8, 16, 24].map((i) => view.getFloat64(at + i, true)) as [
      number,
      number,
      number,
      number,
    ];
    if (kind === WRITTEN) marks.push({ kind: "written", end: a, position: b, passed: c });
    else if (kind === CUT) marks.push({ kind: "cut", sequence: a, offset: b, end: c });
    else break;
  }
  return marks;
}
