/**
 * The lines that Boreas writes into a log, or shows in its place, where output is missing. One grammar for all of them:
 *
 *   [boreas: 4096 bytes of output passed over, the spool is full]
 *   [boreas: 4096 bytes (37 lines) of output passed over, the log is full]
 *   [boreas: 4096 bytes (37 lines) of output passed over, removed by retention after 30 days]
 *
 * The counts are exact: so many bytes of the masked output, and so many newlines among them, stood where the line stands.
 * A marker always begins a line: where the byte before it is no newline, one more is written that was never output.
 */
export const GAP_CAUSES = {
  /** The agent's disk space for logs was used up while the master was away or the link slow. Part of the stored bytes. */
  spool: "the spool is full",
  /** Beyond the cap of a task only the first and last part of each attempt are kept. Not stored: stands for a range of offsets. */
  cap: "the log is full",
  /** A viewer fell too far behind and was moved near the end. Only in what that viewer is given. */
  viewer: "the viewer is too slow",
  /** Old logs go while the rows that say what happened stay. Not stored: stands for a range of offsets. */
  retention: "removed by retention",
} as const;
export type GapCause = keyof typeof GAP_CAUSES;

export interface Gap {
  cause: GapCause;
  bytes: number;
  /** Newlines among the bytes, where they were counted. */
  lines?: number;
  /** Of `retention`: how old the log had become; absent where it went because there are enough newer ones. */
  days?: number;
}

export const MARKER_START = "[boreas: ";
/** No marker is longer. */
export const MARKER_MAX_BYTES = 128;
const MARKER = new RegExp(
  `^\\[boreas: (\\d+) bytes(?: \\((\\d+) lines\\))? of output passed over, (${
    Object.values(GAP_CAUSES).join("|")
  })(?: after (\\d+) days)?\\]$`,
);

/** The line that stands for a gap, with its newline. */
export function gapMarker({ cause, bytes, lines, days }: Gap): string {
  const counted = lines === undefined ? "" : ` (${lines} lines)`;
  const aged = days === undefined ? "" : ` after ${days} days`;
  return `${MARKER_START}${bytes} bytes${counted} of output passed over, ${GAP_CAUSES[cause]}${aged}]\n`;
}

/** @param line with or without its newline; @returns undefined for every line that is no marker */
export function parseGapMarker(line: string): Gap | undefined {
  const [, bytes, lines, said, days] = line.replace(/\n$/, "").match(MARKER) ?? [];
  if (bytes === undefined) return undefined;
  const cause = (Object.keys(GAP_CAUSES) as GapCause[]).find((name) => GAP_CAUSES[name] === said)!;
  return {
    cause,
    bytes: Number(bytes),
    ...(lines !== undefined && { lines: Number(lines) }),
    ...(days !== undefined && { days: Number(days) }),
  };
}
