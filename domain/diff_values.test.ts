import { describe, expect, it } from "vitest";
import { diffValues } from "./diff_values.ts";

describe("what differs between two values", () => {
  it("is named leaf by leaf, with what was and what is", () => {
    expect(diffValues(
      { env: { A: "1", B: "2" }, exec: ["./x", "-p"], same: true },
      { env: { A: "1", B: "3", C: "" }, exec: ["./x"], same: true },
    )).toEqual([
      { path: "env.B", before: "2", after: "3" },
      { path: "env.C", before: null, after: "" },
      { path: "exec[1]", before: "-p", after: null },
    ]);
  });
  it("tells a list that became empty, and takes null for nothing", () => {
    expect(diffValues({ files: ["a"], bundle: null }, { files: [], bundle: undefined })).toEqual([
      { path: "files", before: null, after: "[]" },
      { path: "files[0]", before: "a", after: null },
    ]);
  });
  it("cuts what is long", () => {
    expect(diffValues({ a: "" }, { a: "x".repeat(2000) })[0]!.after).toHaveLength(500);
  });
});
