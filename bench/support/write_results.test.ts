import { expect, it } from "vitest";
import { mergeResults } from "./write_results.ts";

const machine = { cores: 2, processor: "p", memoryGiB: 8, system: "linux", deno: "2" };
const server = { version: "18", settings: { fsync: "on", shared_preload_libraries: "" } };
const results = (name: string, measured: string, isMet = true) => ({
  machine,
  server,
  rounds: 5,
  reports: [{
    bench: { name, what: "how fast it is" },
    report: {
      tables: [],
      targets: [{ what: "speed", wanted: "2 x", measured, isMet }],
      notes: ["A note."],
      measured: null,
    },
  }],
});

it("a new run takes the place of the old one of its bench, and leaves the others", () => {
  const first = mergeResults("", results("latency", "1 x"), "2026-01-01");
  const second = mergeResults(first, results("dispatch", "3 x"), "2026-01-02");
  const third = mergeResults(second, results("latency", "2 x", false), "2026-01-03");
  expect(third.match(/^## .*/gm)).toEqual(["## dispatch", "## latency"]);
  expect(third).toContain("- met: speed: 3 x (wanted 2 x)");
  expect(third).toContain("- **missed**: speed: 2 x (wanted 2 x)");
  expect(third).not.toContain("1 x");
  expect(third).toContain(
    "2026-01-03, 5 interleaved rounds. 2 cores (p), 8 GiB, linux, Deno 2, PostgreSQL 18. fsync=on, shared_preload_libraries=''.",
  );
  expect(mergeResults(third, results("latency", "2 x", false), "2026-01-03")).toBe(third);
});
