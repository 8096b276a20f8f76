import { describe, expect, it } from "vitest";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";
import { ensureFirstAdmin } from "./ensure_first_admin.ts";
import { hashPassword, isPassword } from "./hash_password.ts";

const db = await createTestDatabase();

describe("the first admin", () => {
  it("is made once, also when two masters start at the same moment", async () => {
    const asked: number[] = [];
    const answers = await Promise.all([1, 2, 3].map((n) =>
      ensureFirstAdmin(db, () => {
        asked.push(n);
        return `password of ${n}`;
      })
    ));
    expect(answers.filter(Boolean).length).toBe(1);
    const users = await db.sql`select u.username, m.role from app_user u join member m on m.user_id = u.id`;
    expect([...users]).toEqual([{ username: "admin", role: "admin" }]);
  });

  it("is not made where there is a user, and no password is asked for", async () => {
    const made = await ensureFirstAdmin(db, () => {
      throw new Error("asked");
    });
    expect(made).toBe(false);
  });
});

describe("passwords", () => {
  it("are kept as a salted scrypt hash that only the password opens", async () => {
    const [one, two] = await Promise.all([hashPassword("a long password"), hashPassword("a long password")]);
    expect(one).toMatch(/^scrypt\$32768\$8\$1\$/);
    expect(one).not.toBe(two);
    expect(await isPassword("a long password", one)).toBe(true);
    expect(await isPassword("another password", one)).toBe(false);
  });

  it("never fit an unknown user, who costs the same work", async () => {
    expect(await isPassword("", undefined)).toBe(false);
    expect(await isPassword("anything", undefined)).toBe(false);
  });

  it("are the same however a keyboard composes its letters", async () => {
    expect(await isPassword("pa\u0301ssword", await hashPassword("p\u00e1ssword"))).toBe(true);
  });

  it("are checked a few at a time, and all of them are", async () => {
    const hash = await hashPassword("a long password");
    const answers = await Promise.all(
      Array.from({ length: 7 }, (_, i) => isPassword(i % 2 ? "x" : "a long password", hash)),
    );
    expect(answers).toEqual([true, false, true, false, true, false, true]);
  });
});
