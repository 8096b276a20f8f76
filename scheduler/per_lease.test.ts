import { expect, it } from "vitest";
import { createFolder } from "./folder.ts";
import { perLease } from "./message_handlers.ts";

const old = { taskId: "t", fence: 1, agentId: "a" };
const live = { taskId: "t", fence: 2, agentId: "b" };
/** As the verbs do: only the live lease is taken, and the answer names the task alone. */
const verb = (items: typeof old[]) => Promise.resolve(items.filter((i) => i.fence === 2).map((i) => i.taskId));

it.each([[[old, live]], [[live, old]]])(
  "an old lease never gets the answer that is meant for the live one",
  async (items) => {
    expect(await perLease(items, verb)).toEqual(items.map((i) => i.fence === 2));
  },
);

it("what was said twice has one answer", async () => {
  let calls = 0;
  const once = (items: typeof old[]) => Promise.resolve(calls++ === 0 ? items.map((i) => i.taskId) : []);
  expect(await perLease([live, { ...live }], once)).toEqual([true, true]);
});

it("one caller's bad input is not the trouble of those it was folded with", async () => {
  let open = () => {};
  const gate = new Promise<void>((resolve) => open = resolve);
  const folder = createFolder<string, string>(async (items) => {
    await gate;
    if (items.includes("bad")) throw new Error("bad input");
    return items;
  }, 10);
  const answers = Promise.allSettled([
    folder.add(["first"]),
    folder.add(["good"]),
    folder.add(["bad"]),
    folder.add(["fine"]),
  ]);
  open();
  expect((await answers).map((a) => a.status === "fulfilled" ? a.value[0] : "refused"))
    .toEqual(["first", "good", "refused", "fine"]);
});
