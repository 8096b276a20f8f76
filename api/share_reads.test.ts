import { expect, it } from "vitest";
import { shareReads } from "./share_reads.ts";

function createReads() {
  const begun: { key: string; end: (value: string) => void; fail: (error: Error) => void }[] = [];
  const read = shareReads((key: string) => new Promise<string>((end, fail) => begun.push({ key, end, fail })));
  return { begun, read };
}

it("lets all who ask while a read is under way share the next one, and none of them the one from before", async () => {
  const { begun, read } = createReads();
  const first = read("a");
  const [second, third] = [read("a"), read("a")];
  expect(begun).toHaveLength(1);
  begun[0]!.end("old");
  expect(await first).toBe("old");
  await expect.poll(() => begun.length).toBe(2);
  const fourth = read("a"); // the second has begun: it may have read already
  begun[1]!.end("new");
  expect(await Promise.all([second, third])).toEqual(["new", "new"]);
  await expect.poll(() => begun.length).toBe(3);
  begun[2]!.end("newest");
  expect(await fourth).toBe("newest");
  void read("a");
  expect(begun).toHaveLength(4);
});

it("keeps keys apart, and a failed read to those who asked for it", async () => {
  const { begun, read } = createReads();
  const [failing, after] = [read("a"), read("a")];
  const other = read("b");
  expect(begun.map(({ key }) => key)).toEqual(["a", "b"]);
  begun[1]!.end("of b");
  expect(await other).toBe("of b");
  begun[0]!.fail(new Error("gone"));
  await expect(failing).rejects.toThrow("gone");
  await expect.poll(() => begun.length).toBe(3);
  begun[2]!.end("well again");
  expect(await after).toBe("well again");
});
