import { describe, expect, it } from "vitest";
import { dispatchOf } from "../tests/helpers/fake_master.ts";
import { createMemoryDisk } from "../tests/helpers/memory_disk.ts";
import { openJournal } from "./journal.ts";

describe("journal", () => {
  it("brings back what was put and not removed, as it was put last", async () => {
    const disk = createMemoryDisk();
    const journal = await openJournal(disk);
    const entry = { dispatch: dispatchOf("t1"), startedAt: "2026-01-01T00:00:00.000Z", saved: null };
    await Promise.all([
      journal.put(entry),
      journal.put({ ...entry, saved: { pid: 1 } }),
      journal.put({ ...entry, dispatch: dispatchOf("t2") }),
    ]);
    await journal.remove("t2");
    expect(await (await openJournal(disk)).load()).toEqual([{ ...entry, saved: { pid: 1 } }]);
  });

  it("writes all it knows of generations anew after a write of them failed half-way, before anything is taken on by them", async () => {
    const disk = createMemoryDisk();
    const journal = await openJournal(disk);
    await journal.raiseGeneration("order/prod", 1);
    const { append } = disk;
    disk.append = async (path, bytes) => {
      await append.call(disk, path, bytes.subarray(0, 7));
      throw new Error("ENOSPC");
    };
    await expect(journal.raiseGeneration("user/prod", 2)).rejects.toThrow("ENOSPC");
    disk.append = append;
    await journal.raiseGeneration("user/prod", 2);
    await journal.raiseGeneration("order/prod", 3);
    const again = await openJournal(disk);
    expect([again.generation("order/prod"), again.generation("user/prod")]).toEqual([3, 2]);
  });

  it("removes what a removal under way fails to remove", async () => {
    const disk = createMemoryDisk();
    const journal = await openJournal(disk);
    await journal.put({ dispatch: dispatchOf("t1"), startedAt: "2026-01-01T00:00:00.000Z", saved: null });
    const { remove } = disk;
    disk.remove = () => Promise.reject(new Error("EIO"));
    const first = journal.remove("t1");
    const second = journal.remove("t1");
    await expect(first).rejects.toThrow("EIO");
    disk.remove = remove;
    await second.catch(() => journal.remove("t1"));
    expect(await disk.list("journal")).toEqual([]);
  });

  it("remembers the newest generation of each place over restarts, and drops a torn line", async () => {
    const disk = createMemoryDisk();
    const journal = await openJournal(disk);
    for (const generation of [3, 7, 5]) await journal.raiseGeneration("order/prod", generation);
    await journal.raiseGeneration("user/prod", 2);
    await disk.append("generations", new TextEncoder().encode('["order/prod",9'));
    const again = await openJournal(disk);
    expect([again.generation("order/prod"), again.generation("user/prod"), again.generation("new")]).toEqual([7, 2, 0]);
    await again.raiseGeneration("order/prod", 8);
    expect((await openJournal(disk)).generation("order/prod")).toBe(8);
    expect(new TextDecoder().decode(await disk.read("generations")).split("\n").length).toBe(3);
  });

  it("tries a write again after the disk refused one", async () => {
    const disk = createMemoryDisk();
    const journal = await openJournal(disk);
    const entry = { dispatch: dispatchOf("t1"), startedAt: "2026-01-01T00:00:00.000Z", saved: null };
    disk.refuse(new Error("full"));
    await expect(journal.put(entry)).rejects.toThrow("full");
    disk.refuse(undefined);
    await journal.put(entry);
    expect((await journal.load()).length).toBe(1);
  });

  it("names a damaged entry instead of forgetting the task", async () => {
    const disk = createMemoryDisk();
    await disk.writeAtomic("journal/t1.json", new TextEncoder().encode("{"));
    await expect((await openJournal(disk)).load()).rejects.toThrow(
      "journal/t1.json in the agent's state folder is damaged",
    );
  });
});
