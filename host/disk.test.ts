import { afterEach, describe, expect, it } from "vitest";
import { createDisk } from "./disk.ts";

const folders: string[] = [];
afterEach(async () => {
  for (const folder of folders.splice(0)) await Deno.remove(folder, { recursive: true });
});
async function setUp() {
  const folder = await Deno.makeTempDir();
  folders.push(folder);
  return { folder, disk: await createDisk(folder) };
}
const bytesOf = (text: string) => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array | undefined) => bytes && new TextDecoder().decode(bytes);

describe("disk", () => {
  it("writes a file whole, for its owner only, and leaves nothing beside it", async () => {
    const { folder, disk } = await setUp();
    await disk.writeAtomic("a/b.json", bytesOf("one"));
    await disk.writeAtomic("a/b.json", bytesOf("two"));
    expect(textOf(await disk.read("a/b.json"))).toBe("two");
    expect(await disk.list("a")).toEqual(["b.json"]);
    expect((await Deno.stat(`${folder}/a/b.json`)).mode! & 0o777).toBe(0o600);
    expect((await Deno.stat(`${folder}/a`)).mode! & 0o777).toBe(0o700);
  });

  it("appends, cuts, reads parts, and knows what is not there", async () => {
    const { disk } = await setUp();
    for (const part of ["abc", "def", "ghi"]) await disk.append("x/log", bytesOf(part));
    await disk.sync("x/log");
    expect(await disk.size("x/log")).toBe(9);
    expect(textOf(await disk.readRange("x/log", 2, 4))).toBe("cdef");
    expect(textOf(await disk.readRange("x/log", 7, 100))).toBe("hi");
    expect((await disk.readRange("x/log", 20, 5)).length).toBe(0);
    await disk.truncate("x/log", 4);
    await disk.append("x/log", bytesOf("!"));
    expect(textOf(await disk.read("x/log"))).toBe("abcd!");
    expect([await disk.read("none"), await disk.size("none"), await disk.list("none")]).toEqual([undefined, 0, []]);
    await disk.truncate("none", 0);
    await disk.remove("none");
    disk.close();
  });

  it("removes a folder with files that are open in it, and begins anew", async () => {
    const { disk } = await setUp();
    await disk.append("spool/t.1/bytes.0", bytesOf("old"));
    await disk.append("spool/t.10/bytes.0", bytesOf("other"));
    await disk.remove("spool/t.1");
    await disk.append("spool/t.1/bytes.0", bytesOf("new"));
    expect(textOf(await disk.read("spool/t.1/bytes.0"))).toBe("new");
    expect(textOf(await disk.read("spool/t.10/bytes.0"))).toBe("other");
    disk.close();
  });

  it("keeps appending to more files than it keeps open", async () => {
    const { disk } = await setUp();
    for (let round = 0; round < 2; round++) {
      for (let n = 0; n < 40; n++) await disk.append(`f${n}`, bytesOf(String(round)));
    }
    for (let n = 0; n < 40; n++) expect(textOf(await disk.read(`f${n}`))).toBe("01");
    disk.close();
  });

  it("never leaves its folder", async () => {
    const { disk } = await setUp();
    await expect(disk.writeAtomic("../outside", bytesOf("x"))).rejects.toThrow("leaves its folder");
    await expect(disk.remove(".")).rejects.toThrow("leaves its folder");
  });

  it("says why when the disk refuses", async () => {
    const { folder, disk } = await setUp();
    await Deno.writeTextFile(`${folder}/file`, "");
    await expect(disk.append("file/below", bytesOf("x"))).rejects.toThrow();
    await expect(disk.writeAtomic("file/below", bytesOf("x"))).rejects.toThrow();
  });

  it("appends to many more files at once than it keeps open", async () => {
    const { disk } = await setUp();
    const names = Array.from({ length: 200 }, (_, i) => `many/${i}`);
    for (const part of ["one ", "two ", "three"]) {
      await Promise.all(names.flatMap((name) => [disk.append(name, bytesOf(part)), disk.sync(name)]));
    }
    const texts = await Promise.all(names.map(async (name) => textOf(await disk.read(name))));
    expect(new Set(texts)).toEqual(new Set(["one two three"]));
    disk.close();
  });

  it("says why a file cannot be opened, to each who asks, and opens it when it can be", async () => {
    const { disk } = await setUp();
    await disk.append("file", bytesOf("x"));
    const both = await Promise.allSettled([disk.append("file/inside", bytesOf("y")), disk.sync("file/inside")]);
    expect(both.map((one) => one.status)).toEqual(["rejected", "rejected"]);
    await disk.remove("file");
    await disk.append("file/inside", bytesOf("y"));
    expect(textOf(await disk.read("file/inside"))).toBe("y");
    disk.close();
  });

  it("writes many files whole into a folder that is not there yet", async () => {
    const { disk } = await setUp();
    const names = Array.from({ length: 50 }, (_, i) => `new/below/${i}`);
    await Promise.all(names.map((name) => disk.writeAtomic(name, bytesOf(name))));
    expect(new Set(await disk.list("new/below"))).toEqual(new Set(names.map((name) => name.split("/")[2])));
    expect(textOf(await disk.read(names[7]!))).toBe(names[7]);
    disk.close();
  });
});
