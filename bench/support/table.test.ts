import { expect, it } from "vitest";
import { toMarkdown, toText } from "./table.ts";

const table = { title: "Speed", columns: ["", "tasks/s"], rows: [["ours", "1,234"], ["a|b", 7]] };

it("a table for a terminal has its columns under each other, numbers to the right", () => {
  expect(toText(table)).toBe(["Speed", "      tasks/s", "----  -------", "ours    1,234", "a|b         7"].join("\n"));
});

it("a table for a document keeps a bar within its cell", () => {
  expect(toMarkdown(table)).toBe(
    ["**Speed**", "", "|  | tasks/s |", "|---|---:|", "| ours | 1,234 |", "| a\\|b | 7 |"].join("\n"),
  );
});
