/** Agents that come back: what they still hold, and which of their connections counts. */
import { describe, expect, it } from "vitest";
import { A, B, C, half, idOf, LEASE, ONE, success, TWO } from "./store_play.ts";
import type { StorePlay } from "./store_play.ts";

export function describeComingBack(name: string, play: StorePlay): void {
  const { task, claim, finish, connect, chunk, see, claimOne } = play;

  describe(`${name}: coming back`, () => {
    it("confirms what the agent still holds, takes back what it has forgotten, and aborts what is not its own", async () => {
      for (const id of [A, B, C]) await task(id);
      const [kept, forgotten] = await claim(ONE, 2);
      const other = await claimOne(TWO);
      await play.world.advance(20_000);
      const arrived = await connect(ONE, idOf(100), [
        { taskId: kept!.id, fence: 1, state: "running" },
        { taskId: other.id, fence: 1, state: "running" },
        { taskId: forgotten!.id, fence: 7, state: "running" },
      ]);
      expect(arrived!.verdicts.map((v) => v.verdict)).toEqual(["continue", "abort", "abort"]);
      expect(await see(kept!.id)).toMatchObject({ state: "leased", leaseExpiresAt: play.world.now() + LEASE * 1000 });
      expect(await see(forgotten!.id)).toMatchObject({ state: "pending", reason: "task.agent_lost_it", losses: 1 });
      expect(await see(other.id)).toMatchObject({ state: "leased", agentId: TWO });
    });
    it("lets an agent send a result again that was accepted, and says how much of its log is durable", async () => {
      await task(A);
      const claimed = await claimOne(ONE);
      await play.world.store.appendChunks([chunk(claimed, 0, 0, "hello ")]);
      await finish(claimed, success);
      const arrived = await connect(ONE, idOf(100), [{ taskId: A, fence: 1, state: "finished" }]);
      expect(arrived!.verdicts).toEqual([{ taskId: A, fence: 1, verdict: "send_result", logOffset: 6 }]);
      expect(await finish(claimed, success)).toEqual([]);
    });
    it("notes the end of a connection unless a newer one has taken its place", async () => {
      await connect(ONE, idOf(100));
      await connect(ONE, idOf(101));
      await play.world.store.disconnectAgent(ONE, idOf(100));
      expect((await play.world.read()).sessions[ONE]).toBe(idOf(101));
      await play.world.store.disconnectAgent(ONE, idOf(101));
      expect((await play.world.read()).sessions[ONE]).toBe(null);
    });
    it("says which connections are not their agents' any more", async () => {
      await connect(ONE, idOf(100));
      await connect(TWO, idOf(200));
      const known = [{ agentId: ONE, sessionId: idOf(100) }, { agentId: TWO, sessionId: idOf(200) }];
      expect(await play.world.store.findReplaced(known)).toEqual([]);
      await connect(ONE, idOf(101));
      await play.world.store.disconnectAgent(TWO, idOf(200));
      expect((await play.world.store.findReplaced([...known, { agentId: idOf(99), sessionId: idOf(300) }])).sort())
        .toEqual([idOf(100), idOf(200), idOf(300)]);
    });
    it("connects together those who hold nothing, and leaves the others to be reconciled", async () => {
      await task(A);
      await claimOne(ONE);
      const arrival = { slots: 4, facts: {}, versions: {}, resumes: [] };
      const arrived = await play.world.store.connectIdle([
        { ...arrival, agentId: ONE, sessionId: idOf(100) },
        { ...arrival, agentId: TWO, sessionId: idOf(200) },
      ]);
      expect(arrived).toMatchObject([{ agentId: TWO, cordoned: false }]);
      expect((await play.world.read()).sessions).toMatchObject({ [ONE]: null, [TWO]: idOf(200) });
    });
    it("lets no connection in whose agent came by another one since its hello was read", async () => {
      const arrival = { slots: 4, facts: {}, versions: {}, resumes: [] };
      const { arrivals: seen } = (await play.world.store.readAgentIdentity(ONE))!;
      await connect(ONE, idOf(101));
      await task(A);
      const given = await claimOne(ONE);
      const slow = { ...arrival, agentId: ONE, sessionId: idOf(100), seen };
      const options = { leaseSeconds: LEASE, chance: half };
      expect(await play.world.store.connectIdle([slow])).toEqual([]);
      expect(await play.world.store.connectAgent(slow, options)).toMatchObject({ isSuperseded: true });
      expect((await play.world.read()).sessions).toMatchObject({ [ONE]: idOf(101) });
      expect(await see(A)).toMatchObject({ state: "leased", fence: given.fence });
      const now = await play.world.store.readAgentIdentity(ONE);
      const resumes = [{ taskId: given.id, fence: given.fence, state: "running" as const }];
      const next = await play.world.store.connectAgent({ ...slow, resumes, seen: now!.arrivals }, options);
      expect(next).toMatchObject({ verdicts: [{ verdict: "continue" }] });
      expect((await play.world.store.readAgentIdentity(ONE))!.arrivals).toBe(now!.arrivals + 1);
    });
    it("knows who an agent is, and that a stranger is none", async () => {
      expect(await play.world.store.readAgentIdentity(ONE)).toMatchObject({ id: ONE, embedded: false });
      expect(await play.world.store.readAgentIdentity(idOf(99))).toBeUndefined();
      expect(await connect(idOf(99), idOf(100))).toBeUndefined();
    });
  });
}
