import { describe, expect, it } from "vitest";
import { createTestApi } from "../tests/helpers/test_api.ts";
import { createTestDatabase } from "../tests/helpers/test_database.ts";
import { decodeCursor, encodeCursor, page } from "./paginate.ts";

const db = await createTestDatabase();
const api = await createTestApi(db);

describe("a list", () => {
  it("is walked page by page, newest first, each item once", async () => {
    for (let i = 0; i < 7; i++) await api.request("POST", "/applications", { name: `app-${i}` });
    const seen: string[] = [];
    let cursor: string | null = "";
    let pages = 0;
    while (cursor !== null) {
      const { body }: { body: { items: { name: string }[]; nextCursor: string | null } } = await api.request(
        "GET",
        `/applications?limit=3&cursor=${cursor}`,
      );
      seen.push(...body.items.map((item) => item.name));
      cursor = body.nextCursor;
      pages++;
    }
    expect(seen).toEqual(["app-6", "app-5", "app-4", "app-3", "app-2", "app-1", "app-0"]);
    expect(pages).toBe(3);
  });

  it("shows nothing twice when something is added between two pages", async () => {
    const first = await api.request("GET", "/applications?limit=3");
    await api.request("POST", "/applications", { name: "late" });
    const second = await api.request("GET", `/applications?limit=3&cursor=${first.body.nextCursor}`);
    expect(second.body.items.map((i: { name: string }) => i.name)).toEqual(["app-3", "app-2", "app-1"]);
  });

  it("refuses a limit or a cursor that makes no sense, by name", async () => {
    for (const query of ["limit=0", "limit=201", "limit=-1", "limit=many", "cursor=nonsense", "cursor=%00"]) {
      const { status, body } = await api.request("GET", `/applications?${query}`);
      expect([query, status, body.errors?.[0].path]).toEqual([query, 400, query.split("=")[0]]);
    }
  });
});

describe("cursors", () => {
  it("come back as the id they were made of", () => {
    const id = db.newId();
    expect(decodeCursor(encodeCursor(id))).toBe(id);
    expect(decodeCursor(undefined)).toBeUndefined();
    expect(() => decodeCursor(encodeCursor("' or 1=1 --"))).toThrow("The cursor is not one of ours");
  });

  it("end with the last page, also when it is full", () => {
    const rows = [{ id: "a" }, { id: "b" }];
    expect(page(rows, 2, (row) => row.id)).toEqual({ items: ["a", "b"], nextCursor: null });
    expect(page([], 2, (row: { id: string }) => row.id)).toEqual({ items: [], nextCursor: null });
    expect(page(rows, 1, (row) => row.id)).toEqual({ items: ["a"], nextCursor: encodeCursor("a") });
  });
});
