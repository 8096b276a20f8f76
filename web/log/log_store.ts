/**
 * The lines of one attempt. Bytes come in as chunks with offsets, from the file and from the live stream at once:
 *
 *   offset = next   append
 *   offset < next   the part that is known already is passed over
 *   offset > next   refused (`gap`): the caller reads the missing bytes first, or declares them lost with `markGap`
 *
 * UTF-8 is decoded as a stream, so a character split between chunks stays whole. A `\r` starts the line afresh (progress
 * bars); `\r\n` is a line end. The colours that a line inherits are kept only where they are not plain.
 */
import { endStyle, parseLine, PLAIN, plainText } from "./ansi.ts";
import type { Span, Style } from "./ansi.ts";

/** A longer line is cut into several rows: one endless line must not freeze the page. */
const LONGEST_LINE = 16_384;

export interface LogStore {
  /** Lines to show; the last may still grow. */
  count(): number;
  raw(index: number): string;
  text(index: number): string;
  spans(index: number): Span[];
  /** Bytes that are missing before this line. */
  gapBefore(index: number): number;
  /** Offset of the next byte. */
  next(): number;
  append(offset: number, bytes: Uint8Array): "appended" | "known" | "gap";
  markGap(offset: number, bytes: number): void;
}

export function createLogStore(): LogStore {
  const lines: string[] = [];
  const startStyles = new Map<number, Style>();
  const gaps = new Map<number, number>();
  let decoder = new TextDecoder();
  let next = 0;
  /** The line that has not ended. */
  let open = "";

  const close = (line: string) => {
    const index = lines.push(line) - 1;
    const end = endStyle(line, startStyles.get(index) ?? PLAIN);
    if (end !== PLAIN && Object.values(end).some(Boolean)) startStyles.set(index + 1, end);
  };
  const take = (text: string) => {
    let from = 0;
    for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", from)) {
      const line = open + text.slice(from, at);
      open = "";
      pushLong(line.endsWith("\r") ? line.slice(0, -1) : line);
      from = at + 1;
    }
    open += text.slice(from);
    if (open.length > LONGEST_LINE) {
      const rest = open.length % LONGEST_LINE;
      const whole = open.slice(0, open.length - rest);
      open = open.slice(open.length - rest);
      pushLong(whole);
    }
  };
  const pushLong = (line: string) => {
    const shown = overwrite(line);
    if (shown.length <= LONGEST_LINE) return close(shown);
    for (let at = 0; at < shown.length; at += LONGEST_LINE) close(shown.slice(at, at + LONGEST_LINE));
  };
  const raw = (index: number) => index < lines.length ? lines[index]! : overwrite(open);

  return {
    count: () => lines.length + (open ? 1 : 0),
    raw,
    text: (index) => plainText(raw(index)),
    spans: (index) => parseLine(raw(index), startStyles.get(index) ?? PLAIN).spans,
    gapBefore: (index) => gaps.get(index) ?? 0,
    next: () => next,
    append(offset, bytes) {
      if (offset > next) return "gap";
      const fresh = bytes.subarray(next - offset);
      if (offset + bytes.length <= next) return "known";
      next += fresh.length;
      take(decoder.decode(fresh, { stream: true }));
      return "appended";
    },
    markGap(offset, bytes) {
      if (offset + bytes <= next) return;
      if (open) {
        close(overwrite(open));
        open = "";
      }
      gaps.set(lines.length, (gaps.get(lines.length) ?? 0) + offset + bytes - next);
      decoder = new TextDecoder();
      next = offset + bytes;
    },
  };
}

/** What stays of a line after its carriage returns: the last part that wrote something. */
function overwrite(line: string): string {
  if (!line.includes("\r")) return line;
  return line.split("\r").findLast((part) => part !== "") ?? "";
}

/** The bytes of a chunk as it travels. */
export function chunkBytes(chunk: { encoding: "utf8" | "base64"; data: string }): Uint8Array {
  if (chunk.encoding === "utf8") return new TextEncoder().encode(chunk.data);
  return Uint8Array.from(atob(chunk.data), (char) => char.charCodeAt(0));
}
