/** That the benches still run against the product as it is; what they measure at this size means nothing. */
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const SCRIPT = fileURLToPath(new URL("./run.ts", import.meta.url));

async function bench(...args: string[]) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", SCRIPT, ...args],
    env: { BOREAS_BENCH_ROUNDS: "1", NO_COLOR: "1" },
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, said: text(stdout), complained: text(stderr) };
}

it("every bench of the scheduler runs to its end at the smallest size, without its peers", async () => {
  const { code, said, complained } = await bench("dispatch", "latency", "chain", "history", "--smoke");
  expect(complained).toBe("");
  expect(code).toBe(0);
  for (const table of ["Dispatch:", "Latency in ms", "Chain and fan-out", "Hot statements"]) {
    expect(said).toContain(table);
  }
  expect(said).toMatch(/bare path .*\d/);
  expect(said).toMatch(/finish: with ended as/);
}, 120_000);

it("a bench that is not there is refused with the names of those that are", async () => {
  const { code, complained } = await bench("speed");
  expect(code).toBe(2);
  expect(complained).toContain("There is no bench speed. There are: dispatch");
});
