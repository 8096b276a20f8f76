import { describe, expect, it } from "vitest";
import { createLogger, type LoggerOptions } from "./logger.ts";

const clock = { now: () => new Date("2026-02-03T04:05:06.789Z") };
function linesOf(options: Partial<LoggerOptions>) {
  const lines: string[] = [];
  const logger = createLogger({ service: "agent", clock, write: (line) => void lines.push(line), ...options });
  logger.log("DEBUG", "fine detail");
  logger.log("WARN", "look here", { taskId: "t1", error: new TypeError("odd"), big: 10n });
  return lines;
}

describe("logger", () => {
  it("writes one JSON object per event with the fields of the contract", () => {
    const lines = linesOf({});
    expect(lines.map((line) => JSON.parse(line))).toEqual([{
      timestamp: "2026-02-03T04:05:06.789Z",
      level: "WARN",
      service: "agent",
      message: "look here",
      context: { taskId: "t1", error: "TypeError: odd", big: "10" },
    }]);
  });

  it("keeps to the level it is given, and to INFO when that is none", () => {
    expect(linesOf({ level: "debug" }).length).toBe(2);
    expect(linesOf({ level: "ERROR" }).length).toBe(0);
    expect(linesOf({ level: "loud" }).length).toBe(1);
  });

  it("speaks plainly at a terminal, unless JSON is asked for", () => {
    expect(linesOf({ isTerminal: true })).toEqual(["04:05:06 WARN  look here  taskId=t1 error=TypeError: odd big=10"]);
    expect(linesOf({ isTerminal: true, format: "json" })[0]).toMatch(/^\{/);
    expect(linesOf({ format: "text" })[0]).toMatch(/^04:05/);
  });
});
