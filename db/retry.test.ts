import { beforeAll, describe, expect, it } from "vitest";
import { createTestDatabase } from "../tests/helpers/test_database.ts";
import type { TestDatabase } from "../tests/helpers/test_database.ts";
import { Closing, inTransaction } from "./retry.ts";

describe("a transaction whose commit goes out behind its last statements", () => {
  let db: TestDatabase;
  beforeAll(async () => {
    db = await createTestDatabase();
    await db.sql`create table note (word text)`;
  });
  const words = async () => (await db.sql<{ word: string }[]>`select word from note`).map((row) => row.word);

  it("gives their answer, and all of it is kept", async () => {
    const answer = await inTransaction(db, async (tx) => {
      await tx`insert into note values ('first')`;
      const last = tx`insert into note values ('last') returning word`.then(([row]) => row!.word as string);
      return new Closing([last], () => last);
    });
    expect(answer).toBe("last");
    expect((await words()).sort()).toEqual(["first", "last"]);
  });

  it("tells of the one that failed, and nothing of it is kept", async () => {
    await db.sql`truncate note`;
    const failing = inTransaction(db, async (tx) => {
      await tx`insert into note values ('first')`;
      const others = [tx`select 1 / 0`, tx`select 'after it'`].map((one) => one.then(() => {}));
      return new Closing([...others].reverse(), () => "never");
    });
    await expect(failing).rejects.toMatchObject({ code: "22012" });
    expect(await words()).toEqual([]);
  });

  it("runs again when one of them met a conflict", async () => {
    await db.sql`truncate note`;
    let runs = 0;
    const answer = await inTransaction(db, async (tx) => {
      await tx`insert into note values (${`run ${++runs}`})`;
      if (runs === 2) return "well";
      const last = tx`do $$ begin raise exception 'in the way' using errcode = '40P01'; end $$`.then(() => "never");
      return new Closing([last], () => last);
    });
    expect([answer, await words()]).toEqual(["well", ["run 2"]]);
  });

  it("is not told to be kept when the driver has tried a statement again, behind the end of what was rolled back", async () => {
    await db.sql`truncate note`;
    const failing = inTransaction(db, async (tx) => {
      await tx`insert into note values ('first')`;
      const later = tx`select 1 / 0`.then(() => {}, () => {}); // came well the second time
      return new Closing([later], () => "kept");
    });
    await expect(failing).rejects.toMatchObject({ code: "25P02" });
    expect(await words()).toEqual([]);
  });
});
