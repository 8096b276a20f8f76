/** Each guard of an arrival, one test: what an agent says it holds is believed only where its lease lives. */
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { expire, readTask, reap, reclaimed, seedLeases } from "../../tests/helpers/hold_leases.ts";
import { claim, finish, success } from "../../tests/helpers/play_tasks.ts";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";
import type { TestDatabase } from "../../tests/helpers/test_database.ts";
import { connectAgent } from "./connect_agent.ts";
import { disconnectAgent } from "./disconnect_agent.ts";

let db: TestDatabase;
let mine: string;
let other: string;

beforeAll(async () => {
  db = await createTestDatabase();
});
beforeEach(async () => {
  ({ mine, other } = await seedLeases(db));
});

describe("an arrival", () => {
  const arrive = (
    agentId: string,
    resumes: { taskId: string; fence: number; state: "running" | "suspended" | "finished" }[],
    sessionId = db.newId(),
  ) =>
    connectAgent(db, { agentId, sessionId, slots: 1, facts: {}, versions: {}, resumes }, {
      leaseSeconds: 30,
      chance: () => 0,
    });

  it("confirms what the agent still holds, and takes back what it no longer knows", async () => {
    const held = await claim(db, mine);
    const answer = await arrive(mine, [{ taskId: held[0]!.id, fence: held[0]!.fence, state: "running" }]);
    expect(answer!.verdicts).toEqual([{
      taskId: held[0]!.id,
      fence: held[0]!.fence,
      verdict: "continue",
      logOffset: 0,
    }]);
    expect((await readTask(db, held[1]!.id)).state).toBe("pending");
  });

  it("tells an agent to drop what somebody else holds by now", async () => {
    const { first } = await reclaimed(db, mine, other);
    const answer = await arrive(mine, [{ taskId: first.id, fence: first.fence, state: "running" }]);
    expect(answer!.verdicts[0]!.verdict).toBe("abort");
  });

  it("renews nothing of what another agent holds", async () => {
    const [held] = await claim(db, other, 1);
    await expire(db, held!.id);
    const answer = await arrive(mine, [{ taskId: held!.id, fence: held!.fence, state: "running" }]);
    expect(answer!.verdicts[0]).toMatchObject({ verdict: "abort", logOffset: 0 });
    expect(await reap(db)).toBe(1);
  });

  it("asks for a result that was not taken yet, and for one that was: the answer lets it go", async () => {
    const [held] = await claim(db, mine, 1);
    const resume = [{ taskId: held!.id, fence: held!.fence, state: "finished" as const }];
    expect((await arrive(mine, resume))!.verdicts[0]!.verdict).toBe("send_result");
    await finish(db, held!, success);
    expect((await arrive(mine, resume))!.verdicts[0]!.verdict).toBe("send_result");
  });

  it("lets no revoked agent in", async () => {
    await db.sql`update agent set status = 'revoked' where id = ${mine}`;
    expect(await arrive(mine, [])).toBeUndefined();
  });

  it("is not undone by the end of an older session", async () => {
    const [older, newer] = [db.newId(), db.newId()];
    await arrive(mine, [], older);
    await arrive(mine, [], newer);
    await disconnectAgent(db, mine, older);
    const [row] = await db.sql<{ status: string }[]>`select status from agent where id = ${mine}`;
    expect(row!.status).toBe("connected");
  });
});
