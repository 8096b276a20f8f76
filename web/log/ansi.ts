/**
 * A terminal line as styled spans. Only SGR (colours, bold, ...) is honoured. Other escape sequences are dropped, OSC
 * (window titles, links) with its payload; control and direction characters become visible signs, so that a log line
 * can neither run, hide nor reorder anything on the page.
 */
export interface Style {
  /** `0`..`15` are the theme's colours, `#rrggbb` is exact. */
  foreground?: string;
  background?: string;
  bold?: boolean;
  dim?: boolean;
  italic?: boolean;
  underline?: boolean;
  strike?: boolean;
  inverse?: boolean;
}
export interface Span {
  text: string;
  style: Style;
}
export const PLAIN: Style = {};

const ESC = "\u001b";
const SEQUENCE = new RegExp(
  `${ESC}(?:${
    [
      String.raw`\[([0-?]*)([ -/]*)([@-~])?`, // CSI: colours, cursor
      String.raw`\][^\u0007\u001b]*(?:\u0007|\u001b\\)?`, // OSC: titles, links
      String.raw`[PX^_][^\u001b]*(?:\u001b\\)?`, // DCS, SOS, PM, APC
      String.raw`[ -/]*[0-~]?`, // everything shorter
    ].join("|")
  })`,
  "g",
);
// C0 without tab, C1, zero-width, direction marks and overrides, line and paragraph separators, byte order mark.
// deno-lint-ignore no-control-regex
const UNSAFE = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

export const hasEscape = (line: string): boolean => line.includes(ESC);

/** What a person should see instead of a character that shows nothing or lies about the order. */
export const showUnsafe = (text: string): string =>
  text.replace(UNSAFE, (char) => {
    const code = char.codePointAt(0)!;
    if (code < 0x20) return String.fromCodePoint(0x2400 + code);
    if (code === 0x7f) return "\u2421";
    return `<U+${code.toString(16).toUpperCase().padStart(4, "0")}>`;
  });

/** The characters that a row shows, without styles: what search and wrapping work on. */
export const plainText = (line: string): string => showUnsafe(hasEscape(line) ? line.replace(SEQUENCE, "") : line);

export function parseLine(line: string, start: Style = PLAIN): { spans: Span[]; end: Style } {
  if (!hasEscape(line)) return { spans: line ? [{ text: showUnsafe(line), style: start }] : [], end: start };
  const spans: Span[] = [];
  let style = start;
  let from = 0;
  const push = (text: string) => {
    if (!text) return;
    const last = spans.at(-1);
    if (last?.style === style) last.text += showUnsafe(text);
    else spans.push({ text: showUnsafe(text), style });
  };
  for (const match of line.matchAll(SEQUENCE)) {
    push(line.slice(from, match.index));
    from = match.index + match[0].length;
    if (match[3] === "m" && !match[2]) style = applySgr(style, match[1]!);
  }
  push(line.slice(from));
  return { spans, end: style };
}

/** The style that the next line starts with. */
export const endStyle = (line: string, start: Style): Style => hasEscape(line) ? parseLine(line, start).end : start;

export function applySgr(style: Style, parameters: string): Style {
  if (parameters === "" || parameters === "0") return PLAIN;
  // `38:2::r:g:b` is one parameter with parts; `38;2;r;g;b` is five parameters. Both are in use.
  const codes = parameters.split(";").map((part) => part.split(":").map((n) => n === "" ? NaN : Number(n)));
  let next: Style = { ...style };
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i]![0] || 0;
    if (code === 0) next = {};
    else if (code === 1) next.bold = true;
    else if (code === 2) next.dim = true;
    else if (code === 3) next.italic = true;
    else if (code === 4) next.underline = codes[i]![1] !== 0;
    else if (code === 7) next.inverse = true;
    else if (code === 9) next.strike = true;
    else if (code === 21) next.underline = true;
    else if (code === 22) next.bold = next.dim = undefined;
    else if (code === 23) next.italic = undefined;
    else if (code === 24) next.underline = undefined;
    else if (code === 27) next.inverse = undefined;
    else if (code === 29) next.strike = undefined;
    else if (code >= 30 && code <= 37) next.foreground = String(code - 30);
    else if (code >= 90 && code <= 97) next.foreground = String(code - 90 + 8);
    else if (code === 39) next.foreground = undefined;
    else if (code >= 40 && code <= 47) next.background = String(code - 40);
    else if (code >= 100 && code <= 107) next.background = String(code - 100 + 8);
    else if (code === 49) next.background = undefined;
    else if (code === 38 || code === 48) {
      const parts = codes[i]!;
      const colour = parts.length > 1
        ? extendedColour(parts.slice(1).filter((n, at) => !(at === 1 && Number.isNaN(n))))
        : extendedColour(codes.slice(i + 1, i + 5).map((c) => c[0]!));
      if (parts.length === 1) i += codes[i + 1]?.[0] === 2 ? 4 : 2;
      if (colour && code === 38) next.foreground = colour;
      if (colour && code === 48) next.background = colour;
    }
  }
  return next;
}

const LEVELS = [0, 95, 135, 175, 215, 255];
const hex = (...rgb: number[]) => "#" + rgb.map((n) => n.toString(16).padStart(2, "0")).join("");
const isByte = (n: number | undefined): n is number => n !== undefined && n >= 0 && n <= 255;

/** `5, n` of the 256-colour table, or `2, r, g, b`. */
function extendedColour([kind, a, b, c]: number[]): string | undefined {
  if (kind === 2) return [a, b, c].every(isByte) ? hex(a!, b!, c!) : undefined;
  if (kind !== 5 || !isByte(a)) return undefined;
  if (a < 16) return String(a);
  if (a >= 232) return hex(8 + (a - 232) * 10, 8 + (a - 232) * 10, 8 + (a - 232) * 10);
  const cube = a - 16;
  return hex(LEVELS[Math.floor(cube / 36)]!, LEVELS[Math.floor(cube / 6) % 6]!, LEVELS[cube % 6]!);
}
