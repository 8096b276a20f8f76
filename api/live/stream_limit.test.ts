import { expect, it } from "vitest";
import { createStreamLimit } from "./stream_limit.ts";

it("refuses one user's next stream, and nobody else's, until one of theirs has ended", () => {
  const limit = createStreamLimit(2);
  const leave = limit.enter("ann");
  limit.enter("ann");
  limit.enter("bob");
  expect(() => limit.enter("ann")).toThrow(/You have 2 streams open here, and 2 are allowed/);
  leave();
  leave();
  limit.enter("ann");
  expect(() => limit.enter("ann")).toThrow();
});
