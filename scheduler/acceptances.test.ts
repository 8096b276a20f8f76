import { expect, it } from "vitest";
import type { HeldLease } from "../db/tasks/accept_tasks.ts";
import { createVirtualClock } from "../tests/helpers/virtual_clock.ts";
import { createAcceptances } from "./acceptances.ts";

const lease = (taskId: string, fence = 1): HeldLease => ({ taskId, fence, agentId: "agent" });

function prepare(write: (leases: HeldLease[]) => Promise<unknown> = () => Promise.resolve()) {
  const clock = createVirtualClock();
  const written: string[][] = [];
  const failed: string[][] = [];
  const acceptances = createAcceptances<string>({
    clock,
    write(leases) {
      written.push(leases.map((l) => `${l.taskId}:${l.fence}`));
      return write(leases);
    },
    onFailure: (owners) => void failed.push([...owners]),
  });
  return { clock, written, failed, acceptances };
}

it("a beginning is written after a moment, with all that are due by then", async () => {
  const { clock, written, acceptances } = prepare();
  acceptances.add("one", [lease("a"), lease("b")]);
  await clock.advance(80);
  acceptances.add("two", [lease("c")]);
  expect(written).toEqual([]);
  await clock.advance(20);
  expect(written).toEqual([["a:1", "b:1"]]);
  await clock.advance(200);
  expect(written).toEqual([["a:1", "b:1"], ["c:1"]]);
});

it("a beginning whose end comes first is never written; that of another lease of the task is", async () => {
  const { clock, written, acceptances } = prepare();
  acceptances.add("one", [lease("a", 1), lease("a", 2)]);
  await acceptances.end([lease("a", 1)]);
  await clock.advance(200);
  expect(written).toEqual([["a:2"]]);
});

it("an end waits for the beginning that is being written", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const { clock, acceptances } = prepare(() => promise);
  acceptances.add("one", [lease("a")]);
  await clock.advance(200);
  const order: string[] = [];
  const ended = acceptances.end([lease("a")]).then(() => order.push("end"));
  await acceptances.end([lease("b")]);
  order.push("written");
  resolve();
  await ended;
  expect(order).toEqual(["written", "end"]);
});

it("who cannot be written is named, and a failure hinders no end and no later beginning", async () => {
  let isDown = true;
  const { clock, failed, written, acceptances } = prepare(() =>
    isDown ? Promise.reject(new Error("down")) : Promise.resolve()
  );
  acceptances.add("one", [lease("a")]);
  await clock.advance(200);
  expect(failed).toEqual([["one"]]);
  await acceptances.end([lease("a")]);
  isDown = false;
  acceptances.add("one", [lease("a")]);
  await clock.advance(200);
  expect(written).toEqual([["a:1"], ["a:1"]]);
});
