/**
 * Rows for a person, in the first of these forms that fits the terminal:
 *
 *   1. aligned columns
 *   2. aligned columns, the last of which goes on below itself
 *   3. a block per row: its first cell, and below it a line per further cell that says something
 *
 * Without a terminal (a pipe, a file) it is always the first: what reads that wants one line per row.
 */
import type { CliHost } from "./host.ts";

/** Narrower than this, a sentence is a column of single words. */
const LEAST_FOR_LAST = 24;
const GAP = 2;

export function sayTable(
  { columns = Infinity }: Pick<CliHost, "columns">,
  heads: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const widths = heads.map((head, i) => Math.max(width(head), ...rows.map((row) => width(row[i] ?? ""))));
  const before = widths.slice(0, -1).reduce((sum, one) => sum + one + GAP, 0);
  const forLast = columns - before;
  if (forLast < Math.min(LEAST_FOR_LAST, widths.at(-1)!)) return sayBlocks(columns, heads, rows);
  const line = (cells: readonly string[]) => {
    const aligned = cells.slice(0, -1).map((cell, i) => pad(cell, widths[i]! + GAP)).join("");
    return hang(aligned, cells.at(-1) ?? "", before, columns);
  };
  return [heads.map((head) => head.toUpperCase()), ...rows].map((cells) => `${line(cells)}\n`).join("");
}

function sayBlocks(columns: number, heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const indent = Math.max(...heads.slice(1).map(width)) + 2 * GAP;
  const says = (cell: string | undefined) => cell !== undefined && cell !== "" && cell !== "-";
  return rows.map((row) =>
    `${row[0]}\n` +
    heads.slice(1).flatMap((head, i) =>
      says(row[i + 1]) ? `${hang(pad(`  ${head}`, indent), row[i + 1]!, indent, columns)}\n` : []
    ).join("")
  ).join("\n");
}

/** The text after what stands before it, broken between words, each further line below the first. */
function hang(first: string, text: string, indent: number, columns: number): string {
  // What has room stays as it is written, with all its blanks.
  if (!text.includes("\n") && indent + width(text) <= columns) return (first + text).trimEnd();
  const lines = [first];
  let used = indent;
  // Blanks at the beginning are the depth of a row in a tree.
  for (const [at, word] of (text.match(/^ *\S+|\S+/g) ?? []).entries()) {
    const wants = width(word) + (at === 0 ? 0 : 1);
    if (at > 0 && used + wants > columns) {
      lines.push(" ".repeat(indent) + word);
      used = indent + width(word);
    } else {
      lines[lines.length - 1] += (at === 0 ? "" : " ") + word;
      used += wants;
    }
  }
  return lines.map((line) => line.trimEnd()).join("\n");
}

/** Words on the left, what they mean on the right: a help. */
export function sayPairs(
  { columns = Infinity }: Pick<CliHost, "columns">,
  pairs: readonly (readonly [string, string])[],
) {
  const indent = Math.max(...pairs.map(([left]) => width(left))) + GAP;
  return pairs.map(([left, right]) => `${hang(pad(left, indent), right, indent, columns)}\n`).join("");
}

/** Paragraphs for a terminal: a line that ends within a sentence goes on, and one that is set in is an example. */
export function wrapText({ columns }: Pick<CliHost, "columns">, text: string): string {
  if (columns === undefined) return text;
  const paragraphs: string[] = [];
  for (const line of text.split("\n")) {
    const before = paragraphs.at(-1);
    const goesOn = before !== undefined && !before.startsWith("  ") && !/[.:]$|^$/.test(before) && !/^ |^$/.test(line);
    if (goesOn) paragraphs[paragraphs.length - 1] = `${before} ${line}`;
    else paragraphs.push(line);
  }
  return paragraphs.map((one) => one.startsWith("  ") ? one : hang("", one, 0, columns)).join("\n");
}

const pad = (text: string, to: number): string => text + " ".repeat(Math.max(0, to - width(text)));

/** Columns a text takes: colours take none, East Asian characters two. */
function width(text: string): number {
  let columns = 0;
  // deno-lint-ignore no-control-regex
  for (const character of text.replace(/\x1b\[\d*m/g, "")) {
    columns +=
      /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]/.test(character)
        ? 2
        : 1;
  }
  return columns;
}
