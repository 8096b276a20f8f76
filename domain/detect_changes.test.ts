import { expect, it } from "vitest";
import { detectChanges } from "./detect_changes.ts";

const order = { name: "order", document: "d1", source: { paths: ["services/order/**"], ignore: ["**/*.md"] } };
const user = { name: "user", document: "d2", source: { paths: ["services/user/**"] } };
const before = new Map([["order", "d1"], ["user", "d2"]]);
const changed = (files: string[] | undefined, applications = [order, user]) => [
  ...detectChanges(applications, files, before),
];

it("marks everything in a repository's first version", () => expect(changed(undefined)).toEqual(["order", "user"]));
it("marks the application whose files differ", () => expect(changed(["services/user/main.ts"])).toEqual(["user"]));
it("passes over ignored files", () => expect(changed(["services/order/README.md"])).toEqual([]));
it("marks nothing when only other files differ", () => expect(changed(["docs/a.txt"])).toEqual([]));
it("marks an application whose own document differs", () =>
  expect(changed([], [{ ...order, document: "d9" }, user])).toEqual(["order"]));
it("marks an application that the base did not know", () =>
  expect(changed([], [order, { ...user, name: "new" }])).toEqual(["new"]));
it("always marks an application without source paths", () =>
  expect(changed([], [{ name: "user", document: "d2" } as typeof user])).toEqual(["user"]));
