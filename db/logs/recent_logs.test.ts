import { expect, it } from "vitest";
import { createRecentLogs } from "./recent_logs.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const chunk = (taskId: string, offset: number, text: string, attempt = 1) => ({
  taskId,
  attempt,
  offset,
  data: bytes(text),
});
const read = (logs: ReturnType<typeof createRecentLogs>, taskId: string, offset: number, attempt = 1) => {
  const found = logs.read(taskId, { attempt, offset });
  return found && new TextDecoder().decode(found.bytes);
};

it("gives what was stored of a followed task, from any place in it, and sends whoever is elsewhere to the database", () => {
  const logs = createRecentLogs();
  const leave = [1, 2, 3, 4].map(() => logs.follow("a"));
  logs.stored([chunk("a", 100, "abc"), chunk("b", 0, "nobody follows"), chunk("a", 103, "def")]);
  expect(["100", "102", "103", "105"].map((at) => read(logs, "a", Number(at)))).toEqual(["abc", "c", "def", "f"]);
  expect(logs.read("a", { attempt: 1, offset: 106 })).toEqual({ bytes: new Uint8Array(), end: 106 });
  expect([99, 107].map((at) => read(logs, "a", at))).toEqual([undefined, undefined]);
  expect([read(logs, "a", 100, 2), read(logs, "b", 0)]).toEqual([undefined, undefined]);
  for (const end of leave) end();
  expect(read(logs, "a", 100)).toBeUndefined();
});

it("takes text as it came, and lets go of what as many have read as follow", () => {
  const logs = createRecentLogs();
  const leave = [logs.follow("a"), logs.follow("a")];
  logs.stored([{ ...chunk("a", 0, ""), data: "zwölf" }, chunk("a", 6, "more")]);
  expect([read(logs, "a", 0), read(logs, "a", 4)]).toEqual(["zwölf", "lf"]);
  expect([read(logs, "a", 0), read(logs, "a", 6), read(logs, "a", 10)]).toEqual([undefined, "more", ""]);
  leave[0]!();
  expect([read(logs, "a", 6), read(logs, "a", 6)]).toEqual(["more", undefined]);
});

it("never joins bytes over a hole, keeps none twice, and begins anew with another attempt", () => {
  const logs = createRecentLogs();
  for (let n = 0; n < 3; n++) logs.follow("a");
  logs.stored([chunk("a", 0, "one"), chunk("a", 0, "one"), chunk("a", 10, "ten")]);
  expect([read(logs, "a", 0), read(logs, "a", 10)]).toEqual([undefined, "ten"]);
  logs.stored([chunk("a", 3, "late")]);
  expect([read(logs, "a", 3), read(logs, "a", 10)]).toEqual([undefined, "ten"]);
  logs.stored([chunk("a", 0, "again", 2)]);
  expect([read(logs, "a", 10), read(logs, "a", 0, 2)]).toEqual([undefined, "again"]);
});

it("keeps a few megabytes at most, the newest", () => {
  const logs = createRecentLogs();
  for (const id of ["a", "a", "b", "b"]) logs.follow(id);
  const data = new Uint8Array(1024 * 1024);
  for (let n = 0; n < 20; n++) {
    logs.stored(["a", "b"].map((taskId) => ({ taskId, attempt: 1, offset: n * data.length, data })));
  }
  const kept = ["a", "b"].flatMap((taskId) =>
    Array.from({ length: 20 }, (_, n) => logs.read(taskId, { attempt: 1, offset: n * data.length }))
  ).filter((found) => found !== undefined);
  expect(kept.length).toBe(2);
  expect(logs.read("b", { attempt: 1, offset: 19 * data.length })).toBeDefined();
});
