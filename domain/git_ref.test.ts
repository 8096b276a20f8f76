import { expect, it } from "vitest";
import { formatRef, isCommit, isRefName, parseRef, versionName } from "./git_ref.ts";

it("reads branches and tags, and writes them back", () => {
  for (const ref of ["refs/heads/main", "refs/heads/feature/x", "refs/tags/v1.2.3", "refs/heads/中文"]) {
    expect(formatRef(parseRef(ref)!)).toBe(ref);
  }
  expect(parseRef("refs/notes/x")).toBeUndefined();
  expect(parseRef("main")).toBeUndefined();
});

it.each([
  "",
  "-x",
  "--upload-pack=x",
  "a b",
  "a\nb",
  "a\0b",
  "a..b",
  "a@{1}",
  "a~1",
  "a^",
  "a:b",
  "a?",
  "a*",
  "a[b",
  "a\\b",
  "a/",
  "a//b",
  "a/.b",
  "a/-b",
  "x.lock",
  "@",
  ".x",
  "x.",
])(
  "refuses %j as a name",
  (name) => {
    expect(isRefName(name)).toBe(false);
    expect(parseRef(`refs/heads/${name}`)).toBeUndefined();
  },
);

it("names a version by its tag, or by branch and commit", () => {
  const commit = "4f1c0b7e5d2a9c8b3e6f7a1d0c9b8a7e6f5d4c3b";
  expect(versionName({ kind: "tag", name: "v1" }, commit)).toBe("v1");
  expect(versionName({ kind: "branch", name: "main" }, commit)).toBe("main-4f1c0b7e5d2a");
  expect(isCommit(commit)).toBe(true);
  expect(isCommit(commit.slice(1))).toBe(false);
});
