import fc from "../tests/helpers/fast_check.ts";
import { describe, expect, it } from "vitest";
import { createMemoryDisk } from "./memory_disk.ts";
import { completeUtf8, encodeChunk } from "../protocol/chunk_encoding.ts";
import { gapMarker } from "../domain/log_marker.ts";
import { createSpool, openSpool, SEGMENT_BYTES, type Spool, type SpoolBudget } from "./spool.ts";
import { LOG_CHUNK_BYTES } from "../protocol/agent_messages.ts";
import type { Disk } from "../domain/ports.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const roomy = (): SpoolBudget => ({ used: 0, cap: 1 << 30 });
const open = (disk: Disk, budget = roomy()) => openSpool(disk, "spool/t.1", budget, () => {});

async function cutAll(spool: Spool): Promise<string> {
  let text = "";
  for (let cut = await spool.cut(Infinity); cut; cut = await spool.cut(Infinity)) text += textOf(await spool.read(cut));
  return text;
}

describe("spool", () => {
  it("gives back what was appended, in chunks with growing sequences", async () => {
    const spool = await open(createMemoryDisk());
    const line = "0123456789abcdef\n";
    await Promise.all(Array.from({ length: 5000 }, (_, i) => spool.append(bytesOf(line), (i + 1) * line.length)));
    expect(spool.end).toBe(85_000);
    expect(spool.position).toBe(85_000);
    expect(await cutAll(spool)).toBe(line.repeat(5000));
    expect(spool.cuts.map((c) => c.sequence)).toEqual([0, 1, 2]);
    expect(spool.cuts[0]).toEqual({ sequence: 0, offset: 0, end: LOG_CHUNK_BYTES });
  });

  it("touches the disk not once as long as nothing is said", async () => {
    const touched: string[] = [];
    const disk = new Proxy(createMemoryDisk(), {
      get(target, name, receiver) {
        touched.push(String(name));
        return Reflect.get(target, name, receiver);
      },
    });
    const spool = createSpool(disk, "spool/t.1", roomy(), () => {});
    await spool.append(new Uint8Array(), 0);
    await spool.finish();
    await spool.remove();
    expect(spool.finished).toBe(true);
    expect(touched).toEqual([]);
  });

  it("has the same chunks after a restart, so that they are sent again byte for byte", async () => {
    const disk = createMemoryDisk();
    const before = await open(disk);
    await before.append(bytesOf("one "), 4);
    await before.cut(Infinity);
    await before.append(bytesOf("two three"), 13);
    await before.cut(8);
    const after = await open(disk);
    expect(after.cuts).toEqual([{ sequence: 0, offset: 0, end: 4 }, { sequence: 1, offset: 4, end: 8 }]);
    expect([after.end, after.position]).toEqual([13, 13]);
    expect(textOf(await after.read((await after.cut(Infinity))!))).toBe("three");
    expect(after.cuts.at(-1)!.sequence).toBe(2);
  });

  it("cuts off bytes whose mark was lost in a crash, and the source position agrees", async () => {
    const disk = createMemoryDisk();
    const before = await open(disk);
    await before.append(bytesOf("whole\n"), 6);
    await disk.append("spool/t.1/bytes.0", bytesOf("torn"));
    await disk.append("spool/t.1/marks", bytesOf("half a mark"));
    const after = await open(disk);
    expect([after.end, after.position]).toEqual([6, 6]);
    await after.append(bytesOf("next\n"), 11);
    const again = await open(disk);
    expect(await cutAll(again)).toBe("whole\nnext\n");
    expect(again.position).toBe(11);
  });

  it("drops marks of bytes that a power failure took, also for the openings after it", async () => {
    const disk = createMemoryDisk();
    const before = await open(disk);
    await before.append(bytesOf("kept\n"), 5);
    await before.append(bytesOf("taken\n"), 11);
    await before.cut(Infinity);
    await disk.truncate("spool/t.1/bytes.0", 7);
    const after = await open(disk);
    expect([after.end, after.position, after.cuts.length]).toEqual([5, 5, 0]);
    expect(after.canContinueFrom(11)).toBe(false);
    await after.append(bytesOf("other than before\n"), 23);
    const again = await open(disk);
    expect(again.cuts).toEqual([]);
    expect(await cutAll(again)).toBe("kept\nother than before\n");
  });

  it("frees acknowledged segments while the log grows, and goes on from there after a restart", async () => {
    const disk = createMemoryDisk();
    const budget = roomy();
    const spool = await open(disk, budget);
    const block = new Uint8Array(1024 * 1024).fill(120);
    for (let i = 1; i <= 9; i++) await spool.append(block, i * block.length);
    while (await spool.cut(Infinity));
    spool.acknowledge(8 * 1024 * 1024);
    await spool.append(bytesOf("end"), 0);
    expect(budget.used).toBe(1024 * 1024 + 3);
    expect((await disk.list("spool/t.1")).sort()).toEqual(["bytes.1", "bytes.2", "marks"]);
    const after = await open(disk);
    expect(after.end).toBe(9 * 1024 * 1024 + 3);
    expect(after.canContinueFrom(8 * 1024 * 1024)).toBe(true);
    after.acknowledge(9 * 1024 * 1024);
    expect((await after.cut(Infinity))!).toMatchObject({ sequence: 288, offset: 9 * 1024 * 1024 });
  });

  it("reads across the border of two segments", async () => {
    const spool = await open(createMemoryDisk());
    await spool.append(new Uint8Array(SEGMENT_BYTES - 2).fill(97), 0);
    while (await spool.cut(Infinity));
    await spool.append(bytesOf("bcde"), 0);
    expect(textOf(await spool.read((await spool.cut(Infinity))!))).toBe("bcde");
  });

  it("passes output over when it is full and says so with the exact count", async () => {
    const budget = { used: 0, cap: 10 };
    const spool = await open(createMemoryDisk(), budget);
    await spool.append(bytesOf("12345678"), 8);
    await spool.append(bytesOf("lost1\n"), 14);
    await spool.append(bytesOf("lost22\n"), 21);
    expect([spool.end, spool.position]).toEqual([8, 21]);
    await cutAll(spool);
    spool.acknowledge(8);
    await spool.append(bytesOf("more\n"), 26);
    expect(await cutAll(spool)).toBe(`\n${gapMarker({ cause: "spool", bytes: 13 })}more\n`);
    spool.acknowledge(spool.end);
    expect(budget.used).toBe(0);
  });

  it("remembers over a restart how much it passed over, and says it at the end at the latest", async () => {
    const disk = createMemoryDisk();
    const before = await open(disk, { used: 0, cap: 4 });
    await before.append(bytesOf("abc\n"), 4);
    await before.append(bytesOf("gone"), 8);
    const after = await open(disk, { used: 0, cap: 4 });
    expect(after.position).toBe(8);
    await after.finish();
    expect(await cutAll(after)).toBe(`abc\n${gapMarker({ cause: "spool", bytes: 4 })}`);
  });

  it("tells the operator when the disk refuses, and counts what was lost", async () => {
    const disk = createMemoryDisk();
    let full = false;
    const spool = await open({
      ...disk,
      append: (path, bytes) =>
        full
          ? disk.append(path, bytes.slice(0, 2)).then(() => Promise.reject(new Error("ENOSPC")))
          : disk.append(path, bytes),
    });
    await spool.append(bytesOf("before\n"), 7);
    full = true;
    await expect(spool.append(bytesOf("refused"), 14)).rejects.toThrow("ENOSPC");
    full = false;
    await spool.append(bytesOf("after\n"), 20);
    expect(await cutAll(spool)).toBe(`before\n${gapMarker({ cause: "spool", bytes: 7 })}after\n`);
  });

  describe("on a disk that refuses for a while", () => {
    /** Refuses, with half of it written, what comes while `isFull`. */
    function fragile() {
      const disk = createMemoryDisk();
      const state = { isFull: false, onRefusal() {} };
      const append: Disk["append"] = async (path, bytes) => {
        if (!state.isFull) return await disk.append(path, bytes);
        state.onRefusal();
        await disk.append(path, bytes.slice(0, bytes.length / 2));
        throw new Error("ENOSPC");
      };
      return { disk: { ...disk, append }, state };
    }
    const passedOver = (bytes: number) => gapMarker({ cause: "spool", bytes });

    it("says all that was passed over when a marker was refused with what came behind it", async () => {
      const { disk, state } = fragile();
      const budget = { used: 0, cap: 10 };
      const spool = await open(disk, budget);
      await spool.append(bytesOf("12345678"), 8);
      await spool.append(bytesOf("passed over\n"), 20);
      await cutAll(spool);
      spool.acknowledge(8);
      state.isFull = true;
      await expect(spool.append(bytesOf("more\n"), 25)).rejects.toThrow("ENOSPC");
      await expect(spool.append(bytesOf("even more\n"), 35)).rejects.toThrow("ENOSPC");
      expect([budget.used, spool.end, spool.position]).toEqual([0, 8, 20]);
      const crashed = await open(disk, { used: 0, cap: 10 });
      expect([crashed.end, crashed.position]).toEqual([8, 20]); // the operator reads the rest once more
      state.isFull = false;
      await spool.append(bytesOf("after\n"), 41);
      expect(await cutAll(spool)).toBe(`\n${passedOver(27)}after\n`);
      expect(budget.used).toBe(spool.end - spool.acknowledged);
      const again = await open(disk, { used: 0, cap: 1000 });
      await again.finish();
      expect([again.end, again.position]).toEqual([spool.end, 41]); // nothing is said twice
    });

    it("remembers a refused marker to the next agent", async () => {
      const { disk, state } = fragile();
      const before = await open(disk, { used: 0, cap: 4 });
      await before.append(bytesOf("abc\n"), 4);
      await before.append(bytesOf("gone"), 8);
      state.isFull = true;
      await expect(before.finish()).rejects.toThrow("ENOSPC");
      state.isFull = false;
      const after = await open(disk);
      await after.append(bytesOf("next\n"), 13);
      expect(await cutAll(after)).toBe(`abc\n${passedOver(4)}next\n`);
    });

    it("says it where it stood: before what had gathered meanwhile, on a line of its own", async () => {
      const { disk, state } = fragile();
      const spool = await open(disk);
      await spool.append(bytesOf("begun"), 5);
      let gathered: Promise<void> | undefined;
      Object.assign(state, {
        isFull: true,
        onRefusal() {
          gathered = spool.append(bytesOf("next\n"), 21);
          state.isFull = false;
        },
      });
      await expect(spool.append(bytesOf(" and ended\n"), 16)).rejects.toThrow("ENOSPC");
      await gathered;
      expect(await cutAll(spool)).toBe(`begun\n${passedOver(11)}next\n`);
    });

    it("says at the end what was refused while the end was asked for", async () => {
      const { disk, state } = fragile();
      const spool = await open(disk);
      state.isFull = true;
      const refusal = expect(spool.append(bytesOf("refused"), 7)).rejects.toThrow("ENOSPC").then(() => {
        state.isFull = false;
      });
      await Promise.all([refusal, spool.finish()]);
      expect(await cutAll(spool)).toBe(passedOver(7));
    });

    it("finds chunks again that were cut after one that it refused to note", async () => {
      const { disk, state } = fragile();
      const before = await open(disk);
      await before.append(bytesOf("one two"), 7);
      state.isFull = true;
      await expect(before.cut(4)).rejects.toThrow("ENOSPC");
      state.isFull = false;
      await before.cut(4);
      await before.append(bytesOf(" three"), 13);
      const after = await open(disk);
      expect(after.cuts).toEqual([{ sequence: 0, offset: 0, end: 4 }]);
      expect([after.end, after.position]).toEqual([13, 13]);
    });
  });

  it("keeps sequences going when the marks were compacted", async () => {
    const disk = createMemoryDisk();
    const spool = await open(disk);
    for (let i = 1; i <= 40_000; i++) {
      await spool.append(bytesOf("x"), i);
      if (i % 100 === 0) spool.acknowledge((await spool.cut(Infinity))!.end);
    }
    expect(await disk.size("spool/t.1/marks")).toBeLessThan(1024 * 1024 + 40_000);
    const after = await open(disk);
    expect([after.end, after.cutEnd]).toEqual([40_000, 40_000]);
    await after.append(bytesOf("y"), 40_001);
    expect(await after.cut(Infinity)).toEqual({ sequence: 400, offset: 40_000, end: 40_001 });
  });
});

describe("chunk encoding", () => {
  const decode = (chunk: { encoding: string; data: string }) =>
    chunk.encoding === "utf8" ? bytesOf(chunk.data) : Uint8Array.from(atob(chunk.data), (c) => c.charCodeAt(0));

  it("gives the exact bytes back, through JSON, whatever they are", () => {
    const anything = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.string({ unit: "binary" }).map((s) => bytesOf(s)),
      fc.constant(new Uint8Array([0xef, 0xbb, 0xbf, 0x61])),
    );
    fc.assert(fc.property(anything, (bytes) => {
      expect(decode(JSON.parse(JSON.stringify(encodeChunk(bytes))))).toEqual(bytes);
    }));
  });

  it("uses text for text and base64 for NUL and broken UTF-8", () => {
    expect(encodeChunk(bytesOf("grün 🚀\r\n")).encoding).toBe("utf8");
    expect(encodeChunk(new Uint8Array([97, 0])).encoding).toBe("base64");
    expect(encodeChunk(new Uint8Array([0xf0, 0x9f])).encoding).toBe("base64");
  });

  it("never cuts a whole character in two", () => {
    for (const text of ["a", "é", "€", "🚀", "x🚀"]) {
      const bytes = bytesOf(text);
      expect(completeUtf8(bytes)).toBe(bytes.length);
      for (let n = 1; n < bytes.length; n++) {
        const whole = completeUtf8(bytes.slice(0, n));
        expect(textOf(bytes.slice(0, whole))).toBe(text.slice(0, [...text].length > 1 && whole > 0 ? 1 : 0));
      }
    }
    expect(completeUtf8(new Uint8Array([0x80, 0x80, 0x80, 0x80]))).toBe(4);
  });
});
