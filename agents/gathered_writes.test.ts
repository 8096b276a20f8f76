import { describe, expect, it } from "vitest";
import type { Disk } from "../domain/ports.ts";
import { CHANGES, gatherWrites, namesOf } from "./gathered_writes.ts";
import { createMemoryDisk } from "./memory_disk.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array | undefined) => bytes && new TextDecoder().decode(bytes);

/** A disk that counts, and that can refuse. */
function setUp() {
  const files = createMemoryDisk();
  const calls: string[] = [];
  let refuses: "append" | "sync" | undefined;
  const disk: Disk = {
    ...files,
    append(path, bytes) {
      calls.push("append");
      return refuses === "append"
        ? files.append(path, bytes.slice(0, bytes.length / 2)).then(() => Promise.reject(new Error("it is full")))
        : files.append(path, bytes);
    },
    sync(path) {
      calls.push("sync");
      return refuses === "sync" ? Promise.reject(new Error("it is broken")) : files.sync(path);
    },
  };
  return { disk, files, calls, refuse: (what: typeof refuses) => void (refuses = what) };
}
const open = (disk: Disk) => gatherWrites(disk, ["journal", "outbox"]);

describe("writes that are gathered", () => {
  it("share one append and one sync, however many wait, and are there again when the disk is opened anew", async () => {
    const { disk, calls } = setUp();
    const one = await open(disk);
    const names = Array.from({ length: 100 }, (_, n) => `journal/${n}.json`);
    await Promise.all(names.map((name) => one.writeAtomic(name, bytesOf(`{"of":"${name}"}\n`))));
    expect(calls).toEqual(["append", "sync"]);
    await one.remove("journal/7.json");
    await one.writeAtomic("journal/8.json", bytesOf("new"));
    const again = await open(disk);
    for (const seen of [one, again]) {
      expect((await seen.list("journal")).length).toBe(99);
      expect(await seen.read("journal/7.json")).toBeUndefined();
      expect([await seen.size("journal/8.json"), textOf(await seen.read("journal/8.json"))]).toEqual([3, "new"]);
      expect(textOf(await seen.readRange("journal/9.json", 2, 2))).toBe("of");
    }
    expect(namesOf((await disk.read(CHANGES))!).length).toBe(99);
  });

  it("leave every other file to the disk", async () => {
    const { disk, files } = setUp();
    const one = await open(disk);
    await one.writeAtomic("identity.json", bytesOf("me"));
    await one.append("spool/a/bytes.0", bytesOf("log"));
    expect(textOf(await files.read("identity.json"))).toBe("me");
    expect(await one.list("spool")).toEqual(["a"]);
    await expect(one.append("journal/a.json", bytesOf("x"))).rejects.toThrow("only ever written as a whole");
  });

  it("lose a torn last line and nothing else, and go on behind it", async () => {
    const { disk, files } = setUp();
    const one = await open(disk);
    await one.writeAtomic("outbox/a.json", bytesOf("a"));
    await one.writeAtomic("outbox/b.json", bytesOf("b"));
    await files.truncate(CHANGES, await files.size(CHANGES) - 4);
    const two = await open(disk);
    expect(await two.list("outbox")).toEqual(["a.json"]);
    await two.writeAtomic("outbox/c.json", bytesOf("c"));
    expect(await (await open(disk)).list("outbox")).toEqual(["a.json", "c.json"]);
  });

  it.each(["append", "sync"] as const)(
    "say so when the disk refuses to %s, and are whole as soon as it takes them",
    async (what) => {
      const { disk, refuse } = setUp();
      const one = await open(disk);
      await one.writeAtomic("outbox/a.json", bytesOf("a"));
      refuse(what);
      const both = [one.writeAtomic("outbox/b.json", bytesOf("b")), one.writeAtomic("outbox/c.json", bytesOf("c"))];
      expect((await Promise.allSettled(both)).map((each) => each.status)).toEqual(["rejected", "rejected"]);
      expect(await one.list("outbox")).toEqual(["a.json"]);
      refuse(undefined);
      await one.writeAtomic("outbox/d.json", bytesOf("d"));
      expect(await (await open(disk)).list("outbox")).toEqual(["a.json", "d.json"]);
    },
  );

  it("keep the file as small as what lives in it asks for", async () => {
    const { disk } = setUp();
    const one = await open(disk);
    const text = bytesOf("x".repeat(100_000));
    await one.writeAtomic("journal/stays.json", text);
    for (let n = 0; n < 50; n++) {
      await one.writeAtomic(`journal/${n}.json`, text);
      await one.remove(`journal/${n}.json`);
    }
    expect(await disk.size(CHANGES)).toBeLessThan(2_000_000);
    expect(await (await open(disk)).list("journal")).toEqual(["stays.json"]);
  });

  it("take over what an older agent has written file by file", async () => {
    const { disk, files } = setUp();
    await files.writeAtomic("journal/old.json", bytesOf("old"));
    expect(textOf(await (await open(disk)).read("journal/old.json"))).toBe("old");
    expect(await files.list("journal")).toEqual([]);
    expect(textOf(await (await open(disk)).read("journal/old.json"))).toBe("old");
  });
});
