import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { root } from "./build_once.ts";
import { GUARDS } from "./guards.ts";
import { SEEDED_BUGS } from "./seeded_bugs.ts";

it("each guard and each seeded bug is a change of the source as it stands", () => {
  const gone = [...GUARDS, ...SEEDED_BUGS].filter(({ file, text, without }) => {
    const source = readFileSync(`${root}/${file}`, "utf8");
    return source.replaceAll(text, without) === source;
  });
  expect(gone.map((guard) => `${guard.file}: ${guard.name}`)).toEqual([]);
});
