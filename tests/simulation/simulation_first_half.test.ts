/** Half of the seeds; the other half runs beside it. */
import { it } from "vitest";
import { expectSound } from "./run_seeds.ts";

it(
  "in a thousand worlds full of faults every deployment ends, once and alone, with its whole log (first half)",
  async () => {
    await expectSound(0, 2);
  },
  3_600_000,
);
