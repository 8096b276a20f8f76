import { expect, it, onTestFinished } from "vitest";
import { createClock } from "../host/clock.ts";
import { createTestDatabase } from "../tests/helpers/test_database.ts";
import type { TestDatabase } from "../tests/helpers/test_database.ts";
import type { HintTopic } from "./hints.ts";
import { joinHints } from "./listen.ts";
import type { JoinedHints } from "./listen.ts";

const logger = { log: () => {} };

async function join(db: TestDatabase, processId: string, listen = true): Promise<JoinedHints> {
  const hints = await joinHints(db.sql, { clock: createClock(), logger, processId, listen });
  onTestFinished(() => hints.close());
  return hints;
}
/** Resolves with the next `count` ids heard of a topic. */
const heard = (hints: JoinedHints, topic: HintTopic, count = 1) =>
  new Promise<(string | undefined)[]>((resolve) => {
    const ids: (string | undefined)[] = [];
    const off = hints.on(topic, (id) => {
      if (ids.push(id) < count) return;
      off();
      resolve(ids);
    });
  });

it("tells its own process at once, and another one over the database", async () => {
  const db = await createTestDatabase();
  const [here, there] = [await join(db, "here"), await join(db, "there")];
  const [own, other] = [heard(here, "log"), heard(there, "log")];
  here.announce("log", "task-1");
  expect(await own).toEqual(["task-1"]);
  expect(await other).toEqual(["task-1"]);
});

it("sends what comes together as one notification, and no process hears its own twice", async () => {
  const db = await createTestDatabase();
  const [here, there] = [await join(db, "here"), await join(db, "there")];
  let own = 0;
  here.on("log", () => own++);
  const other = heard(there, "log", 3);
  for (const id of ["a", "b", "c"]) here.announce("log", id);
  expect((await other).sort()).toEqual(["a", "b", "c"]);
  // A second round trip through the database: anything sent back to `here` would have come before it.
  const echo = heard(here, "agents");
  there.announce("agents", "x");
  await echo;
  expect(own).toBe(3);
});

it("looks at everything once when its connection comes back, because it cannot know what it missed", async () => {
  const db = await createTestDatabase();
  const here = await join(db, "here");
  const woken = heard(here, "tasks");
  await db
    .sql`select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and query ilike 'listen%'`;
  expect(await woken).toEqual([undefined]);
});

it("works within its process where LISTEN cannot", async () => {
  const db = await createTestDatabase();
  const here = await join(db, "here", false);
  const own = heard(here, "tasks");
  here.announce("tasks");
  expect(await own).toEqual([undefined]);
});
