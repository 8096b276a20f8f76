export interface Table {
  title: string;
  columns: string[];
  rows: (string | number)[][];
}

/** For a terminal: the first column to the left, numbers to the right. */
export function toText({ title, columns, rows }: Table): string {
  const cells = [columns, ...rows.map((row) => row.map(String))];
  const widths = columns.map((_, i) => Math.max(...cells.map((row) => (row[i] ?? "").length)));
  const line = (row: string[]) =>
    row.map((cell, i) => i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)).join("  ").trimEnd();
  const rule = widths.map((width) => "-".repeat(width)).join("  ");
  return [title, line(cells[0]!), rule, ...cells.slice(1).map(line)].join("\n");
}

export function toMarkdown({ title, columns, rows }: Table): string {
  const line = (row: (string | number)[]) =>
    `| ${row.map((cell) => String(cell).replaceAll("|", "\\|")).join(" | ")} |`;
  const rule = `|${columns.map((_, i) => (i === 0 ? "---" : "---:")).join("|")}|`;
  return [`**${title}**`, "", line(columns), rule, ...rows.map(line)].join("\n");
}
