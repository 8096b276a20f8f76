import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { simulate } from "./simulate.ts";

const root = join(import.meta.dirname!, "../..");
const summary = async (seed: number) => {
  const { trace, steps, time } = await simulate(seed);
  return { seed, hash: trace.hash, lines: trace.count, steps, time };
};

it("a seed is the same run every time: each step, each instant, each word", async () => {
  for (const seed of [3, 77, 4321]) expect(await summary(seed)).toEqual(await summary(seed));
  expect((await summary(3)).hash).not.toBe((await summary(4)).hash);
});

it("a seed is the same run in another process", async () => {
  const args = ["run", "-A", "scripts/simulate.ts", "3", "--from", "77", "--summary"];
  const { stdout } = await promisify(execFile)("deno", args, { cwd: root });
  const there = stdout.trim().split("\n").filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
  expect(there).toEqual([await summary(77), await summary(78), await summary(79)]);
}, 120_000);
