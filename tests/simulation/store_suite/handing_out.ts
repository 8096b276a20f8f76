/** Who is given which task, and how much of it. */
import { describe, expect, it } from "vitest";
import { Outcome } from "../../../protocol/operation.ts";
import { A, B, C, D, failure, half, idOf, LEASE, ONE, OTHER_ENVIRONMENT, success, TWO, WHOLE } from "./store_play.ts";
import type { StorePlay } from "./store_play.ts";

export function describeHandingOut(name: string, play: StorePlay): void {
  const { task, claim, leaseOf, finish, connect, see, claimOne } = play;

  describe(`${name}: handing out`, () => {
    it("gives each task once, counting fence and attempt, for as long as a lease", async () => {
      await task(A);
      const claimed = await claimOne(ONE);
      expect(claimed).toMatchObject({ id: A, agentId: ONE, fence: 1, attempt: 1 });
      expect(await claim(TWO)).toEqual([]);
      expect(await see(A)).toMatchObject({ state: "leased", leaseExpiresAt: play.world.now() + LEASE * 1000 });
    });
    it("gives no more than there is room for, in the order of the plan, what is meant for one before what is for all", async () => {
      for (const id of [A, B, C]) await task(id);
      await task(D, { targetAgentId: ONE });
      expect((await claim(ONE, 2)).map((t) => t.id)).toEqual([A, D]);
      expect((await claim(TWO, 9)).map((t) => t.id)).toEqual([B, C]);
    });
    it("never gives away what is meant for another agent, or for another environment's", async () => {
      await task(A, { targetAgentId: TWO });
      await play.world.agent(idOf(9), [OTHER_ENVIRONMENT]);
      await task(B);
      expect(await claim(idOf(9))).toEqual([]);
      expect((await claim(ONE)).map((t) => t.id)).toEqual([B]);
    });
    it("gives nothing on a connection that a newer one has replaced", async () => {
      await task(A);
      await connect(ONE, idOf(100));
      await connect(ONE, idOf(101));
      const want = { agentId: ONE, agentName: "one", free: 1 };
      expect(await play.world.store.claimTasks([{ ...want, sessionId: idOf(100) }], LEASE)).toEqual([]);
      expect(await play.world.store.claimTasks([{ ...want, sessionId: idOf(101) }], LEASE)).toHaveLength(1);
    });
    it("gives two that ask at once different tasks, if need be at their second asking", async () => {
      for (const id of [A, B]) await task(id);
      const both = [ONE, TWO].map((agentId) => ({ agentId, agentName: "x", free: 1 }));
      const first = await play.world.store.claimTasks(both, LEASE);
      const served = new Set(first.map((t) => t.agentId));
      const second = await play.world.store.claimTasks(both.filter((want) => !served.has(want.agentId)), LEASE);
      expect([...first, ...second].map((t) => t.id).sort()).toEqual([A, B]);
    });
    it("hands on, with the end of a task, what became ready by it, to who has room and may have it", async () => {
      await task(A);
      await task(B, { dependsOn: [A] });
      await task(C, { dependsOn: [A], targetAgentId: TWO });
      const claimed = await claimOne(ONE);
      const result = { ...leaseOf(claimed), outcome: Outcome.parse({ status: "success", message: "Done." }) };
      const room = [{ agentId: ONE, agentName: "one", free: 5 }];
      const forged = await play.world.store.finishAndHandOn([{ ...result, fence: 9 }], half, room, LEASE);
      expect(forged).toEqual({ taken: [], claimed: [], isMore: false });
      const { taken, claimed: more, isMore } = await play.world.store.finishAndHandOn([result], half, room, LEASE);
      expect([taken, isMore]).toEqual([[A], true]);
      expect(more.map(({ id, agentId, fence }) => ({ id, agentId, fence }))).toEqual([{
        id: B,
        agentId: ONE,
        fence: 1,
      }]);
      const { tasks } = await play.world.read();
      expect(tasks.map((t) => t.state)).toEqual(["success", "leased", "pending"]);
    });
    it("says that nothing more is ready, when all that became ready was handed on", async () => {
      await task(A);
      await task(B, { dependsOn: [A] });
      await task(C, { dependsOn: [B] });
      const result = { ...leaseOf(await claimOne(ONE)), outcome: Outcome.parse(success) };
      const room = [{ agentId: ONE, agentName: "one", free: 1 }];
      const { taken, claimed, isMore } = await play.world.store.finishAndHandOn([result], half, room, LEASE);
      expect([taken, claimed.map(({ id }) => id), isMore]).toEqual([[A], [B], false]);
    });
    it("tells that a task is ready before it hands it on, also where a whole had to end first", async () => {
      await task(WHOLE, { isLeaf: false });
      await task(A, { parentId: WHOLE });
      await task(C, { dependsOn: [WHOLE] });
      const result = { ...leaseOf(await claimOne(ONE)), outcome: Outcome.parse(success) };
      const room = [{ agentId: ONE, agentName: "one", free: 5 }];
      const { claimed } = await play.world.store.finishAndHandOn([result], half, room, LEASE);
      expect(claimed.map(({ id }) => id)).toEqual([C]);
      expect((await see(C)).events).toEqual(["task.pending", "task.leased"]);
    });
    it("hands nothing on where something has failed: the deployment may have a move to make first", async () => {
      await task(WHOLE, { isLeaf: false, maxFailures: 1 });
      for (const id of [A, B]) await task(id, { parentId: WHOLE });
      await task(C, { dependsOn: [WHOLE] });
      const [first, last] = await claim(ONE, 2);
      await finish(first!, failure);
      const result = { ...leaseOf(last!), outcome: Outcome.parse(success) };
      const room = [{ agentId: ONE, agentName: "one", free: 5 }];
      expect(await play.world.store.finishAndHandOn([result], half, room, LEASE))
        .toEqual({ taken: [B], claimed: [], isMore: true });
      expect((await claim(ONE)).map((t) => t.id)).toEqual([C]);
    });
  });
}
