import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { gzipSync } from "node:zlib";
import { tarOf } from "../tests/helpers/tar_entries.ts";
import type { Entry } from "../tests/helpers/tar_entries.ts";
import { unpack } from "./unpack.ts";

let root: string;
let into: string;
beforeEach(async () => {
  root = await Deno.makeTempDir({ prefix: "boreas-unpack-" });
  into = `${root}/into`;
  await Deno.mkdir(into);
  await Deno.writeTextFile(`${root}/outside`, "untouched");
});
afterEach(() => Deno.remove(root, { recursive: true }));

async function unpackEntries(
  entries: Entry[],
  options: { gzip?: boolean; limits?: { entries: number; bytes: number } } = {},
) {
  const plain = await tarOf(entries);
  await Deno.writeFile(`${root}/archive`, options.gzip ? gzipSync(plain) : plain);
  return await unpack(`${root}/archive`, into, options.limits);
}
async function everything(folder = into): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) found.push(...await everything(`${folder}/${name}`));
    else found.push(`${folder}/${name}`.slice(into.length + 1));
  }
  return found.sort();
}

describe("unpacking what GNU tar and git make", () => {
  it("gives files, folders, links, long names and modes back", async () => {
    const source = `${root}/source`;
    const long = `${"a-long-folder-name/".repeat(9)}and-a-file-with-a-name-of-some-length-too.txt`;
    await Deno.mkdir(`${source}/${long}`.replace(/\/[^/]*$/, ""), { recursive: true });
    await Deno.writeTextFile(`${source}/${long}`, "deep");
    await Deno.writeTextFile(`${source}/run`, "#!/bin/sh\n", { mode: 0o755 });
    await Deno.writeTextFile(`${source}/empty æ`, "");
    await Deno.symlink("run", `${source}/alias`);
    for (const format of ["gnu", "pax", "ustar"]) {
      const archive = `${root}/${format}.tgz`;
      const made = await new Deno.Command("tar", { args: [`--format=${format}`, "-czf", archive, "-C", source, "."] })
        .output();
      expect(made.success).toBe(true);
      await Deno.mkdir(`${into}/${format}`);
      expect(await unpack(archive, `${into}/${format}`)).toEqual({ ok: true });
      expect(await Deno.readTextFile(`${into}/${format}/${long}`)).toBe("deep");
      expect(await Deno.readLink(`${into}/${format}/alias`)).toBe("run");
      expect((await Deno.stat(`${into}/${format}/run`)).mode! & 0o777).toBe(0o755);
      expect((await Deno.stat(`${into}/${format}/empty æ`)).size).toBe(0);
    }
  });

  it("lets a later archive replace a file, never through a link of the earlier one", async () => {
    await unpackEntries([{ name: "a", body: "1" }, { name: "target", body: "1" }, {
      name: "l",
      type: "2",
      link: "target",
    }]);
    expect(await unpackEntries([{ name: "a", body: "2" }, { name: "l", body: "2" }])).toEqual({ ok: true });
    expect([await Deno.readTextFile(`${into}/a`), await Deno.readTextFile(`${into}/target`)]).toEqual(["2", "1"]);
  });
});

describe("an archive that means harm is refused, and nothing outside is touched", () => {
  it.each<[string, Entry[], string]>([
    ["a climbing name", [{ name: "../outside", body: "x" }], "leads out of its folder"],
    ["a climbing name inside", [{ name: "a/../../outside", body: "x" }], "leads out of its folder"],
    ["an absolute name", [{ name: "/tmp/boreas-pwn", body: "x" }], "is an absolute name"],
    ["a backslash", [{ name: "..\\outside", body: "x" }], "a character that no name may have"],
    ["a link out", [{ name: "l", type: "2", link: "../outside" }], "is a link out of its folder"],
    ["an absolute link", [{ name: "l", type: "2", link: "/etc/passwd" }], "which is not inside its folder"],
    ["a link to nothing", [{ name: "l", type: "2", link: "none" }], "is a link that leads nowhere"],
    [
      "a chain of links that leads out only together",
      [{ name: "d/", type: "5" }, { name: "d/up", type: "2", link: ".." }, {
        name: "l",
        type: "2",
        link: "d/up/../outside",
      }],
      "is a link out of its folder",
    ],
    [
      "a write through a link",
      [{ name: "l", type: "2", link: ".." }, { name: "l/outside", body: "x" }],
      "is a folder and something else",
    ],
    ["a hard link", [{ name: "h", type: "1", link: "../outside" }], "is a hard link, which is not allowed"],
    ["a device", [{ name: "d", type: "4" }], "is a device, which is not allowed"],
    ["a FIFO", [{ name: "f", type: "6" }], "is a FIFO, which is not allowed"],
    ["a set-id bit", [{ name: "s", body: "x", mode: 0o4755 }], "has a set-id or sticky bit"],
    ["a name twice", [{ name: "a", body: "1" }, { name: "./a", body: "2" }], "twice"],
    ["a file and a folder of one name", [{ name: "a/", type: "5" }, { name: "a", body: "2" }], "twice"],
    ["a long name by pax", [{ name: "x", type: "x", body: "25 path=../outside/pwned\n" }, { name: "a" }], "leads out"],
    ["a body that is not there", [{ name: "a", body: "x", size: 100_000 }], "it ends too early"],
  ])("%s", async (_name, entries, sentence) => {
    const outcome = await unpackEntries(entries);
    expect("error" in outcome && outcome.error).toContain(sentence);
    expect(await Deno.readTextFile(`${root}/outside`)).toBe("untouched");
    await expect(Deno.stat("/tmp/boreas-pwn")).rejects.toThrow();
    expect((await Array.fromAsync(Deno.readDir(root), (e) => e.name)).sort()).toEqual(["archive", "into", "outside"]);
  });

  it("too many entries, and a small file that unpacks to far too much", async () => {
    const many = Array.from({ length: 50 }, (_, index) => ({ name: `f${index}` }));
    expect(await unpackEntries(many, { limits: { entries: 49, bytes: 1e6 } })).toEqual({
      error: "it has more than 49 entries",
    });
    const bomb = [{ name: "bomb", body: "0".repeat(3_000_000) }];
    expect(await unpackEntries(bomb, { gzip: true, limits: { entries: 10, bytes: 1e6 } }))
      .toEqual({ error: "it holds more than 1000000 bytes" });
    expect(await everything()).not.toContain("bomb");
    const names = Array.from({ length: 9 }, () => ({ name: "x", type: "L", body: "n".repeat(200_000) }));
    expect(await unpackEntries([...names, { name: "a" }], { gzip: true, limits: { entries: 10, bytes: 1e6 } }))
      .toEqual({ error: "it holds more than 1000000 bytes" });
  });

  it("something that is no archive at all", async () => {
    await Deno.writeTextFile(`${root}/archive`, "#!/bin/sh\n".repeat(100));
    expect(await unpack(`${root}/archive`, into)).toEqual({ error: "it is not a tar archive, or a damaged one" });
    await Deno.writeFile(`${root}/archive`, new Uint8Array([0x1f, 0x8b, 1, 2, 3]));
    expect(await unpack(`${root}/archive`, into)).toEqual({ error: expect.stringContaining("it cannot be unpacked") });
  });
});
