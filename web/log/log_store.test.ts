import fc from "../../tests/helpers/fast_check.ts";
import { describe, expect, it } from "vitest";
import { chunkBytes, createLogStore } from "./log_store.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const lines = (store: ReturnType<typeof createLogStore>) =>
  Array.from({ length: store.count() }, (_, i) => store.text(i));

function filled(...parts: string[]) {
  const store = createLogStore();
  for (const part of parts) store.append(store.next(), bytes(part));
  return store;
}

describe("the log store", () => {
  it("splits lines and shows the one that has not ended", () => {
    expect(lines(filled("one\ntwo\nthr"))).toEqual(["one", "two", "thr"]);
    expect(lines(filled("one\n", "two\r", "\nthree\n"))).toEqual(["one", "two", "three"]);
  });

  it("shows the latest state of a progress line", () => {
    expect(lines(filled("10%\r50%", "\r90%\r"))).toEqual(["90%"]);
    expect(lines(filled("10%\r100%\ndone\n"))).toEqual(["100%", "done"]);
  });

  it("keeps a character whole that is split between chunks", () => {
    const store = createLogStore();
    const whole = bytes("é漢🚀\n");
    whole.forEach((_, i) => store.append(i, whole.subarray(i, i + 1)));
    expect(lines(store)).toEqual(["é漢🚀"]);
  });

  it("gives the same lines however the bytes are cut and repeated", () => {
    fc.assert(fc.property(
      fc.array(fc.constantFrom("a", "é", "漢", "\n", "\r\n", "\u001b[31m", "🚀", " "), { maxLength: 60 }),
      fc.array(fc.tuple(fc.nat(20), fc.nat(5)), { maxLength: 60 }),
      (words, cuts) => {
        const whole = bytes(words.join(""));
        const once = createLogStore();
        once.append(0, whole);
        const cut = createLogStore();
        for (const [length, back] of cuts) {
          const from = Math.max(0, cut.next() - back);
          cut.append(from, whole.subarray(from, Math.min(whole.length, cut.next() + length)));
        }
        cut.append(cut.next(), whole.subarray(cut.next()));
        expect(lines(cut)).toEqual(lines(once));
        expect(cut.next()).toBe(whole.length);
      },
    ));
  });

  it("passes over what it knows and refuses what would leave a hole", () => {
    const store = filled("hello\n");
    expect(store.append(0, bytes("hello\n"))).toBe("known");
    expect(store.append(3, bytes("lo\nworld\n"))).toBe("appended");
    expect(store.append(40, bytes("x"))).toBe("gap");
    expect(lines(store)).toEqual(["hello", "world"]);
  });

  it("marks bytes that were lost and goes on behind them", () => {
    const store = filled("one\nhalf");
    store.markGap(8, 100);
    expect(store.append(108, bytes("after\n"))).toBe("appended");
    expect(lines(store)).toEqual(["one", "half", "after"]);
    expect(store.gapBefore(2)).toBe(100);
    expect(store.gapBefore(1)).toBe(0);
  });

  it("carries a colour over line ends", () => {
    const store = filled("\u001b[31mred\nstill red\u001b[0m\nplain\n");
    expect(store.spans(1)[0]).toEqual({ text: "still red", style: { foreground: "1" } });
    expect(store.spans(2)).toEqual([{ text: "plain", style: {} }]);
  });

  it("cuts an endless line into rows", () => {
    const store = filled("x".repeat(40_000), "y\n");
    expect(store.count()).toBe(3);
    expect(lines(store).join("")).toHaveLength(40_001);
  });

  it("reads both encodings of the wire", () => {
    expect(chunkBytes({ encoding: "utf8", data: "é" })).toEqual(bytes("é"));
    expect(chunkBytes({ encoding: "base64", data: "/wA=" })).toEqual(new Uint8Array([255, 0]));
  });
});
