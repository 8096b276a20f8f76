import { expect, it } from "vitest";
import { tidyOutcome } from "./outcome.ts";

it("what a program printed last has nothing that a database cannot hold, also where it is cut", () => {
  const cut = `${"x".repeat(1998)}🧊🧊`;
  const { message, lastLines, details } = tidyOutcome({
    status: "failed",
    message: "a\0b \ud83d",
    lastLines: ["\0", cut],
    details: { measurements: [{ note: "\0" }] },
  }, []);
  const all = [message, ...lastLines, JSON.stringify(details)].join("");
  expect([all.includes("\0"), all.includes("\\u0000"), all.isWellFormed()]).toEqual([false, false, true]);
  expect(message).toBe("a\uFFFDb \uFFFD");
});
